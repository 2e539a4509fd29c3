package site

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// WriteFile replaces path by a file with that content and exactly those
// permissions. After an error, or a power cut, path is what it was or complete.
func WriteFile(path string, data []byte, perm fs.FileMode) error {
	f, err := NewFile(path, perm)
	if err != nil {
		return err
	}
	defer f.Abort()
	if _, err := f.Write(data); err != nil {
		return err
	}
	return f.Commit()
}

// A File is one that is being written under a temporary name. Nothing is to be
// seen at its path before Commit. Whoever holds one must Commit or Abort it;
// Abort after Commit does nothing, so it can be deferred.
type File struct {
	f    *os.File // nil when committed or aborted
	path string
	err  error // the first failed Write
}

// NewFile begins to write the file that is to stand at path, with exactly those
// permissions. The folder must exist.
func NewFile(path string, perm fs.FileMode) (*File, error) {
	f, err := claim(path, "tmp", func(temp string) (*os.File, error) {
		return os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	})
	if err != nil {
		return nil, err
	}
	file := &File{f: f, path: path}
	if err := f.Chmod(perm); err != nil {
		file.Abort()
		return nil, err
	}
	return file, nil
}

// Write appends to the file. Once it has failed, Commit fails too.
func (f *File) Write(p []byte) (int, error) {
	if f.f == nil {
		return 0, fmt.Errorf("write %s: %w", f.path, fs.ErrClosed)
	}
	n, err := f.f.Write(p)
	if err != nil && f.err == nil {
		f.err = err
	}
	return n, err
}

// Same reports whether a file with that very content, owner's group and permissions
// stands at the path already, so that a Commit would change nothing.
func (f *File) Same() bool {
	if f.f == nil || f.err != nil {
		return false
	}
	now, err := os.Stat(f.f.Name())
	if err != nil {
		return false
	}
	have, err := os.Lstat(f.path)
	if err != nil || have.Mode() != now.Mode() || have.Size() != now.Size() || groupOf(have) != groupOf(now) {
		return false
	}
	a, errA := os.ReadFile(f.f.Name())
	b, errB := os.ReadFile(f.path)
	return errA == nil && errB == nil && bytes.Equal(a, b)
}

func groupOf(info fs.FileInfo) uint32 { return info.Sys().(*syscall.Stat_t).Gid }

// Commit puts the file at its path. When it fails, what was there still is.
func (f *File) Commit() error { return f.commit(os.Rename) }

func (f *File) commit(publish func(temp, final string) error) error {
	if f.f == nil {
		return fmt.Errorf("commit %s: %w", f.path, fs.ErrClosed)
	}
	defer f.Abort()
	if f.err != nil {
		return f.err
	}
	if err := f.f.Sync(); err != nil {
		return err
	}
	if err := publish(f.f.Name(), f.path); err != nil {
		return err
	}
	err := f.f.Close()
	f.f = nil
	return errors.Join(err, syncDir(filepath.Dir(f.path)))
}

// Abort gives the file up, unless it is committed.
func (f *File) Abort() {
	if f.f == nil {
		return
	}
	os.Remove(f.f.Name())
	f.f.Close()
	f.f = nil
}

// maxWriters bounds how many may write to one name at a time.
const maxWriters = 32

// claim creates a temporary name beside path and locks it for as long as the
// returned file is open. What carries no lock was left by a run that died, and
// is removed first. The folder is locked meanwhile, so that nobody takes a name
// that is just being created for an abandoned one.
func claim(path, kind string, create func(temp string) (*os.File, error)) (*os.File, error) {
	dir, base := filepath.Dir(path), filepath.Base(path)
	unlock, err := lockDir(dir)
	if err != nil {
		return nil, err
	}
	defer unlock()
	for i := range maxWriters {
		temp := filepath.Join(dir, fmt.Sprintf(".%s.%s%d", base, kind, i))
		removeAbandoned(temp)
		f, err := create(temp)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if err := flock(f, unix.LOCK_EX|unix.LOCK_NB); err != nil {
			f.Close()
			return nil, errors.Join(err, os.RemoveAll(temp))
		}
		return f, nil
	}
	return nil, fmt.Errorf("%s: %d others are writing it", path, maxWriters)
}

// removeAbandoned removes a temporary file or folder that nobody has locked.
// One that cannot be looked at stays; the next number is tried then.
func removeAbandoned(temp string) {
	f, err := os.OpenFile(temp, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return
	}
	defer f.Close()
	if flock(f, unix.LOCK_EX|unix.LOCK_NB) == nil {
		os.RemoveAll(temp)
	}
}

// lockDir locks a folder against other calls of lockDir, here and in other
// processes, until unlock is called.
func lockDir(dir string) (unlock func(), err error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := flock(f, unix.LOCK_EX); err != nil {
		f.Close()
		return nil, err
	}
	return func() { f.Close() }, nil
}

func flock(f *os.File, how int) error {
	for {
		err := unix.Flock(int(f.Fd()), how)
		if err == nil {
			return nil
		}
		if !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("lock %s: %w", f.Name(), err)
		}
	}
}

// syncDir makes what was created, renamed and removed in dir last.
func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}
