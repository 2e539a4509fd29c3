package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"
)

// boardProgram builds the POSIX board once: the loader's core in C, with sockets.
var boardProgram = sync.OnceValues(func() (string, error) {
	build, err := filepath.Abs(filepath.Join(readyDir, "board"))
	if err != nil {
		return "", err
	}
	make := exec.Command("make", "-s", "-C", "../../templates/loader/host_test", "board", "BUILD="+build)
	make.Stderr = os.Stderr
	return filepath.Join(build, "board"), make.Run()
})

// cmdBoard lets a board on this machine do something, with its own delivery and its
// own flash, and checks its exit status. What it says is the command's output. The
// program itself is then in the variable BOARD.
//
//	board STATUS MAC [OPTION VALUE]... power|confirm|return|update
func cmdBoard(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: board STATUS MAC [OPTION VALUE]... power|confirm|return|update")
	}
	program, err := boardProgram()
	ts.Check(err)
	ts.Setenv("BOARD", program)
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	mac := args[1]
	all := append([]string{
		"--flash", mac + ".flash", "--credentials", filepath.Join("boards", mac[10:], mac, "main"),
		"--servers", "certs/servers-root.pem", "--site", "sitedocs/1.cose", "--server", ts.Getenv("SERVER"), "--hurry", "20",
	}, args[2:]...)
	err = ts.Exec(program, all...)
	if got := exitStatus(err); got != want {
		ts.Fatalf("board %s: exit status %d, want %d", strings.Join(args[1:], " "), got, want)
	}
}

func exitStatus(err error) int {
	if err == nil {
		return 0
	}
	if exit, ok := err.(*exec.ExitError); ok {
		return exit.ExitCode()
	}
	return -1
}
