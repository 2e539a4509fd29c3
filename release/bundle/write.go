package bundle

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/tcpboot/tcpboot/pki/fleet"
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
	f, err := begin(path, data, perm)
	if err != nil {
		return err
	}
	step("sync")
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		os.Remove(f.Name())
		return err
	}
	return rename(f.Name(), path)
}

// begin writes data under a temporary name beside path.
func begin(path string, data []byte, perm fs.FileMode) (*os.File, error) {
	step("create")
	f, err := os.CreateTemp(filepath.Dir(path), tempPrefix+"*")
	if err != nil {
		return nil, err
	}
	if err := fill(f, data, perm); err != nil {
		f.Close()
		os.Remove(f.Name())
		return nil, err
	}
	return f, nil
}

func rename(temporary, path string) error {
	step("rename " + filepath.Base(path))
	if err := os.Rename(temporary, path); err != nil {
		os.Remove(temporary)
		return err
	}
	return nil
}

func fill(f *os.File, data []byte, perm fs.FileMode) error {
	step("write")
	if _, err := f.Write(data); err != nil {
		return err
	}
	ahead(f)
	return f.Chmod(perm)
}

// A batch is blobs that have their names but may not be on the disk yet: a disk that
// is asked for all at once is done much sooner than one that is asked for each. Nobody
// looks for them before the index lists them, and that is after sync. A power cut
// before leaves at worst a blob whose bytes are not its digest's, which the next Store
// finds and replaces.
type batch struct {
	files []*os.File
	has   map[fleet.Digest]bool // blobs that were taken in
	err   error                 // of an early sync
}

// maxOpen bounds the files that a batch holds open.
const maxOpen = 64

// add takes in a file that has its name.
func (b *batch) add(f *os.File) {
	if b.files = append(b.files, f); len(b.files) == maxOpen {
		b.err = errors.Join(b.err, b.sync())
	}
}

// takes reports whether d is new to the batch, and notes it.
func (b *batch) takes(d fleet.Digest) bool {
	if b.has == nil {
		b.has = make(map[fleet.Digest]bool)
	}
	known := b.has[d]
	b.has[d] = true
	return !known
}

// sync makes last what was added, and the names in dirs. It closes the files.
func (b *batch) sync(dirs ...string) error {
	step("sync")
	files := b.files
	b.files = nil
	err := b.err
	for _, dir := range dirs {
		step("sync folder " + filepath.Base(dir))
		f, failed := os.Open(dir)
		if failed == nil {
			files = append(files, f)
		}
		err = errors.Join(err, failed)
	}
	errs := make([]error, len(files))
	var all sync.WaitGroup
	for i, f := range files {
		all.Go(func() { errs[i] = errors.Join(f.Sync(), f.Close()) })
	}
	all.Wait()
	return errors.Join(err, errors.Join(errs...))
}

// close gives up what was not synced.
func (b *batch) close() {
	for _, f := range b.files {
		f.Close()
	}
	b.files = nil
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
