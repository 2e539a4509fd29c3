package bundle

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/release"
)

// A layout may be the cache of a Source. Then Learn lists what that has, without
// images; Load fails for a release whose images are not here, and Fill brings
// them. FillAttached brings what goes with it.

// Lists returns the digests of all manifests that the layout lists.
func (l *Layout) Lists() (map[digest.Digest]bool, error) {
	ix, err := l.readIndex()
	if err != nil {
		return nil, fmt.Errorf("releases: %w", err)
	}
	all := make(map[digest.Digest]bool)
	for _, e := range ix.Manifests {
		all[e.Digest] = true
	}
	return all, nil
}

// Learn lists the releases that reference names in from, without their images.
// One that check refuses, or that has other images than a release of its name
// here, is left out and named in the error; the others are listed all the same.
func (l *Layout) Learn(ctx context.Context, from Source, reference string, check func(*release.Release) error) error {
	packed, err := ReadRelease(ctx, from, reference)
	if err != nil {
		return err
	}
	var errs []error
	for _, p := range packed {
		if err := l.learn(ctx, p, check); err != nil {
			errs = append(errs, inRelease(p, err))
		}
	}
	return errors.Join(errs...)
}

func (l *Layout) learn(ctx context.Context, p *Packed, check func(*release.Release) error) error {
	if err := check(p.Release); err != nil {
		return err
	}
	a, _, err := parseArtifact(p.Text)
	if err != nil {
		return err
	}
	return l.storeAll(ctx, []*parcel{{
		ref:      RefName(p.Release.Manifest.Version, p.Release.Manifest.Hardware),
		entry:    ocispec.Descriptor{MediaType: p.Descriptor.MediaType, ArtifactType: ArtifactType, Digest: p.Descriptor.Digest, Size: p.Descriptor.Size},
		manifest: a,
		blobs: []blob{blobOf("signed manifest", p.Release.Signed), blobOf("configuration", ocispec.DescriptorEmptyJSON.Data),
			blobOf("image manifest", p.Text)},
	}})
}

// Fill brings the images of a listed release from where it was learned, compared
// with their digests before they are here, and then removes images of others, the
// longest here first, until at most limit bytes of images are left.
func (l *Layout) Fill(ctx context.Context, from Opener, d fleet.Digest, limit int64) error {
	a, err := l.find(ctx, d)
	if err != nil {
		return err
	}
	s, err := newStage(l)
	if err != nil {
		return err
	}
	defer s.close()
	var blobs []blob
	for _, layer := range a.Layers {
		staged, err := s.blob(ctx, from, layer)
		if err != nil {
			return err
		}
		blobs = append(blobs, blob{name: titleOf(layer), digest: digestOf(layer), size: layer.Size, staged: staged})
	}
	unlock, err := lock(ctx, l.dir)
	if err != nil {
		return err
	}
	defer unlock()
	var kept batch
	defer kept.close()
	if err := l.keepAll(ctx, &kept, blobs); err != nil {
		return err
	}
	return errors.Join(l.trim(ctx, limit, a), kept.sync(l.blobDir()))
}

// FillAttached brings what is attached to a listed release from where it was
// learned.
func (l *Layout) FillAttached(ctx context.Context, from Source, p *Packed) error {
	s, err := newStage(l)
	if err != nil {
		return err
	}
	defer s.close()
	parcels, err := s.attached(ctx, from, p)
	if err != nil {
		return inRelease(p, err)
	}
	return l.storeAll(ctx, parcels)
}

// find returns the image manifest that packs the statement d.
func (l *Layout) find(ctx context.Context, d fleet.Digest) (ocispec.Manifest, error) {
	for a, err := range l.artifacts(ctx) {
		if err == nil && statement(a) == d {
			return a, nil
		}
	}
	return ocispec.Manifest{}, fmt.Errorf("release %s: %w", d, fs.ErrNotExist)
}

// A cached blob is one that can be brought again.
type cached struct {
	digest fleet.Digest
	size   int64
	since  time.Time
}

// trim removes images until at most limit bytes of them are left; those of spared
// stay.
func (l *Layout) trim(ctx context.Context, limit int64, spared ocispec.Manifest) error {
	var all []cached
	var total int64
	seen := make(map[fleet.Digest]bool)
	for a, err := range l.artifacts(ctx) {
		if err != nil {
			continue // what cannot be read is not removed either
		}
		for _, d := range a.Layers {
			info, err := os.Lstat(l.blobPath(digestOf(d)))
			if err != nil || seen[digestOf(d)] || d.MediaType == MediaTypeManifest {
				continue
			}
			seen[digestOf(d)] = true
			total += info.Size()
			all = append(all, cached{digestOf(d), info.Size(), info.ModTime()})
		}
	}
	slices.SortFunc(all, func(a, b cached) int { return a.since.Compare(b.since) })
	for _, c := range all {
		if total <= limit {
			break
		}
		if slices.ContainsFunc(spared.Layers, func(d ocispec.Descriptor) bool { return digestOf(d) == c.digest }) {
			continue
		}
		if err := os.Remove(l.blobPath(c.digest)); err != nil {
			return err
		}
		total -= c.size
	}
	return nil
}

// Reconcile returns what one version may list: all that it lists, and of those
// that are to be added the ones that are no second release of a version and
// hardware, with other images. Those are refused.
func Reconcile(listed, added []*Packed) (all, refused []*Packed) {
	all = slices.Clone(listed)
	added = slices.Clone(added)
	slices.SortFunc(added, byPlace)
	for _, p := range added {
		if slices.ContainsFunc(all, func(q *Packed) bool { return clash(p, q) }) {
			refused = append(refused, p)
		} else {
			all = append(all, p)
		}
	}
	return all, refused
}

func clash(p, q *Packed) bool {
	a, b := p.Release.Manifest, q.Release.Manifest
	if p.Release.AppKey != q.Release.AppKey && p.Release.AppKey != (fleet.Digest{}) && q.Release.AppKey != (fleet.Digest{}) {
		a.Image, b.Image = release.Component{}, release.Component{} // variants
	}
	return a.Hardware == b.Hardware && a.Version == b.Version && !slices.Equal(a.Components(), b.Components())
}
