package story

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/term"
)

// A stage is a temporary folder in which commands are typed.
type stage struct {
	ctx    context.Context
	out    io.Writer
	dir    string
	bin    string // a folder with tcpboot in it, for PATH
	port   string // where the image server listens
	radius string // where the RADIUS server listens
	end    []func()
}

func newStage(ctx context.Context, out io.Writer, binary, dir string) (*stage, error) {
	abs, err := filepath.Abs(binary)
	if err != nil {
		return nil, err
	}
	s := &stage{ctx: ctx, out: out, dir: dir, bin: filepath.Join(dir, ".bin")}
	if err := os.Mkdir(s.bin, 0o755); err != nil {
		return nil, err
	}
	if err := os.Symlink(abs, filepath.Join(s.bin, "tcpboot")); err != nil {
		return nil, err
	}
	if s.port, err = freePort("tcp"); err != nil {
		return nil, err
	}
	if s.radius, err = freePort("udp"); err != nil {
		return nil, err
	}
	const passphrase = "a demo keeps no secrets\n"
	return s, os.WriteFile(s.path(".passphrase"), []byte(passphrase), 0o600)
}

func (s *stage) close() {
	for i := len(s.end) - 1; i >= 0; i-- {
		s.end[i]()
	}
}

func (s *stage) path(elem ...string) string {
	return filepath.Join(append([]string{s.dir}, elem...)...)
}

func (s *stage) note(format string, a ...any) { fmt.Fprintf(s.out, format+"\n", a...) }

func (s *stage) chapter(title string) func() error {
	return func() error {
		if f, ok := s.out.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
			title = "\x1b[1m" + title + "\x1b[0m"
		}
		s.note("\n── %s", title)
		return nil
	}
}

// types returns a step that runs a shell line and fails if it does.
func (s *stage) types(format string, a ...any) func() error {
	return func() error {
		line := fmt.Sprintf(format, a...)
		if err := s.shell(line).Run(); err != nil {
			return fmt.Errorf("%s: %w", line, err)
		}
		return nil
	}
}

// fails returns a step whose line has to be refused.
func (s *stage) fails(format string, a ...any) func() error {
	return func() error {
		line := fmt.Sprintf(format, a...)
		var status *exec.ExitError
		switch err := s.shell(line).Run(); {
		case err == nil:
			return fmt.Errorf("%s: went through, and must not", line)
		case !errors.As(err, &status):
			return err
		}
		return nil
	}
}

// shell prints the line and makes a command of it.
func (s *stage) shell(line string) *exec.Cmd {
	s.note("$ %s", line)
	cmd := exec.CommandContext(s.ctx, "sh", "-c", line)
	cmd.Dir = s.dir
	cmd.Env = s.env()
	cmd.Stdout, cmd.Stderr = s.out, s.out
	return cmd
}

func (s *stage) env() []string {
	return append(os.Environ(), "PATH="+s.bin+":"+os.Getenv("PATH"), "TCPBOOT_SITE="+s.dir,
		"TCPBOOT_PASSPHRASE_FILE="+s.path(".passphrase"))
}

// serve starts the image server and waits until it listens.
func (s *stage) serve() error {
	line := "tcpboot serve --listen 127.0.0.1:" + s.port
	s.note("$ %s &", line)
	cmd := exec.CommandContext(s.ctx, filepath.Join(s.bin, "tcpboot"), strings.Fields(line)[1:]...)
	cmd.Dir, cmd.Env = s.dir, s.env()
	return s.background(cmd, "listening")
}

// background starts cmd, waits until it says ready, and ends it with the stage.
func (s *stage) background(cmd *exec.Cmd, ready string) error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	cmd.Stdout, cmd.Stderr = w, w
	if err := cmd.Start(); err != nil {
		return err
	}
	w.Close()
	s.end = append(s.end, func() { _ = cmd.Process.Signal(syscall.SIGTERM); _ = cmd.Wait() })
	lines := bufio.NewScanner(r)
	var said []string
	for lines.Scan() {
		said = append(said, lines.Text())
		if strings.Contains(lines.Text(), ready) {
			go func() {
				for lines.Scan() {
				}
			}()
			return nil
		}
	}
	return fmt.Errorf("%s ended at once: %s", filepath.Base(cmd.Path), strings.Join(said, "\n"))
}

func freePort(network string) (string, error) {
	if network == "udp" {
		c, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			return "", err
		}
		defer c.Close()
		return strconv.Itoa(c.LocalAddr().(*net.UDPAddr).Port), nil
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port), nil
}
