package bundle

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/release"
)

// ErrCorrupt says that a blob's bytes are not those its digest names. Storing
// the release again mends it.
var ErrCorrupt = errors.New("corrupt")

// settled is how long a file must have been left alone before its Stamp proves
// anything: within one tick of the kernel's clock, two writes look like one.
const settled = 2 * time.Second

// A proof remembers which state of a blob's file was seen to match its digest.
type proof struct {
	mu sync.Mutex // held while reading, so that a storm of boards reads once
	of Stamp
}

// OpenBlob opens a blob for reading and returns its size. No byte of a corrupt
// blob is given out: the first OpenBlob reads the whole file and compares the
// digest (ErrCorrupt), later ones only if the file was replaced or written since.
// A disk that rots beneath an unchanged file is found by Verify and, chunk by
// chunk, by the board. A blob that is not there is fs.ErrNotExist. The caller
// closes the file.
func (l *Layout) OpenBlob(d fleet.Digest) (*os.File, int64, error) {
	f, s, err := openRegular(l.blobPath(d))
	if err != nil {
		return nil, 0, fmt.Errorf("blob: %w", err)
	}
	if err = tooLarge(d, s.size); err == nil {
		err = l.prove(f, s, d)
	}
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, s.size, nil
}

// tooLarge refuses what no release can name before reading it.
func tooLarge(d fleet.Digest, size int64) error {
	if size > release.MaxImage {
		return fmt.Errorf("blob %s: %w: %d bytes, more than any image", d, ErrCorrupt, size)
	}
	return nil
}

// prove returns nil when f, in state s, is known or now seen to be d.
func (l *Layout) prove(f *os.File, s Stamp, d fleet.Digest) error {
	entry, _ := l.blobs.LoadOrStore(d, new(proof))
	p := entry.(*proof)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.of == s {
		return nil
	}
	p.of = Stamp{}
	began := time.Now()
	if err := check(f, s.size, d); err != nil {
		return err
	}
	if began.Sub(time.Unix(s.changed.Unix())) > l.settled {
		p.of = s
	}
	return nil
}

// check compares the first size bytes of f with d, and leaves its offset alone.
func check(f *os.File, size int64, d fleet.Digest) error {
	h := sha256.New()
	if _, err := io.Copy(h, io.NewSectionReader(f, 0, size)); err != nil {
		return fmt.Errorf("blob: %w", err)
	}
	if got := fleet.Digest(h.Sum(nil)); got != d {
		return fmt.Errorf("blob %s: %w: its bytes are %s", d, ErrCorrupt, got)
	}
	return nil
}

// hashTo copies r to w and returns how much it was, and its digest.
func hashTo(w io.Writer, r io.Reader) (size int64, sum fleet.Digest, err error) {
	h := sha256.New()
	size, err = io.Copy(io.MultiWriter(w, h), r)
	return size, fleet.Digest(h.Sum(nil)), err
}

// readPart reads a blob that a checked manifest names with its size.
func (l *Layout) readPart(d fleet.Digest, size int64) ([]byte, error) {
	data, err := l.readBlob(d, size)
	if err == nil && int64(len(data)) != size {
		err = sizeError(d, int64(len(data)), size)
	}
	return data, err
}

// readBlob reads a blob of at most limit bytes and compares its digest.
func (l *Layout) readBlob(d fleet.Digest, limit int64) ([]byte, error) {
	data, err := readRegular(l.blobPath(d), limit)
	if err != nil {
		return nil, fmt.Errorf("blob: %w", err)
	}
	if got := fleet.Sum(data); got != d {
		return nil, fmt.Errorf("blob %s: %w: its bytes are %s", d, ErrCorrupt, got)
	}
	return data, nil
}

// checkBlob compares a blob on disk with its digest and size, whatever was
// proved before.
func (l *Layout) checkBlob(d fleet.Digest, size int64) error {
	f, s, err := openRegular(l.blobPath(d))
	if err != nil {
		return fmt.Errorf("blob: %w", err)
	}
	defer f.Close()
	if s.size != size {
		return sizeError(d, s.size, size)
	}
	return check(f, size, d)
}

func sizeError(d fleet.Digest, got, want int64) error {
	return fmt.Errorf("blob %s: %w: %d bytes, want %d", d, ErrCorrupt, got, want)
}
