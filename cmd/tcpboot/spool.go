package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/tcpboot/tcpboot/pki/enroll"
)

// maxList bounds a list of boards: three million of them, with long names.
const maxList = 512 << 20

// A spool lets a list be gone through again, wherever it comes from: a pipe can
// be read once only, and a file may change meanwhile, so that what was checked is
// not what is enrolled. What is read of it first goes to a file without a name.
type spool struct {
	few []enroll.Request // or the list is those

	name   string
	source io.ReadCloser
	copy   *os.File
	read   bool
}

func newSpool(name string, source io.ReadCloser) (*spool, error) {
	f, err := os.CreateTemp("", "tcpboot-list-")
	if err != nil {
		return nil, errors.Join(err, source.Close())
	}
	return &spool{name: name, source: source, copy: f}, os.Remove(f.Name())
}

func (s *spool) Close() error {
	if s.copy == nil {
		return nil
	}
	return errors.Join(s.source.Close(), s.copy.Close())
}

// requests is the list.
func (s *spool) requests(yield func(enroll.Request, error) bool) {
	switch {
	case s.copy == nil:
		enroll.ListOf(s.few)(yield)
	case s.read:
		enroll.ReadCSV(s.name, io.NewSectionReader(s.copy, 0, maxList))(yield)
	default:
		s.read = true
		enroll.ReadCSV(s.name, io.TeeReader(&bounded{s.name, s.source, maxList}, s.copy))(yield)
	}
}

// A bounded reader fails when there is more to read than it may be.
type bounded struct {
	name string
	r    io.Reader
	left int
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, fmt.Errorf("%s: longer than %d MiB", b.name, maxList>>20)
	}
	n, err := b.r.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}
