package bundle

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/tcpboot/tcpboot/release"
)

// ErrVersionTaken says that the layout holds other images under the same
// version and hardware.
var ErrVersionTaken = errors.New("version is taken")

// Store adds r and what is attached to it. When it returns nil the release exists
// and survives a power cut; when it does not, the layout lists what it listed
// before. It waits for other writers until ctx ends.
//
// Storing a release again changes nothing but mends its blobs. A release that
// restates one (same version, hardware and images, another signed manifest)
// takes over its name; the older one is still listed, and found by Load. Its
// images may be left out of r.Images, being there already. Other images under
// a version and hardware that exist are refused with ErrVersionTaken.
func (l *Layout) Store(ctx context.Context, r *release.Release, attached ...Attachment) error {
	return l.StoreVariants(ctx, Whole{r, attached})
}

// store runs under the lock, so the index that it read is the one it replaces,
// and every unfinished file is a dead writer's.
func (l *Layout) store(ctx context.Context, parcels ...*parcel) error {
	if err := sweep(l.dir, l.blobDir()); err != nil {
		return err
	}
	ix, err := l.readIndex()
	if err != nil {
		return err
	}
	before := slices.Clone(ix.Manifests)
	var kept batch
	defer kept.close()
	for _, p := range parcels {
		ix = unlistVersion(ix, p.ref)
		ref, err := l.admit(ix, p)
		if err != nil {
			return err
		}
		// Blobs first, where nobody looks for them yet.
		if err := l.keepAll(ctx, &kept, p.blobs); err != nil {
			return err
		}
		if !lists(ix, p.entry) {
			ix = list(ix, p.entry, ref)
		}
	}
	if ix, err = l.listVersions(ctx, &kept, ix, parcels); err != nil {
		return err
	}
	if sameEntries(ix.Manifests, before) {
		return errors.Join(kept.sync(l.blobDir()), syncDir(l.dir))
	}
	index, err := l.beginIndex(ix)
	if err != nil {
		return err
	}
	kept.add(index)
	if err := kept.sync(l.blobDir()); err != nil {
		return err
	}
	// The rename of the index is the moment from which the releases exist.
	if err := rename(index.Name(), l.path(ocispec.ImageIndexFile)); err != nil {
		return err
	}
	return syncDir(l.dir)
}

func (l *Layout) keepAll(ctx context.Context, kept *batch, blobs []blob) error {
	for _, b := range blobs {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := l.keep(kept, b); err != nil {
			return err
		}
	}
	return nil
}

// admit decides whether p may have its name. What is attached to a release has
// none, and neither has a variant beside the first.
func (l *Layout) admit(ix ocispec.Index, p *parcel) (ref string, err error) {
	if p.ref == "" {
		return "", nil
	}
	holder, held := named(ix, p.ref)
	if !held || lists(ix, p.entry) {
		return p.ref, nil
	}
	a, ours, err := l.readArtifact(holder)
	switch {
	case err != nil:
		return "", fmt.Errorf("cannot compare it with the one stored before: %w", err)
	case !ours:
		return "", fmt.Errorf("the name belongs to an artifact of another kind, %s", holder.Digest)
	case a.Annotations[AnnotationHardware] != p.manifest.Annotations[AnnotationHardware]:
		// "1-a" for "b" and "1" for "a-b" are one name.
		return "", fmt.Errorf("the name belongs to version %s for hardware %s",
			a.Annotations[ocispec.AnnotationVersion], a.Annotations[AnnotationHardware])
	case sameAnnotations(a, p.manifest) && variants(a, p.manifest):
		return "", nil
	case !slices.Equal(images(a), images(p.manifest)) || !sameAnnotations(a, p.manifest):
		return "", fmt.Errorf("%w by other images, of %s", ErrVersionTaken, statement(a))
	}
	return p.ref, nil
}

// sameAnnotations compares the annotations that repeat what is signed: who packed
// one of the two may have added others.
func sameAnnotations(a, b ocispec.Manifest) bool {
	for key := range annotations(release.Manifest{}) {
		if a.Annotations[key] != b.Annotations[key] {
			return false
		}
	}
	return true
}

// keep makes sure that b is in the folder, and that it will last once kept is synced:
// also what lies there already may be from a Store that was cut off before. What several
// manifests name, as the empty configuration, is looked at once.
func (l *Layout) keep(kept *batch, b blob) error {
	if !kept.takes(b.digest) {
		return nil
	}
	err := l.checkBlob(b.digest, b.size)
	if err == nil {
		f, _, err := openRegular(l.blobPath(b.digest))
		if err == nil {
			kept.add(f)
		}
		return err
	}
	if b.staged != "" {
		step("rename " + b.digest.Hex())
		return os.Rename(b.staged, l.blobPath(b.digest))
	}
	if b.data == nil {
		return fmt.Errorf("%s is not given: %w", b.name, err)
	}
	f, err := begin(l.blobPath(b.digest), b.data, 0o444)
	if err != nil {
		return err
	}
	kept.add(f)
	return rename(f.Name(), l.blobPath(b.digest))
}

// A parcel is a release as it will lie in the folder.
type parcel struct {
	ref      string
	entry    ocispec.Descriptor
	manifest ocispec.Manifest
	blobs    []blob
}

// pack checks that r is whole and that its parts are what r.Signed states.
func pack(r *release.Release) (*parcel, error) {
	stated, err := release.Parse(r.Signed)
	if err != nil {
		return nil, err
	}
	stated.AppKey = r.AppKey
	if err := checkWhole(r, stated); err != nil {
		return nil, err
	}
	empty := ocispec.DescriptorEmptyJSON.Data
	blobs := append(parts(r, stated), blobOf("signed manifest", r.Signed), blobOf("configuration", empty))
	for _, b := range blobs {
		if err := b.check(); err != nil {
			return nil, err
		}
	}
	return seal(stated, blobs)
}

// seal adds the image manifest and the index entry to what r states.
func seal(r *release.Release, blobs []blob) (*parcel, error) {
	a := describe(r)
	text, err := json.Marshal(a)
	if err != nil {
		return nil, err
	}
	b := blobOf("image manifest", text)
	return &parcel{
		ref: RefName(r.Manifest.Version, r.Manifest.Hardware),
		entry: ocispec.Descriptor{
			MediaType:    ocispec.MediaTypeImageManifest,
			ArtifactType: ArtifactType,
			Digest:       digest.Digest(b.digest.String()),
			Size:         b.size,
		},
		manifest: a,
		blobs:    append(blobs, b),
	}, nil
}
