package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// A script has one terminal, a window of tmux:
//
//	terminal 80x24 tcpboot menuconfig    run a command in it
//	keys Down Enter 9000                 press keys, by tmux's names, or type
//	click 3 4                            click in a column and a line, from 0
//	wheel up|down                        turn the wheel
//	resize 60x20
//	screen REGEXP                        wait until that is to be seen
//	colours [REGEXP], ! colours          those of the screen, as SGR sequences; or none
//
// The terminal's own background is BACKGROUND, where that is set. When the command ends, "exit status N" is to be seen.

// tmux asks the server of the script's terminal.
func tmux(ts *testscript.TestScript, args ...string) string {
	out, err := tmuxAt(ts, ts.Getenv("TERMINAL"), args).CombinedOutput()
	if err != nil {
		ts.Fatalf("tmux %q: %v: %s", args, err, out)
	}
	return string(out)
}

func tmuxAt(ts *testscript.TestScript, socket string, args []string) *exec.Cmd {
	cmd := exec.Command(peer(ts, "tmux", "tmux"), append([]string{"-u", "-f", os.DevNull, "-S", socket}, args...)...)
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "PATH="+ts.Getenv("PATH"), "HOME="+ts.Getenv("HOME"), "TMUX=")
	return cmd
}

// cmdTerminal opens a terminal, in place of the one before.
func cmdTerminal(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: terminal WIDTHxHEIGHT COMMAND…")
	}
	dir, err := os.MkdirTemp(ts.MkAbs("."), ".tmux")
	ts.Check(err)
	socket := filepath.Join(dir, "socket")
	ts.Setenv("TERMINAL", socket)
	ts.Defer(func() { ts.Check(tmuxAt(ts, socket, []string{"kill-server"}).Run()) })
	x, y, _ := strings.Cut(args[0], "x")
	run := fmt.Sprintf(`%s; echo "exit status $?"; exec cat`, strings.Join(args[1:], " "))
	open := []string{"start-server", ";"}
	if colour := ts.Getenv("BACKGROUND"); colour != "" {
		open = append(open, "set", "-g", "window-style", "bg="+colour, ";")
	}
	open = append(open, "new-session", "-d", "-x", x, "-y", y)
	for _, name := range []string{"NO_COLOR", "TCPBOOT_PASSPHRASE_FILE"} {
		open = append(open, "-e", name+"="+ts.Getenv(name))
	}
	tmux(ts, append(open, run)...)
}

func cmdKeys(ts *testscript.TestScript, neg bool, args []string) {
	tmux(ts, append([]string{"send-keys"}, args...)...)
}

// A click is what terminals send for it: press and release, places from 1.
func cmdClick(ts *testscript.TestScript, neg bool, args []string) {
	var x, y int
	if _, err := fmt.Sscan(strings.Join(args, " "), &x, &y); err != nil {
		ts.Fatalf("usage: click COLUMN LINE")
	}
	tmux(ts, "send-keys", "-l", fmt.Sprintf("\x1b[<0;%d;%dM\x1b[<0;%[1]d;%[2]dm", x+1, y+1))
}

func cmdWheel(ts *testscript.TestScript, neg bool, args []string) {
	buttons := map[string]int{"up": 64, "down": 65}
	tmux(ts, "send-keys", "-l", fmt.Sprintf("\x1b[<%d;1;1M", buttons[args[0]]))
}

func cmdResize(ts *testscript.TestScript, neg bool, args []string) {
	x, y, _ := strings.Cut(args[0], "x")
	tmux(ts, "resize-window", "-x", x, "-y", y)
}

func cmdScreen(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: screen REGEXP")
	}
	lookFor(ts, args[0], "capture-pane", "-p")
}

// lookFor looks until what is wanted is there. Each look runs a program, which is
// pause enough.
func lookFor(ts *testscript.TestScript, expr string, capture ...string) {
	want, err := regexp.Compile("(?m)" + expr)
	ts.Check(err)
	for until := time.Now().Add(patience); ; {
		shown := tmux(ts, capture...)
		if want.MatchString(shown) {
			return
		}
		if time.Now().After(until) {
			ts.Fatalf("%s is not to be seen:\n%s", expr, shown)
		}
	}
}

var colour = regexp.MustCompile(`\x1b\[([0-9;]*;)?(3[0-8]|4[0-8]|9[0-7])[;m]`)

func cmdColours(ts *testscript.TestScript, neg bool, args []string) {
	if !neg && len(args) == 1 {
		lookFor(ts, args[0], "capture-pane", "-p", "-e")
	} else if shown := tmux(ts, "capture-pane", "-e", "-p"); colour.MatchString(shown) == neg {
		ts.Fatalf("colours: want %v, on\n%q", !neg, shown)
	}
}
