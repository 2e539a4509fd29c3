package helper

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// A Secret is an open file that holds one, a PIN for instance. While it is open,
// other processes wait that open the same.
type Secret struct {
	*os.File
	Text string
}

// OpenSecret opens and reads a file that holds a secret of at most max bytes, on
// one line. Its owner must be alone in reading it. An error tells nothing of what
// is in it.
func OpenSecret(path string, max int) (*Secret, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0) // a pipe would keep us waiting
	if err != nil {
		return nil, err
	}
	text, err := lockAndRead(f, max)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &Secret{f, text}, nil
}

func lockAndRead(f *os.File, max int) (string, error) {
	info, err := f.Stat()
	switch {
	case err != nil:
		return "", err
	case !info.Mode().IsRegular():
		return "", errors.New("not a regular file")
	case info.Mode().Perm()&0o077 != 0:
		return "", fmt.Errorf("mode %04o: others can read it; want 0600", info.Mode().Perm())
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		return "", fmt.Errorf("waiting for its turn: %w", err)
	}
	text, err := io.ReadAll(io.LimitReader(f, int64(max)+3))
	if err != nil {
		return "", err
	}
	return oneLine(text, max)
}

func oneLine(text []byte, max int) (string, error) {
	line := bytes.TrimSuffix(bytes.TrimSuffix(text, []byte("\n")), []byte("\r"))
	switch {
	case len(line) == 0:
		return "", errors.New("empty")
	case len(line) > max:
		return "", fmt.Errorf("longer than %d bytes", max)
	case bytes.ContainsAny(line, "\r\n\x00"):
		return "", errors.New("more than one line")
	}
	return string(line), nil
}
