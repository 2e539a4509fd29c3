package site

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// Lock waits until nobody else, here or in another process, holds the lock of
// that name, and holds it until unlock is called. It is for work that reads the
// truth and writes a rendering of it: of two at once, the one that read first
// must not write last. A holder that dies lets go.
func (s *Site) Lock(name string) (unlock func(), err error) {
	f, err := os.OpenFile(s.Path("."+name+".lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := flock(f, unix.LOCK_EX); err != nil {
		f.Close()
		return nil, err
	}
	return func() { f.Close() }, nil
}

// ErrLocked says that somebody else holds a lock.
var ErrLocked = errors.New("somebody else is at work here")

// TryLockFile locks the file at path, which it makes when there is none, without
// waiting: when somebody holds the lock the error is ErrLocked. The lock is held
// until the file is closed, even when its name is removed before.
func TryLockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	err = flock(f, unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = ErrLocked
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}
