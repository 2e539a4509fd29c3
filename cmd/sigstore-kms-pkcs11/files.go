package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

const maxPIN = 256 // bytes

// checkModule refuses a library that somebody other than root could have put
// there. A library is code: whoever can replace it has the PIN and the key.
// Links are followed, and what they lead to is held to the same rule.
func checkModule(path string) error {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return fmt.Errorf("module-path: %w", err)
	}
	for _, p := range []string{path, real} {
		for at := p; ; at = filepath.Dir(at) {
			if err := checkRoots(at); err != nil {
				return fmt.Errorf("module-path: %w", err)
			}
			if at == filepath.Dir(at) {
				break
			}
		}
	}
	if info, err := os.Lstat(real); err != nil || !info.Mode().IsRegular() {
		return fmt.Errorf("module-path: %s: not a regular file", real)
	}
	return nil
}

// checkRoots says why path may not be root's alone. Of a link only the owner
// counts; its mode means nothing.
func checkRoots(path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return rootsAlone(path, info.Mode(), st.Uid)
}

func rootsAlone(path string, mode fs.FileMode, uid uint32) error {
	switch {
	case uid != 0:
		return fmt.Errorf("%s: owned by uid %d: want root", path, uid)
	case mode&fs.ModeSymlink == 0 && mode.Perm()&0o022 != 0:
		return fmt.Errorf("%s: mode %v: others than root can write to it", path, mode)
	}
	return nil
}

// A pinFile is an open file that holds a PIN. While it is open, other processes
// wait that open the same.
type pinFile struct {
	*os.File
	pin string
}

// openPIN opens and reads the file that holds a PIN, on one line. Its owner must
// be alone in reading it. An error tells nothing of what is in it.
func openPIN(path string) (*pinFile, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0) // a pipe would keep us waiting
	if err != nil {
		return nil, fmt.Errorf("pin-source: %w", err)
	}
	pin, err := lockAndRead(f)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("pin-source: %s: %w", path, err)
	}
	return &pinFile{f, pin}, nil
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
