package site

import (
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
