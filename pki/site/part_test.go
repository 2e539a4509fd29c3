package site

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func TestPart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "image")
	open := func() *Part {
		t.Helper()
		p, err := OpenPart(path)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	p := open()
	if _, err := p.WriteAt([]byte("6789 and more"), 6); err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("before the end: %v, want nothing at the path", err)
	}
	p = open()
	defer p.Close()
	if b := make([]byte, 4); true {
		if _, err := p.ReadAt(b, 6); err != nil || string(b) != "6789" {
			t.Errorf("the next run reads %q, %v", b, err)
		}
	}
	if _, err := p.WriteAt([]byte("012345"), 0); err != nil {
		t.Fatal(err)
	}
	if err := p.Commit(10); err != nil {
		t.Fatal(err)
	}
	if got := read(t, path); got != "0123456789" {
		t.Errorf("got %q", got)
	}
	onlyIn(t, filepath.Dir(path), "image")
}

func TestPartIsNoFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "image")
	if err := os.Mkdir(path+".part", 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenPart(path); err == nil {
		t.Error("a folder was opened")
	}
}
