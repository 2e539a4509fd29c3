package bundle

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// tempPrefix begins the names of files that are not finished yet. No reader
// looks at them, and the next Store removes what a killed one left.
const tempPrefix = ".tmp-"

// step is called before each act that changes the disk, with its name. Tests
// let the process die there and watch the order.
var step = func(act string) {}

// place puts data at path, whole or not at all: a temporary name, write, sync,
// rename. It is durable once the folder has been synced too.
func place(path string, data []byte, perm fs.FileMode) error {
	step("create")
	f, err := os.CreateTemp(filepath.Dir(path), tempPrefix+"*")
	if err != nil {
		return err
	}
	if err := errors.Join(fill(f, data, perm), f.Close()); err != nil {
		os.Remove(f.Name())
		return err
	}
	step("rename " + filepath.Base(path))
	if err := os.Rename(f.Name(), path); err != nil {
		os.Remove(f.Name())
		return err
	}
	return nil
}

func fill(f *os.File, data []byte, perm fs.FileMode) error {
	step("write")
	if _, err := f.Write(data); err != nil {
		return err
	}
	if err := f.Chmod(perm); err != nil {
		return err
	}
	step("sync")
	return f.Sync()
}

// syncDir makes the names in dir survive a power cut.
func syncDir(dir string) error {
	step("sync folder " + filepath.Base(dir))
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// sweep removes the unfinished files in dirs. The caller holds the lock, so
// whoever began them is dead.
func sweep(dirs ...string) error {
	for _, dir := range dirs {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if !strings.HasPrefix(e.Name(), tempPrefix) {
				continue
			}
			if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}
