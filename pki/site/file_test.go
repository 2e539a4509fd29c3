package site

import (
	"bufio"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// onlyIn fails unless dir holds those names and nothing else, no leftovers.
func onlyIn(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s holds %q, want %q", dir, got, want)
	}
}

func TestWriteFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	for _, tt := range []struct {
		data string
		perm fs.FileMode
	}{{"one", 0o666}, {"", 0o600}, {"three", 0o640}} {
		if err := WriteFile(path, []byte(tt.data), tt.perm); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil || info.Mode() != tt.perm || read(t, path) != tt.data {
			t.Errorf("%v, %v: %q; want %v, %q", info.Mode(), err, read(t, path), tt.perm, tt.data)
		}
	}
	onlyIn(t, dir, "f")
}

func TestWriteFileFails(t *testing.T) {
	dir := t.TempDir()
	if err := WriteFile(filepath.Join(dir, "no", "f"), nil, 0o600); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("into no folder: %v", err)
	}
	path := filepath.Join(dir, "d")
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(path, nil, 0o600); err == nil {
		t.Error("over a folder: no error")
	}
	onlyIn(t, dir, "d")
}

func TestNewFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	if err := WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := NewFile(path, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(f, "new, ")
	if got := read(t, path); got != "old" {
		t.Errorf("before Commit: %q", got)
	}
	f.Abort()
	onlyIn(t, dir, "f")
	if err := f.Commit(); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("Commit after Abort: %v", err)
	}
	if _, err := f.Write(nil); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("Write after Abort: %v", err)
	}
	if f, err = NewFile(path, 0o644); err != nil {
		t.Fatal(err)
	}
	defer f.Abort()
	io.WriteString(f, "new, ")
	io.WriteString(f, "whole")
	if err := f.Commit(); err != nil {
		t.Fatal(err)
	}
	f.Abort()
	if got := read(t, path); got != "new, whole" {
		t.Errorf("after Commit: %q", got)
	}
	onlyIn(t, dir, "f")
}

// A failed Write must not be published, even by a caller who overlooks it.
func TestCommitAfterFailedWrite(t *testing.T) {
	dir := t.TempDir()
	f, err := NewFile(filepath.Join(dir, "f"), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	temp := f.f.Name()
	f.f.Close() // so that writing fails
	io.WriteString(f, "half")
	if err := f.Commit(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Commit: %v", err)
	}
	if _, err := os.Lstat(temp); err == nil {
		t.Error("the temporary file is still there")
	}
	onlyIn(t, dir)
}

func TestWritersSideBySide(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	var wg sync.WaitGroup
	for _, c := range "abcdefgh" {
		wg.Go(func() {
			if err := WriteFile(path, []byte(strings.Repeat(string(c), 1000)), 0o600); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := read(t, path); len(got) != 1000 || strings.Trim(got, got[:1]) != "" {
		t.Errorf("mixed: %q", got)
	}
	onlyIn(t, dir, "f")
}

// What a killed process leaves is removed by the next write to the same name; a
// temporary name that somebody planted is neither followed nor fatal.
func TestLeftovers(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	kill(t, "file", path)
	onlyIn(t, dir, ".f.tmp0")
	if err := WriteFile(path, []byte("new"), 0o600); err != nil {
		t.Fatal(err)
	}
	onlyIn(t, dir, "f")

	if err := os.Symlink(path, filepath.Join(dir, ".f.tmp0")); err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(path, []byte("newer"), 0o600); err != nil {
		t.Fatal(err)
	}
	onlyIn(t, dir, ".f.tmp0", "f")
	if got := read(t, path); got != "newer" {
		t.Errorf("%q", got)
	}
}

// A temporary file whose writer lives is not taken for a leftover.
func TestLiveWriterKeepsItsFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	slow, err := NewFile(path, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Abort()
	if err := WriteFile(path, []byte("quick"), 0o600); err != nil {
		t.Fatal(err)
	}
	io.WriteString(slow, "slow")
	if err := slow.Commit(); err != nil {
		t.Fatal(err)
	}
	if got := read(t, path); got != "slow" {
		t.Errorf("%q", got)
	}
	onlyIn(t, dir, "f")
}

// kill runs a process that begins to write path and is killed half-way.
func kill(t *testing.T, what, path string) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestChild$")
	cmd.Env = append(os.Environ(), "SITE_TEST_CHILD="+what, "SITE_TEST_PATH="+path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "half-way\n" {
		t.Errorf("the child said %q, %v", line, err)
	}
	cmd.Process.Kill()
	cmd.Wait()
}

// TestChild is what kill starts; in a run of its own it has nothing to do.
func TestChild(t *testing.T) {
	what, path := os.Getenv("SITE_TEST_CHILD"), os.Getenv("SITE_TEST_PATH")
	halfway := func() {
		os.Stdout.WriteString("half-way\n")
		io.Copy(io.Discard, os.Stdin)
	}
	switch what {
	case "file":
		f, err := NewFile(path, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(f, "half")
		halfway()
	case "dir": // killed just before the folders change places
		writeDir(path, map[string][]byte{"a": []byte("half")}, 0o600, func(a, b string) error {
			halfway()
			return errors.New("survived")
		})
	case "aside": // killed while the old folder is aside
		writeDir(path, map[string][]byte{"a": []byte("half")}, 0o600, func(a, b string) error {
			if err := os.Rename(b, filepath.Join(filepath.Dir(b), "."+filepath.Base(b)+".old")); err != nil {
				return err
			}
			halfway()
			return errors.New("survived")
		})
	}
}

// A file is the same when everything about it is.
func TestSame(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if err := WriteFile(path, []byte("text"), 0o640); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name, path, text string
		perm             os.FileMode
		want             bool
	}{
		{"all of it", path, "text", 0o640, true},
		{"another text", path, "tixt", 0o640, false},
		{"more text", path, "text ", 0o640, false},
		{"another mode", path, "text", 0o600, false},
		{"no file yet", path + "2", "text", 0o640, false},
	} {
		f, err := NewFile(row.path, row.perm)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte(row.text)); err != nil {
			t.Fatal(err)
		}
		if got := f.Same(); got != row.want {
			t.Errorf("%s: %v", row.name, got)
		}
		f.Abort()
		if f.Same() {
			t.Errorf("%s: given up, and the same", row.name)
		}
	}
}
