package site

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// checkFolders refuses a site in which somebody other than uid and root could
// put a key, a root certificate or a delivery. A folder that is not there is
// nobody's.
func checkFolders(dir string, uid int) error {
	for _, f := range folders {
		path := filepath.Join(dir, f.name)
		info, err := os.Stat(path)
		switch {
		case !f.own || errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return err
		case !info.IsDir():
			return fmt.Errorf("%s: mode %v: not a folder", path, info.Mode())
		}
		if err := checkOwner(path, info, uid); err != nil {
			return err
		}
	}
	return nil
}

// checkOwner says why uid cannot trust what path holds.
func checkOwner(path string, info fs.FileInfo, uid int) error {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return fmt.Errorf("%s: mode %v: its owner cannot be told", path, info.Mode())
	}
	switch {
	case stat.Uid != 0 && int(stat.Uid) != uid:
		return fmt.Errorf("%s: mode %v: owned by uid %d, neither by uid %d nor by root", path, info.Mode(), stat.Uid, uid)
	case info.Mode().Perm()&0o020 != 0:
		return &OpenError{path, info.Mode(), "its group"}
	case info.Mode().Perm()&0o002 != 0:
		return &OpenError{path, info.Mode(), "everybody"}
	}
	return nil
}

// An OpenError says that more people than its owner can write to what Path holds.
type OpenError struct {
	Path string
	mode fs.FileMode
	who  string
}

func (e *OpenError) Error() string {
	return fmt.Sprintf("%s: mode %v: %s can write to it", e.Path, e.mode, e.who)
}

// Writable refuses a site on a disk that is mounted read-only, where each part of a
// change would fail by itself.
func (s *Site) Writable() error {
	if err := unix.Access(s.Dir, unix.W_OK); errors.Is(err, unix.EROFS) {
		return &fs.PathError{Op: "change", Path: s.Dir, Err: err}
	}
	return nil
}
