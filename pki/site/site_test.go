package site

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	syscall.Umask(0o022)
	os.Exit(m.Run())
}

// tree lists everything in dir: path, mode, size.
func tree(t *testing.T, dir string) (list []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		list = append(list, fmt.Sprintf("%v %s", info.Mode(), name))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestCreate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "site")
	for range 2 { // the first run is killed before Commit
		s, err := Create(dir, campus())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir); !errors.Is(err, ErrNoSite) {
			t.Fatalf("a site before Commit: %v", err)
		}
		if err := WriteFile(s.Path("keys", "app.pem"), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, _ := Create(dir, campus())
	if err := s.Commit(); err != nil {
		t.Fatal(err)
	}
	want := []string{"drwxr-x--- .", "drwx------ boards", "drwxr-x--- certs", "drwx------ keys", "-rw------- keys/app.pem",
		"drwxr-x--- radius", "drwxr-x--- releases", "-rw-r----- tcpboot.yaml"}
	if got := tree(t, dir); !slices.Equal(got, want) {
		t.Errorf("made\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	got, err := Open(dir)
	if err != nil || !reflect.DeepEqual(got, s) {
		t.Errorf("opened %+v, %v\nwant %+v", got, err, s)
	}
}

func TestCreateRefuses(t *testing.T) {
	dir := t.TempDir()
	s, err := Create(dir, small())
	if err != nil {
		t.Fatal(err)
	}
	slower, err := Create(dir, campus())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(s.Path("radius")); err != nil {
		t.Fatal(err)
	}
	was := tree(t, dir)
	if _, err := Create(dir, campus()); !errors.Is(err, ErrExists) {
		t.Errorf("Create over a site: %v", err)
	}
	if err := slower.Commit(); !errors.Is(err, ErrExists) {
		t.Errorf("Commit over a site: %v", err)
	}
	if got := tree(t, dir); !slices.Equal(got, was) {
		t.Errorf("changed to %v from %v", got, was)
	}
	if got, err := Open(dir); err != nil || got.Settings.Name != "site" {
		t.Errorf("%+v, %v", got, err)
	}
}

// A folder that others can write to is left as it is.
func TestCreateRefusesOthersFolder(t *testing.T) {
	for _, mode := range []fs.FileMode{0o770, 0o777} {
		dir := t.TempDir()
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := Create(dir, small()); err == nil {
			t.Errorf("mode %o: taken", mode)
		}
		onlyIn(t, dir)
	}
}

func TestCreateRefusesSettings(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "site")
	if _, err := Create(dir, Defaults()); err == nil || err.Error() != "ssid: empty" {
		t.Errorf("without an SSID: %v", err)
	}
	if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("left %s behind: %v", dir, err)
	}
}

func TestFind(t *testing.T) {
	dir := t.TempDir()
	s, err := Create(dir, small())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Commit(); err != nil {
		t.Fatal(err)
	}
	deep := s.Path("boards", "10", "x")
	if err := os.MkdirAll(deep, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, start := range []string{deep, dir} {
		if got, err := Find(start); err != nil || got != dir {
			t.Errorf("Find(%s) = %s, %v; want %s", start, got, err, dir)
		}
	}
	if got, err := Find(t.TempDir()); !errors.Is(err, ErrNoSite) {
		t.Errorf("found %s, %v", got, err)
	}
}

func TestOpenRefuses(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   func(dir string) error
		want string
	}{
		{"group can write to the folder", chmod(".", 0o770), "/.: mode drwxrwx---: its group can write to it"},
		{"everybody can write to the folder", chmod(".", 0o757), "/.: mode drwxr-xrwx: everybody can write to it"},
		{"group can write to the settings", chmod(SettingsFile, 0o660), "/tcpboot.yaml: mode -rw-rw----: its group can write to it"},
		{"everybody can write to the settings", chmod(SettingsFile, 0o646), "/tcpboot.yaml: mode -rw-r--rw-: everybody can write to it"},
		{"group can write to certs", chmod("certs", 0o770), "/certs: mode drwxrwx---: its group can write to it"},
		{"everybody can write to keys, sticky", chmod("keys", 0o777|fs.ModeSticky), "/keys: mode dtrwxrwxrwx: its group can write to it"},
		{"settings are a folder", func(dir string) error {
			return errors.Join(os.Remove(filepath.Join(dir, SettingsFile)), os.Mkdir(filepath.Join(dir, SettingsFile), 0o700))
		}, "/tcpboot.yaml: mode drwx------: not a regular file"},
		{"settings are a link to what everybody can write to", func(dir string) error {
			file := filepath.Join(dir, SettingsFile)
			return errors.Join(os.Rename(file, file+".1"), chmod(SettingsFile+".1", 0o666)(dir), os.Symlink(file+".1", file))
		}, "/tcpboot.yaml: mode -rw-rw-rw-: its group can write to it"},
		{"keys is a file", func(dir string) error {
			return errors.Join(os.Remove(filepath.Join(dir, "keys")), os.WriteFile(filepath.Join(dir, "keys"), nil, 0o600))
		}, "/keys: mode -rw-------: not a folder"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			s, err := Create(dir, small())
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Commit(); err != nil {
				t.Fatal(err)
			}
			if _, err := Open(dir); err != nil {
				t.Fatal(err)
			}
			if err := tt.do(dir); err != nil {
				t.Fatal(err)
			}
			want := dir + strings.TrimPrefix(tt.want, "/.")
			if _, err := Open(dir); err == nil || err.Error() != want {
				t.Errorf("got  %v\nwant %s", err, want)
			}
		})
	}
}

