package bundle

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/tcpboot/tcpboot/pki/fleet"
)

// Bounds on what is read. A file that is larger is refused unread. What package release bounds is
// bounded there.
const (
	maxLayout   = 1 << 10  // oci-layout
	maxIndex    = 16 << 20 // index.json: some 35,000 releases
	maxManifest = 64 << 10 // an image manifest
)

// A Layout is a folder of releases. Many goroutines and processes may use one
// folder at a time; readers never wait. It needs no closing. Create and Open
// make one; the zero Layout is of no use.
type Layout struct {
	dir     string
	settled time.Duration
	blobs   sync.Map // fleet.Digest → *proof
}

// Create makes an empty layout in dir, with the folders that lead there. It
// fails with fs.ErrExist, and changes nothing, where there is one already. A
// Create that was killed can be repeated.
func Create(dir string) (*Layout, error) {
	l := &Layout{dir: dir, settled: settled}
	if err := os.MkdirAll(l.blobDir(), 0o755); err != nil {
		return nil, fmt.Errorf("create releases: %w", err)
	}
	unlock, err := lock(context.Background(), dir)
	if err != nil {
		return nil, fmt.Errorf("create releases: %w", err)
	}
	defer unlock()
	if err := l.create(); err != nil {
		return nil, fmt.Errorf("create releases: %w", err)
	}
	return l, nil
}

// create writes the index before oci-layout: only with that is it a layout.
func (l *Layout) create() error {
	marker := l.path(ocispec.ImageLayoutFile)
	switch _, err := os.Lstat(marker); {
	case err == nil:
		return fmt.Errorf("%s: %w", marker, fs.ErrExist)
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if _, err := os.Lstat(l.path(ocispec.ImageIndexFile)); errors.Is(err, fs.ErrNotExist) {
		if err := l.writeIndex(emptyIndex()); err != nil {
			return err
		}
	}
	text, err := json.Marshal(ocispec.ImageLayout{Version: ocispec.ImageLayoutVersion})
	if err != nil {
		return err
	}
	if err := place(marker, text, 0o644); err != nil {
		return err
	}
	return errors.Join(syncDir(l.path(ocispec.ImageBlobsDir)), syncDir(l.dir), syncDir(filepath.Dir(l.dir)))
}

// Open returns the layout in dir after checking that there is one and that its
// index can be read. It changes nothing.
func Open(dir string) (*Layout, error) {
	l := &Layout{dir: dir, settled: settled}
	text, err := readRegular(l.path(ocispec.ImageLayoutFile), maxLayout)
	if err != nil {
		return nil, fmt.Errorf("open releases: %w", err)
	}
	var layout ocispec.ImageLayout
	if err := json.Unmarshal(text, &layout); err != nil {
		return nil, fmt.Errorf("open releases: %s: %v", ocispec.ImageLayoutFile, err)
	}
	if layout.Version != ocispec.ImageLayoutVersion {
		return nil, fmt.Errorf("open releases: %s: version %.20q, want %q",
			ocispec.ImageLayoutFile, layout.Version, ocispec.ImageLayoutVersion)
	}
	if _, err := l.readIndex(); err != nil {
		return nil, fmt.Errorf("open releases: %w", err)
	}
	return l, nil
}

// Stamp changes whenever the index does: a poller that sees the Stamp it saw
// before needs to read nothing.
func (l *Layout) Stamp() (Stamp, error) {
	f, s, err := openRegular(l.path(ocispec.ImageIndexFile))
	if err != nil {
		return Stamp{}, fmt.Errorf("releases: %w", err)
	}
	f.Close()
	return s, nil
}

func (l *Layout) path(name string) string { return filepath.Join(l.dir, name) }

func (l *Layout) blobDir() string { return filepath.Join(l.dir, ocispec.ImageBlobsDir, "sha256") }

// blobPath cannot lead out of the folder: a Digest is 32 bytes, not a string.
func (l *Layout) blobPath(d fleet.Digest) string { return filepath.Join(l.blobDir(), d.Hex()) }
