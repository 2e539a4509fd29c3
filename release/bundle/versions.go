package bundle

import (
	"context"
	"maps"
	"slices"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// listVersions lists, for each version that parcels are of, the image index that
// ties its statements together, under the version's name: what PackIndex makes of
// what ix lists.
//
// It follows from the rest: where a part of it cannot be read, or the name is that
// of a release ("1.0" for "a" is called as version "1.0-a" is), it is left as it
// is.
func (l *Layout) listVersions(ctx context.Context, kept *batch, ix ocispec.Index, parcels []*parcel) (ocispec.Index, error) {
	versions := make(map[string]bool)
	for _, p := range parcels {
		if p.ref != "" {
			versions[p.manifest.Annotations[ocispec.AnnotationVersion]] = true
		}
	}
	for _, v := range slices.Sorted(maps.Keys(versions)) {
		all, err := l.packedIn(ctx, ix, v)
		holder, held := named(ix, v)
		if err != nil || held && holder.ArtifactType != IndexType {
			continue
		}
		if ix, err = l.listVersion(kept, ix, v, all); err != nil {
			return ix, err
		}
	}
	return ix, ctx.Err()
}

func (l *Layout) listVersion(kept *batch, ix ocispec.Index, version string, all []*Packed) (ocispec.Index, error) {
	text, err := PackIndex(version, all)
	if err != nil {
		return ix, err
	}
	b := blobOf("index of the version", text)
	if err := l.keep(kept, b); err != nil {
		return ix, err
	}
	d := ocispec.Descriptor{MediaType: ocispec.MediaTypeImageIndex, ArtifactType: IndexType, Digest: digest.Digest(b.digest.String()), Size: b.size}
	if lists(ix, d) {
		return ix, nil
	}
	return list(unlistVersion(ix, version), d, version), nil
}

// unlistVersion returns ix without the index of a version that has the name ref.
func unlistVersion(ix ocispec.Index, ref string) ocispec.Index {
	if holder, held := named(ix, ref); ref != "" && held && holder.ArtifactType == IndexType {
		ix.Manifests = slices.DeleteFunc(slices.Clone(ix.Manifests), func(d ocispec.Descriptor) bool {
			return d.ArtifactType == IndexType && d.Annotations[ocispec.AnnotationRefName] == ref
		})
	}
	return ix
}

func sameEntries(a, b []ocispec.Descriptor) bool {
	return slices.EqualFunc(a, b, func(a, b ocispec.Descriptor) bool {
		return a.Digest == b.Digest && a.Annotations[ocispec.AnnotationRefName] == b.Annotations[ocispec.AnnotationRefName]
	})
}
