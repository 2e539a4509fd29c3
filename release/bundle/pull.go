package bundle

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sys/unix"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/release"
)

// Pull brings the releases that reference names in from to the layout, with what
// is attached to them. When it returns nil they exist; when it does not, the
// layout is as it was.
//
// check holds a release against the site's keys. It is called for each release
// without images, before any image is asked for, and then, when all is there,
// with them. Only a digest in a statement that check has seen makes Pull ask for
// an image, and never for more bytes than are stated.
//
// pick, where it is not nil, says which releases are wanted.
func (l *Layout) Pull(ctx context.Context, from Source, reference string, pick func(*release.Release) bool, check func(*release.Release) error) ([]*release.Release, error) {
	packed, err := ReadRelease(ctx, from, reference)
	if err != nil {
		return nil, err
	}
	if pick != nil {
		packed = slices.DeleteFunc(packed, func(p *Packed) bool { return !pick(p.Release) })
	}
	var pulled []*release.Release
	for _, p := range packed {
		if err := check(p.Release); err != nil {
			return nil, inRelease(p, err)
		}
		pulled = append(pulled, p.Release)
	}
	s, err := newStage(l)
	if err != nil {
		return nil, err
	}
	defer s.close()
	var parcels []*parcel
	for _, p := range packed {
		more, err := s.fetch(ctx, from, p, check)
		if err != nil {
			return nil, inRelease(p, err)
		}
		parcels = append(parcels, more...)
	}
	return pulled, l.storeAll(ctx, parcels)
}

func inRelease(p *Packed, err error) error {
	return fmt.Errorf("release %s for %s: %w", p.Release.Manifest.Version, p.Release.Manifest.Hardware, err)
}

// storeAll makes all parcels exist at one moment.
func (l *Layout) storeAll(ctx context.Context, parcels []*parcel) error {
	unlock, err := lock(ctx, l.dir)
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	defer unlock()
	if err := l.store(ctx, parcels...); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return nil
}

// stagePrefix begins the names of folders into which blobs are pulled.
const stagePrefix = ".pull-"

// A stage is a folder of the layout, where nobody looks, that holds what is being
// pulled: each file is whole, is the blob that its name says, and is synced. It
// is locked as long as its pull lives, so that the next one knows dead ones.
type stage struct {
	layout *Layout
	dir    *os.File
}

// newStage makes a stage, and removes those of pulls that were killed.
func newStage(l *Layout) (*stage, error) {
	left, err := filepath.Glob(filepath.Join(l.dir, stagePrefix+"*"))
	if err != nil {
		return nil, err
	}
	for _, path := range left {
		if dead, err := lockFolder(path); err == nil {
			(&stage{l, dead}).close()
		}
	}
	path, err := os.MkdirTemp(l.dir, stagePrefix+"*")
	if err != nil {
		return nil, fmt.Errorf("pull: %w", err)
	}
	dir, err := lockFolder(path)
	if err != nil {
		return nil, fmt.Errorf("pull: another process took %s: %w", path, err)
	}
	return &stage{l, dir}, nil
}

