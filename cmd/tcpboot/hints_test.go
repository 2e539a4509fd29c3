package main

import (
	"io/fs"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/tcpboot/tcpboot/pki/site"
)

// Whoever may not read a site is told whose it is.
func TestHintForPermission(t *testing.T) {
	err := &fs.PathError{Op: "open", Path: "tcpboot.yaml", Err: syscall.EACCES}
	if got := strings.Join(hints(err), "\n"); got != "a site is its owner's: work as the user who made it" {
		t.Errorf("hints: %q", got)
	}
}

// A site without the mark of an init is not touched: its disk may be read-only.
func TestForgetInitWithoutMark(t *testing.T) {
	s := &site.Site{Dir: filepath.Join("/proc", "self")} // where nothing can be removed
	if err := forgetInit(s); err != nil {
		t.Error(err)
	}
}
