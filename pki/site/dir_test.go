package site

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

func oldFiles() map[string][]byte { return map[string][]byte{"a": []byte("1"), "gone": nil} }

func newFiles() map[string][]byte {
	return map[string][]byte{"a": []byte("2"), "main/x/b": []byte("3")}
}

// holds tells whether dir holds exactly files.
func holds(t *testing.T, dir string, files map[string][]byte) {
	t.Helper()
	n := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		n++
		if want, ok := files[name]; !ok || read(t, path) != string(want) {
			t.Errorf("%s holds %q, want %q, %v", name, read(t, path), want, ok)
		}
		return nil
	})
	if err != nil || n != len(files) {
		t.Errorf("%s: %d files, %v; want %d", dir, n, err, len(files))
	}
}

func TestWriteDir(t *testing.T) {
	unsupported := func(a, b string) error { return errors.ErrUnsupported }
	for name, exchange := range map[string]func(a, b string) error{"exchange": exchange, "aside": unsupported} {
		t.Run(name, func(t *testing.T) {
			top := t.TempDir()
			dir := filepath.Join(top, "boards", "10", "m")
			for _, files := range []map[string][]byte{oldFiles(), newFiles(), {}, oldFiles()} {
				if err := writeDir(dir, files, 0o600, exchange); err != nil {
					t.Fatal(err)
				}
				holds(t, dir, files)
				onlyIn(t, filepath.Dir(dir), "m")
			}
		})
	}
}

func TestWriteDirPermissions(t *testing.T) {
	for perm, want := range map[fs.FileMode][]string{
		0o600: {"drwx------ d", "-rw------- d/a", "drwx------ d/main", "drwx------ d/main/x", "-rw------- d/main/x/b"},
		0o644: {"drwxr-xr-x d", "-rw-r--r-- d/a", "drwxr-xr-x d/main", "drwxr-xr-x d/main/x", "-rw-r--r-- d/main/x/b"},
		0o440: {"drwxr-x--- d", "-r--r----- d/a", "drwxr-x--- d/main", "drwxr-x--- d/main/x", "-r--r----- d/main/x/b"},
	} {
		dir := t.TempDir()
		for range 2 {
			if err := WriteDir(filepath.Join(dir, "d"), newFiles(), perm); err != nil {
				t.Fatal(err)
			}
		}
		if got := tree(t, dir)[1:]; !slices.Equal(got, want) {
			t.Errorf("%v: %q, want %q", perm, got, want)
		}
	}
}

func TestWriteDirFails(t *testing.T) {
	long := strings.Repeat("x", 300)
	for _, tt := range []struct {
		name  string
		files map[string][]byte
		want  string
	}{
		{"out of the folder", map[string][]byte{"../x": nil}, "does not stay inside"},
		{"absolute", map[string][]byte{"/x": nil}, "does not stay inside"},
		{"the folder itself", map[string][]byte{".": nil}, "does not stay inside"},
		{"not clean", map[string][]byte{"a//b": nil}, "does not stay inside"},
		{"name too long", map[string][]byte{"a": nil, long: nil}, "file name too long"},
		{"file and folder", map[string][]byte{"a": nil, "a/b": nil}, "not a directory"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "d")
			if err := WriteDir(dir, oldFiles(), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := WriteDir(dir, tt.files, 0o600); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %s", err, tt.want)
			}
			holds(t, dir, oldFiles())
			onlyIn(t, filepath.Dir(dir), "d")
		})
	}
}

