package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// Several processes enrol one list and rotate the same boards at once.
// All succeed, and afterwards what is delivered is what the registry admits.
func TestVerbsAtOnce(t *testing.T) {
	t.Parallel()
	const boards = 120
	dir, env := newSite(t)
	env = append(env, "TCPBOOT_SITE="+dir)
	var text strings.Builder
	text.WriteString("mac,name\n")
	for i := range boards {
		fmt.Fprintf(&text, "246f28aa%04x,board %d\n", 0x1000+i, i)
	}
	list := filepath.Join(t.TempDir(), "boards.csv")
	if err := os.WriteFile(list, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) {
		cmd := exec.Command("tcpboot", args...)
		cmd.Env = env
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v: %v\n%s", args, err, out)
		}
	}
	run("radius", "export")
	run("enroll", "246f28aa0001", "246f28aa0002")
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() { run("enroll", "--from", list) })
		all.Go(func() {
			for range 5 {
				run("rotate", "246f28aa0001", "246f28aa0002")
			}
		})
	}
	all.Wait()
	s := readState(t, dir)
	s.check(t, dir)
	if len(s.active) != boards+2 || len(s.pending) != 0 || s.unsettled != 0 {
		t.Errorf("%d boards active, %d pending, %d unsettled; want %d, none, none", len(s.active), len(s.pending), s.unsettled, boards+2)
	}
	left, err := filepath.Glob(filepath.Join(dir, "boards", "*", "*.next"))
	if err != nil || len(left) > 0 {
		t.Errorf("left staged: %v, %v", left, err)
	}
}
