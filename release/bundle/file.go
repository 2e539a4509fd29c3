package bundle

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// A Stamp tells one state of a file from another without reading it: compare
// with ==. Every writer here replaces files by rename, which changes the inode;
// a write in place changes the change time, which, unlike the modification
// time, no one can set back.
type Stamp struct {
	device, inode     uint64
	size              int64
	modified, changed unix.Timespec
}

// stampOf returns the Stamp of f, which must be a regular file.
func stampOf(f *os.File) (Stamp, error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return Stamp{}, fmt.Errorf("stat %s: %w", f.Name(), err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return Stamp{}, fmt.Errorf("%s: not a regular file", f.Name())
	}
	return Stamp{uint64(st.Dev), st.Ino, st.Size, st.Mtim, st.Ctim}, nil
}

// openRegular opens a file that must be a regular one: no link that leads
// elsewhere, no pipe that blocks.
func openRegular(path string) (*os.File, Stamp, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, Stamp{}, err
	}
	s, err := stampOf(f)
	if err != nil {
		f.Close()
		return nil, Stamp{}, err
	}
	return f, s, nil
}

// readRegular reads a regular file of at most limit bytes.
func readRegular(path string, limit int64) ([]byte, error) {
	f, s, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if s.size > limit {
		return nil, fmt.Errorf("%s: %d bytes, want at most %d", path, s.size, limit)
	}
	// The size was a claim: a file that grows meanwhile is cut off.
	return io.ReadAll(io.LimitReader(f, limit))
}
