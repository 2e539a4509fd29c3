package custody

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
	"unicode"
)

// Bounds on what a helper says.
const (
	maxAnswer = 64 << 10 // bytes of JSON; an RSA signature needs 600
	maxTalk   = 1 << 10  // bytes of standard error that are kept
	maxReason = 300      // characters that an error repeats
)

// lingering is how long a helper's output may stay open after its end.
const lingering = 2 * time.Second

var errTooMuch = errors.New("answers more than it should")

// run runs the helper once and returns what it wrote. A failure may come with an
// answer, which then says why. After a timeout, and after too long an answer,
// nothing of the helper's process group is left.
func (h *helper) run(timeout time.Duration, args ...string) (answer []byte, err error) {
	deadline, done := context.WithTimeoutCause(context.Background(), timeout, fmt.Errorf("no answer within %v", timeout))
	defer done()
	ctx, stop := context.WithCancelCause(deadline)
	defer stop(nil)

	out := &capped{max: maxAnswer, full: func() error { stop(errTooMuch); return errTooMuch }}
	talk := &capped{max: maxTalk}
	cmd := exec.CommandContext(ctx, h.path, args...)
	cmd.Dir, cmd.Env = "/", h.environ
	cmd.Stdout, cmd.Stderr = out, talk
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	killAll := func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.Cancel, cmd.WaitDelay = killAll, lingering

	err = cmd.Run()
	if errors.Is(err, exec.ErrWaitDelay) {
		killAll() // the helper is gone; what it started holds on to its output
		err = errors.New("left something running")
	}
	if cause := context.Cause(ctx); cause != nil {
		return nil, h.errorf("%w", cause)
	}
	if err != nil && !hasAnswer(out.kept) {
		return nil, h.errorf("%w%s", err, said(string(talk.kept)))
	}
	return out.kept, h.wrap(err)
}

// hasAnswer tells an answer, which may bear an error message, from debris.
func hasAnswer(out []byte) bool { return bytes.HasPrefix(out, []byte("{")) }

func (h *helper) errorf(format string, args ...any) error {
	return fmt.Errorf(filepath.Base(h.path)+": "+format, args...)
}

func (h *helper) wrap(err error) error {
	if err != nil {
		return h.errorf("%w", err)
	}
	return nil
}

// said renders what a helper wrote for people, to end an error message.
func said(talk string) string {
	if text := oneLine(talk); text != "" {
		return ": it says: " + text
	}
	return ""
}

// oneLine makes text from outside fit for a terminal.
func oneLine(s string) string {
	printable := func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}
	text := []rune(strings.Join(strings.Fields(strings.Map(printable, s)), " "))
	return string(text[:min(len(text), maxReason)])
}

// capped keeps the first max bytes. What is more it drops, or asks full for an
// error. There is no bytes.Buffer in it: io.Copy would call its ReadFrom, which
// has no bound.
type capped struct {
	kept []byte
	max  int
	full func() error
}

func (c *capped) Write(p []byte) (int, error) {
	fits := min(len(p), c.max-len(c.kept))
	c.kept = append(c.kept, p[:fits]...)
	if fits < len(p) && c.full != nil {
		return fits, c.full()
	}
	return len(p), nil
}