func TestWriteDirOverOthers(t *testing.T) {
	top := t.TempDir()
	elsewhere := filepath.Join(top, "elsewhere")
	if err := WriteDir(elsewhere, oldFiles(), 0o600); err != nil {
		t.Fatal(err)
	}
	link, file := filepath.Join(top, "link"), filepath.Join(top, "file")
	if err := errors.Join(os.Symlink(elsewhere, link), os.WriteFile(file, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{link, file} {
		if err := WriteDir(path, newFiles(), 0o600); err == nil || !strings.Contains(err.Error(), "not a folder") {
			t.Errorf("over %s: %v", path, err)
		}
	}
	holds(t, elsewhere, oldFiles())
	onlyIn(t, top, "elsewhere", "file", "link")
}

// Of many who replace one folder at once, directly or over a staged one, none
// takes from another what that one is just writing.
func TestWriteDirAtOnce(t *testing.T) {
	top := t.TempDir()
	dir, next := filepath.Join(top, "d"), filepath.Join(top, "d.next")
	var all sync.WaitGroup
	for i := range 8 {
		path := []string{dir, next}[i%2]
		all.Go(func() {
			for range 30 {
				if err := WriteDir(path, newFiles(), 0o600); err != nil {
					t.Errorf("write %s: %v", path, err)
				}
				if path != next {
					continue
				}
				if err := ReplaceDir(next, dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("replace: %v", err)
				}
			}
		})
	}
	all.Wait()
	holds(t, dir, newFiles())
	onlyIn(t, top, "d")
}

// After a run was killed the old folder is there or set aside whole, and the
// next run leaves nothing of the dead one.
func TestWriteDirKilled(t *testing.T) {
	for what, left := range map[string]string{"dir": "d", "aside": ".d.old"} {
		t.Run(what, func(t *testing.T) {
			top := t.TempDir()
			dir := filepath.Join(top, "d")
			if err := WriteDir(dir, oldFiles(), 0o600); err != nil {
				t.Fatal(err)
			}
			kill(t, what, dir)
			holds(t, filepath.Join(top, left), oldFiles())
			if err := WriteDir(dir, newFiles(), 0o600); err != nil {
				t.Fatal(err)
			}
			holds(t, dir, newFiles())
			onlyIn(t, top, "d")
		})
	}
}

func TestWriteDirs(t *testing.T) {
	top := t.TempDir()
	for _, files := range []map[string][]byte{oldFiles(), newFiles()} {
		dirs := make(map[string]map[string][]byte)
		for i := range 500 {
			dirs[filepath.Join(strconv.Itoa(i%7), strconv.Itoa(i))] = files
		}
		if err := WriteDirs(top, dirs, 0o600); err != nil {
			t.Fatal(err)
		}
		for dir := range dirs {
			holds(t, filepath.Join(top, dir), files)
		}
	}
	entries, err := filepath.Glob(filepath.Join(top, "*", ".*"))
	if err != nil || len(entries) > 0 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

// One folder that cannot be written must not leave others half-written.
func TestWriteDirsFails(t *testing.T) {
	top := t.TempDir()
	a, b := filepath.Join(top, "a"), filepath.Join(top, "b")
	if err := WriteDirs(top, map[string]map[string][]byte{"a": oldFiles(), "b": oldFiles()}, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := WriteDirs(top, map[string]map[string][]byte{"a": newFiles(), "b": {"../x": nil}}, 0o600); err == nil {
		t.Error("no error")
	}
	holds(t, a, oldFiles())
	holds(t, b, oldFiles())
	onlyIn(t, top, "a", "b")
}

func TestReplaceDir(t *testing.T) {
	top := t.TempDir()
	next, dir := filepath.Join(top, "d.next"), filepath.Join(top, "d")
	for _, files := range []map[string][]byte{oldFiles(), newFiles()} { // none yet, one there
		if err := WriteDir(next, files, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := ReplaceDir(next, dir); err != nil {
			t.Fatal(err)
		}
		holds(t, dir, files)
		onlyIn(t, top, "d")
	}
	if err := ReplaceDir(next, dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("with nothing staged: %v", err)
	}
	if err := ReplaceDir(filepath.Join(top, "x", "d"), dir); err == nil {
		t.Error("from elsewhere: no error")
	}
	holds(t, dir, newFiles())
}

func BenchmarkWriteDirs(b *testing.B) {
	top := b.TempDir()
	for b.Loop() {
		dirs := make(map[string]map[string][]byte)
		for i := range 1000 {
			dirs[filepath.Join(strconv.Itoa(i%256), strconv.Itoa(i))] = newFiles()
		}
		if err := WriteDirs(top, dirs, 0o600); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(1000*b.N)/b.Elapsed().Seconds(), "folders/s")
}

func TestRecoverAside(t *testing.T) {
	top := t.TempDir()
	dir, aside := filepath.Join(top, "d"), filepath.Join(top, ".d.old")
	if err := WriteDir(aside, oldFiles(), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := recoverAside(aside, dir); err != nil {
		t.Fatal(err)
	}
	holds(t, dir, oldFiles())
	if err := WriteDir(aside, newFiles(), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := recoverAside(aside, dir); err != nil {
		t.Fatal(err)
	}
	holds(t, dir, oldFiles())
	onlyIn(t, top, "d")
}
