package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/tcpboot/tcpboot/pki/site"
)

// initIn runs init for a folder.
func initIn(t *testing.T, dir string) ([]byte, error) {
	t.Helper()
	passphrase := filepath.Join(t.TempDir(), "passphrase")
	if err := os.WriteFile(passphrase, []byte(readyPassphrase+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return exec.Command("tcpboot", "--site", dir, "--passphrase-file", passphrase,
		"init", "--ssid", "lab", "--server", "127.0.0.1:8123").CombinedOutput()
}

func TestInitWhileAnotherIsAtWork(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "site")
	if err := os.Mkdir(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	mark, err := site.TryLockFile(filepath.Join(dir, unfinished))
	if err != nil {
		t.Fatal(err)
	}
	defer mark.Close()
	out, err := initIn(t, dir)
	if want := "another init is at work here"; err == nil || !strings.Contains(string(out), want) {
		t.Errorf("%v: %s, want %s", err, out, want)
	}
	if entries, err := filepath.Glob(filepath.Join(dir, "keys", "*")); err != nil || len(entries) > 0 {
		t.Errorf("made %v, %v", entries, err)
	}
}

// Of several inits of one folder at once one makes a site, whose keys, registry
// and certificates belong together; the others fail.
func TestInitAtOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "site")
	const inits = 3
	var all sync.WaitGroup
	made := make([]bool, inits)
	said := make([]string, inits)
	for i := range inits {
		all.Go(func() {
			out, err := initIn(t, dir)
			made[i], said[i] = err == nil, fmt.Sprintf("%v\n%s", err, out)
		})
	}
	all.Wait()
	n := 0
	for _, was := range made {
		if was {
			n++
		}
	}
	if n != 1 {
		t.Fatalf("%d of %d inits made the site: %q", n, inits, said)
	}
	passphrase := filepath.Join(t.TempDir(), "passphrase")
	if err := os.WriteFile(passphrase, []byte(readyPassphrase+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, verb := range [][]string{{"enroll", "246f28aa1002"}, {"audit", "verify"}} {
		cmd := exec.Command("tcpboot", append([]string{"--site", dir, "--passphrase-file", passphrase}, verb...)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v: %v\n%s", verb, err, out)
		}
	}
}