func chmod(name string, perm fs.FileMode) func(string) error {
	return func(dir string) error { return os.Chmod(filepath.Join(dir, name), perm) }
}

// fakeInfo is a file that belongs to somebody.
type fakeInfo struct {
	mode fs.FileMode
	sys  any
}

func (i fakeInfo) Name() string       { return "" }
func (i fakeInfo) Size() int64        { return 0 }
func (i fakeInfo) Mode() fs.FileMode  { return i.mode }
func (i fakeInfo) ModTime() time.Time { return time.Time{} }
func (i fakeInfo) IsDir() bool        { return i.mode.IsDir() }
func (i fakeInfo) Sys() any           { return i.sys }

func TestCheckOwner(t *testing.T) {
	for _, tt := range []struct {
		name string
		mode fs.FileMode
		sys  any
		me   int
		want string
	}{
		{"mine", 0o640, &syscall.Stat_t{Uid: 1000}, 1000, ""},
		{"root's", 0o640, &syscall.Stat_t{Uid: 0}, 1000, ""},
		{"root's, for root", 0o640, &syscall.Stat_t{Uid: 0}, 0, ""},
		{"another's", 0o640, &syscall.Stat_t{Uid: 1001}, 1000, "f: mode -rw-r-----: owned by uid 1001, neither by uid 1000 nor by root"},
		{"a user's, for root", 0o640, &syscall.Stat_t{Uid: 1001}, 0, "f: mode -rw-r-----: owned by uid 1001, neither by uid 0 nor by root"},
		{"root's, group can write", 0o664, &syscall.Stat_t{}, 1000, "f: mode -rw-rw-r--: its group can write to it"},
		{"unknown", 0o600, nil, 0, "f: mode -rw-------: its owner cannot be told"},
	} {
		got := ""
		if err := checkOwner("f", fakeInfo{tt.mode, tt.sys}, tt.me); err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestSiteAddHardware(t *testing.T) {
	dir := t.TempDir()
	s, err := Create(dir, small())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Commit(); err != nil {
		t.Fatal(err)
	}
	other, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.AddHardware(map[string]Hardware{"s3": DefaultHardware("esp32s3")}); err != nil {
		t.Fatal(err)
	}
	if got, err := Open(dir); err != nil || !reflect.DeepEqual(got, s) || len(got.Settings.Hardware) != 2 {
		t.Errorf("opened %+v, %v; want %+v", got, err, s)
	}
	if err := s.AddHardware(map[string]Hardware{"c 3": DefaultHardware("esp32c3")}); err == nil {
		t.Error("took a name with a blank")
	}
	if err := other.AddHardware(map[string]Hardware{"c3": DefaultHardware("esp32c3")}); err == nil || !strings.HasSuffix(err.Error(), "it has changed meanwhile") {
		t.Errorf("over somebody's change: %v", err)
	}
}
