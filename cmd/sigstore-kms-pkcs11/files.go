package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

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
