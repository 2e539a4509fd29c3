package bundle

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sync/errgroup"
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
	var p placing
	return p.finish(p.add(path, data, perm))
}

// A placing is files that are being placed together: the disk is waited for once,
// not for one after the other.
type placing struct {
	files []*os.File // under temporary names
	paths []string   // where they belong
}

func (p *placing) add(path string, data []byte, perm fs.FileMode) error {
	step("create")
	f, err := os.CreateTemp(filepath.Dir(path), tempPrefix+"*")
	if err != nil {
		return err
	}
	p.files, p.paths = append(p.files, f), append(p.paths, path)
	step("write")
	if _, err := f.Write(data); err != nil {
		return err
	}
	return f.Chmod(perm)
}

// finish gives the files their names when all of them are on the disk, or, where
// something has failed, removes them.
func (p *placing) finish(failed error) error {
	if failed == nil {
		failed = p.sync()
	}
	for i, f := range p.files {
		if failed == nil {
			step("rename " + filepath.Base(p.paths[i]))
			failed = os.Rename(f.Name(), p.paths[i])
		}
		if failed != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}
	return failed
}

// sync waits for the disk, and closes the files.
func (p *placing) sync() error {
	if len(p.files) == 0 {
		return nil
	}
	var group errgroup.Group
	step("sync")
	for _, f := range p.files {
		group.Go(func() error { return errors.Join(f.Sync(), f.Close()) })
	}
	return group.Wait()
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
