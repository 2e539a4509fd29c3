package helper

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

const maxPIN = 256 // bytes

// A PIN is an open file that holds a PIN. While it is open, other processes
// wait that open the same.
type PIN struct {
	*os.File
	Text string
}

// OpenPIN opens and reads the file that holds a PIN, on one line. Its owner must
// be alone in reading it. An error tells nothing of what is in it.
func OpenPIN(path string) (*PIN, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0) // a pipe would keep us waiting
	if err != nil {
		return nil, fmt.Errorf("pin-source: %w", err)
	}
	pin, err := lockAndRead(f)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("pin-source: %s: %w", path, err)
	}
	return &PIN{f, pin}, nil
}

func lockAndRead(f *os.File) (pin string, err error) {
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
	text, err := io.ReadAll(io.LimitReader(f, maxPIN+3))
	if err != nil {
		return "", err
	}
	return parsePIN(text)
}

func parsePIN(text []byte) (string, error) {
	pin := bytes.TrimSuffix(bytes.TrimSuffix(text, []byte("\n")), []byte("\r"))
	switch {
	case len(pin) == 0:
		return "", errors.New("empty")
	case len(pin) > maxPIN:
		return "", fmt.Errorf("longer than %d bytes", maxPIN)
	case bytes.ContainsAny(pin, "\r\n\x00"):
		return "", errors.New("more than one line")
	}
	return string(pin), nil
}
