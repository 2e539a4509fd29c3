package site

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestDraft puts a site together, and shows nothing of it before it is whole.
func TestDraft(t *testing.T) {
	for _, there := range []bool{false, true} {
		parent := t.TempDir()
		dir := filepath.Join(parent, "site")
		if there {
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		d := draft(t, dir)
		if entries, err := os.ReadDir(dir); len(entries) > 0 || (err == nil) != there {
			t.Errorf("before the moment: %v, %v", entries, err)
		}
		if err := d.Commit(); err != nil {
			t.Fatal(err)
		}
		d.Abort()
		for name, mode := range map[string]os.FileMode{
			".": 0o750, "keys": 0o700, "certs": 0o750, "boards": 0o700, "radius": 0o750, "sitedocs": 0o755,
			"keys/a.pem": 0o600, "certs/a.pem": 0o644, "sitedocs/1.cose": 0o644, SettingsFile: 0o640,
		} {
			if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != mode {
				t.Errorf("%s: %v, %v, want %v", name, info.Mode(), err, mode)
			}
		}
		if left, err := os.ReadDir(parent); err != nil || len(left) != 1 {
			t.Errorf("left behind: %v, %v", left, err)
		}
	}
}

func draft(t *testing.T, dir string) *Draft {
	t.Helper()
	d, err := NewDraft(dir)
	if err != nil {
		t.Fatal(err)
	}
	for name, mode := range map[string]os.FileMode{"keys/a.pem": 0o600, "certs/a.pem": 0o644, "sitedocs/1.cose": 0o644} {
		f, err := d.Create(name, mode)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := d.Create(name, mode); err == nil {
			t.Errorf("%s twice: no error", name)
		}
	}
	for _, name := range []string{"../x", "/x", "a/../../x", "", "."} {
		if _, err := d.Create(name, 0o600); err == nil {
			t.Errorf("%q: no error", name)
		}
	}
	if err := WriteFile(filepath.Join(d.Path(), SettingsFile), nil, 0o640); err != nil {
		t.Fatal(err)
	}
	return d
}

// TestDraftTakesNothingAway finds something where the site is to stand, before and
// after.
func TestDraftTakesNothingAway(t *testing.T) {
	parent := t.TempDir()
	dir := filepath.Join(parent, "site")
	d := draft(t, dir)
	file := filepath.Join(dir, "somebody's")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := d.Commit(); err == nil {
		t.Error("committed onto a folder that is not empty")
	}
	if _, err := NewDraft(dir); err == nil || !strings.Contains(err.Error(), "not an empty folder") {
		t.Error(err)
	}
	if _, err := os.Stat(file); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(parent); err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