// lockFolder opens a folder and locks it, unless somebody has.
func lockFolder(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// close removes the stage. What is left of it the next pull removes.
func (s *stage) close() {
	_ = os.RemoveAll(s.dir.Name())
	s.dir.Close()
}

func (s *stage) path(d fleet.Digest) string { return filepath.Join(s.dir.Name(), d.Hex()) }

// fetch stages a release and what is attached to it, and checks it whole.
func (s *stage) fetch(ctx context.Context, from Source, p *Packed, check func(*release.Release) error) ([]*parcel, error) {
	release, err := s.parcel(ctx, from, p.Descriptor, p.Text, p.Layers)
	if err != nil {
		return nil, err
	}
	if err := s.whole(p, check); err != nil {
		return nil, err
	}
	m := p.Release.Manifest
	release.ref = RefName(m.Version, m.Hardware)
	if release.manifest, _, err = parseArtifact(p.Text); err != nil {
		return nil, err
	}
	attached, err := s.attached(ctx, from, p)
	return append([]*parcel{release}, attached...), err
}

// attached stages what is attached to a release.
func (s *stage) attached(ctx context.Context, from Source, p *Packed) (parcels []*parcel, err error) {
	referrers, err := from.Referrers(ctx, p.Descriptor)
	if err != nil {
		return nil, fmt.Errorf("what is attached: %w", err)
	}
	attached, err := ReadAttached(ctx, from, p.Descriptor, referrers)
	if err != nil {
		return nil, err
	}
	for _, a := range attached {
		p, err := s.parcel(ctx, from, a.Descriptor, a.Text, a.Blobs)
		if err != nil {
			return nil, fmt.Errorf("attached %s: %w", a.Descriptor.Digest, err)
		}
		parcels = append(parcels, p)
	}
	return parcels, nil
}

// parcel stages the blobs of a manifest.
func (s *stage) parcel(ctx context.Context, from Opener, d ocispec.Descriptor, text []byte, blobs []ocispec.Descriptor) (*parcel, error) {
	p := &parcel{entry: ocispec.Descriptor{MediaType: d.MediaType, ArtifactType: d.ArtifactType, Digest: d.Digest, Size: d.Size}}
	for _, b := range blobs {
		staged, err := s.blob(ctx, from, b)
		if err != nil {
			return nil, err
		}
		p.blobs = append(p.blobs, blob{name: titleOf(b), digest: digestOf(b), size: b.Size, staged: staged})
	}
	p.blobs = append(p.blobs, blobOf("image manifest", text))
	return p, nil
}

// titleOf names a blob for people; what is attached may have no title.
func titleOf(d ocispec.Descriptor) string {
	if title := d.Annotations[ocispec.AnnotationTitle]; title != "" {
		return fmt.Sprintf("%.80q", title)
	}
	return string(d.Digest)
}

// blob stages a blob and returns where; "" for one that the layout has.
func (s *stage) blob(ctx context.Context, from Opener, d ocispec.Descriptor) (staged string, err error) {
	if s.layout.checkBlob(digestOf(d), d.Size) == nil {
		return "", nil
	}
	path := s.path(digestOf(d))
	if _, err := os.Lstat(path); err == nil {
		return path, nil // two of one release, or a blob that releases share
	}
	body, err := from.Open(ctx, d)
	if err != nil {
		return "", fmt.Errorf("%s: %w", titleOf(d), err)
	}
	defer body.Close()
	if err := s.copy(path, body, d); err != nil {
		return "", fmt.Errorf("%s: %w", titleOf(d), err)
	}
	return path, nil
}

// copy writes body to path if it is what d describes: it gets its name when all
// of it has been compared.
func (s *stage) copy(path string, body io.Reader, d ocispec.Descriptor) error {
	f, err := os.CreateTemp(s.dir.Name(), tempPrefix+"*")
	if err != nil {
		return err
	}
	defer f.Close()
	size, sum, err := hashTo(f, io.LimitReader(body, d.Size+1))
	if err != nil {
		return err
	}
	if err := sameBytes(d, size, sum); err != nil {
		return err
	}
	if err := f.Chmod(0o444); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// whole checks a release whose blobs are staged, or in the layout.
func (s *stage) whole(p *Packed, check func(*release.Release) error) error {
	r := *p.Release
	r.Images, r.Chunks = make(map[string][]byte), make(map[string][]byte)
	for _, c := range r.Manifest.Components() {
		for _, part := range []struct {
			digest fleet.Digest
			size   int64
			to     map[string][]byte
		}{{c.Digest, c.Size, r.Images}, {c.Chunks, chunkListSize(c), r.Chunks}} {
			data, err := s.read(part.digest, part.size)
			if err != nil {
				return fmt.Errorf("component %s: %w", c.Name, err)
			}
			part.to[c.Name] = data
		}
	}
	return check(&r)
}

func (s *stage) read(d fleet.Digest, size int64) ([]byte, error) {
	if data, err := readRegular(s.path(d), size); err == nil {
		return data, nil
	}
	return s.layout.readPart(d, size)
}
