package site

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// A Part is a file that is put together over several runs, in any order, under the
// name of its path with ".part". Whoever goes on with it checks what is there:
// after a power cut it may be anything. Close it.
type Part struct {
	f    *os.File
	path string
}

// OpenPart goes on with the file that is to stand at path, or begins it.
func OpenPart(path string) (*Part, error) {
	f, err := os.OpenFile(path+".part", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s: not a plain file", f.Name())
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &Part{f, path}, nil
}

func (p *Part) ReadAt(b []byte, offset int64) (int, error)  { return p.f.ReadAt(b, offset) }
func (p *Part) WriteAt(b []byte, offset int64) (int, error) { return p.f.WriteAt(b, offset) }

// Commit puts the first size bytes at the path. When it fails, what was there
// still is, and the part too.
func (p *Part) Commit(size int64) error {
	if err := errors.Join(p.f.Truncate(size), p.f.Chmod(0o644), p.f.Sync()); err != nil {
		return err
	}
	if err := os.Rename(p.f.Name(), p.path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(p.path))
}

// Close leaves what is there for the next run.
func (p *Part) Close() error { return p.f.Close() }
