package main

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/tcpboot/tcpboot/release/espimage"
)

// TestREADME types the README's transcripts, one after the other, and compares
// what comes out. A line "…" stands for any lines, a "…" in a line for anything.
func TestREADME(t *testing.T) {
	t.Parallel()
	r := newReader(t)
	for _, step := range r.steps("../../README.md") {
		got := r.enter(step.command)
		if !step.want.MatchString(got) {
			t.Fatalf("$ %s\ngot:\n%s\nREADME:\n%s", step.command, got, step.text)
		}
	}
}

// A reader follows the README in a folder of their own.
type reader struct {
	*testing.T
	dir string
	env []string
}

func newReader(t *testing.T) *reader {
	dir := t.TempDir()
	bin := filepath.Join(dir, ".bin")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	stand := espimage.Build(espimage.Spec{Chip: "esp32", Version: "1.4.0", Project: "app", Size: 64 << 10})
	for _, err := range []error{
		os.Mkdir(bin, 0o755),
		os.Symlink(self, filepath.Join(bin, "tcpboot")), // TestMain makes it the command
		os.WriteFile(filepath.Join(dir, ".passphrase"), []byte("only a test\n"), 0o600),
		os.WriteFile(filepath.Join(dir, "app.bin"), stand, 0o644),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	env := append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "TCPBOOT_PASSPHRASE_FILE="+filepath.Join(dir, ".passphrase"))
	return &reader{t, dir, env}
}

// A step is a command and what the README says comes out.
type step struct {
	command, text string
	want          *regexp.Regexp
}

func (r *reader) steps(path string) (steps []step) {
	text, err := os.ReadFile(path)
	if err != nil {
		r.Fatal(err)
	}
	for _, block := range regexp.MustCompile("(?s)```console\n(.*?)```").FindAllSubmatch(text, -1) {
		for _, part := range strings.Split("\n"+string(block[1]), "\n$ ")[1:] {
			command, want, _ := strings.Cut(part, "\n")
			steps = append(steps, step{command, want, pattern(want)})
		}
	}
	if len(steps) < 10 {
		r.Fatalf("%s: %d commands found", path, len(steps))
	}
	return steps
}

// pattern makes a regular expression of a README's text.
func pattern(text string) *regexp.Regexp {
	text = strings.TrimSuffix(text, "\n")
	var lines []string
	for _, line := range strings.Split(text, "\n") {
		if line == "…" {
			lines = append(lines, "(?s:.*)")
		} else {
			lines = append(lines, strings.ReplaceAll(regexp.QuoteMeta(line), "…", ".*"))
		}
	}
	return regexp.MustCompile("^" + strings.Join(lines, "\n") + "\n?$")
}

// enter runs a line; one that ends in & goes on until the test ends.
func (r *reader) enter(line string) string {
	if command, ok := strings.CutSuffix(line, " &"); ok {
		r.start(command)
		return ""
	}
	cmd := exec.Command("bash", "-c", line)
	cmd.Dir, cmd.Env = r.dir, r.env
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		r.Fatalf("$ %s\n%s%s%v", line, out, &stderr, err)
	}
	return string(out)
}

// start runs a server and waits until it listens.
func (r *reader) start(line string) {
	cmd := exec.Command("bash", "-c", "exec "+line)
	cmd.Dir, cmd.Env = r.dir, r.env
	stderr, err := cmd.StderrPipe()
	if err != nil {
		r.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() { _ = cmd.Process.Signal(syscall.SIGTERM); _ = cmd.Wait() })
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		if strings.Contains(lines.Text(), "listening") {
			go func() {
				for lines.Scan() {
				}
			}()
			return
		}
	}
	r.Fatalf("%s ended before it listened", line)
}
