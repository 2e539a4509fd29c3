package main

import (
	"io/fs"
	"strings"
	"syscall"
	"testing"
)

// Whoever may not read a site is told whose it is.
func TestHintForPermission(t *testing.T) {
	err := &fs.PathError{Op: "open", Path: "tcpboot.yaml", Err: syscall.EACCES}
	if got := strings.Join(hints(err), "\n"); got != "a site is its owner's: work as the user who made it" {
		t.Errorf("hints: %q", got)
	}
}
