package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tcpboot/tcpboot/cmd/sigstore-kms/helpertest"
)

func TestRootsAlone(t *testing.T) {
	for name, row := range map[string]struct {
		mode fs.FileMode
		uid  uint32
		want string
	}{
		"root's":            {0o755, 0, ""},
		"a link":            {0o777 | fs.ModeSymlink, 0, ""},
		"a user's":          {0o755, 1000, "owned by uid 1000"},
		"a user's link":     {0o777 | fs.ModeSymlink, 1000, "owned by uid 1000"},
		"its group's too":   {0o775, 0, "others than root"},
		"everybody's":       {0o757, 0, "others than root"},
		"a folder like tmp": {0o777 | fs.ModeDir | fs.ModeSticky, 0, "others than root"},
	} {
		err := rootsAlone("/m.so", row.mode, row.uid)
		if (err == nil) != (row.want == "") || err != nil && !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: %v, want %q", name, err, row.want)
		}
	}
}

// A copy of the real library in a folder for everybody is not loaded, nor is it
// through a link from there.
func TestModuleInTheWrongPlace(t *testing.T) {
	if err := checkModule(softHSM); err != nil {
		t.Fatalf("the library of the Debian package softhsm2: %v", err)
	}
	text, err := os.ReadFile(softHSM)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	library, link := filepath.Join(dir, "m.so"), filepath.Join(dir, "link.so")
	helpertest.WriteFile(t, library, string(text), 0o755)
	if err := os.Symlink(softHSM, link); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{library, link} {
		if err := checkModule(path); err == nil {
			t.Errorf("%s would be loaded", filepath.Base(path))
		}
	}
}
