package site

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

// A Draft is a site that is being put together under a temporary name. Nothing is
// to be seen at its path before Commit. Whoever holds one must Commit or Abort it;
// Abort after Commit does nothing, so it can be deferred.
type Draft struct {
	stage *os.File // nil when committed or aborted
	path  string
}

// NewDraft begins a site that is to stand at path, where there must be nothing, or
// an empty folder.
func NewDraft(path string) (*Draft, error) {
	if err := wantEmpty(path); err != nil {
		return nil, err
	}
	if err := mkdir(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	stage, err := claimDir(path)
	if err != nil {
		return nil, err
	}
	d := &Draft{stage, path}
	if err := os.Mkdir(d.Path(), 0o750); err != nil {
		d.Abort()
		return nil, err
	}
	return d, nil
}

func wantEmpty(path string) error {
	entries, err := os.ReadDir(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case len(entries) > 0:
		return fmt.Errorf("%s: not an empty folder: %s is in it", path, entries[0].Name())
	}
	return nil
}

// Path is where the site lies until it is committed. It is not the folder that
// carries the lock, which the writers of this package would wait for.
func (d *Draft) Path() string { return filepath.Join(d.stage.Name(), "site") }

// Create makes a file, which is written once, and the folders that lead there,
// with x wherever the first file in them has r.
func (d *Draft) Create(name string, perm fs.FileMode) (*os.File, error) {
	if err := checkPaths(d.path, name); err != nil {
		return nil, err
	}
	file := filepath.Join(d.Path(), name)
	if err := os.MkdirAll(filepath.Dir(file), 0o700|perm|perm&0o444>>2); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	return f, f.Chmod(perm)
}

// Commit gives a site's own folders the permissions that they have by Create,
// makes everything last, and puts the folder at its path: here it becomes true.
// When it fails there is nothing at the path, or what there was.
func (d *Draft) Commit() error {
	defer d.Abort()
	if err := d.finish(); err != nil {
		return err
	}
	if err := unix.Rename(d.Path(), d.path); err != nil { // os.Rename takes no empty folder for its target
		return &os.LinkError{Op: "rename", Old: d.Path(), New: d.path, Err: err}
	}
	return syncDir(filepath.Dir(d.path))
}

func (d *Draft) finish() error {
	for _, f := range folders {
		if err := mkdir(filepath.Join(d.Path(), f.name), f.perm); err != nil {
			return err
		}
		if err := os.Chmod(filepath.Join(d.Path(), f.name), f.perm); err != nil {
			return err
		}
	}
	var all []string
	err := filepath.WalkDir(d.Path(), func(path string, _ fs.DirEntry, err error) error {
		all = append(all, path)
		return err
	})
	slices.Reverse(all) // what is in a folder before it
	for _, path := range all {
		if err == nil {
			err = syncDir(path)
		}
	}
	return err
}

// Abort gives the site up, unless it is committed.
func (d *Draft) Abort() {
	if d.stage == nil {
		return
	}
	os.RemoveAll(d.stage.Name())
	d.stage.Close()
	d.stage = nil
}
