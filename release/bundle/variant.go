package bundle

import (
	"context"
	"fmt"
	"slices"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/tcpboot/tcpboot/release"
)

// A Whole is a release and what is attached to it.
type Whole struct {
	Release  *release.Release
	Attached []Attachment
}

// StoreVariants is Store for a release and its variants for other loaders: all of
// them exist, or none. The first has the name.
func (l *Layout) StoreVariants(ctx context.Context, all ...Whole) error {
	var parcels []*parcel
	for _, w := range all {
		p, err := pack(w.Release)
		if err != nil {
			return fmt.Errorf("store release: %w", err)
		}
		more, err := packAll(p.entry, w.Attached)
		if err != nil {
			return fmt.Errorf("store release %s: %w", p.ref, err)
		}
		parcels = append(append(parcels, p), more...)
	}
	if err := l.storeAll(ctx, parcels); err != nil {
		return fmt.Errorf("store release %s: %w", parcels[0].ref, err)
	}
	return nil
}

// variants reports whether a and b are images by two app keys, beside the same
// other components.
func variants(a, b ocispec.Manifest) bool {
	x, y := a.Annotations[AnnotationAppKey], b.Annotations[AnnotationAppKey]
	return x != "" && y != "" && x != y && slices.Equal(others(a), others(b))
}

// others is what images lists behind the first.
func others(a ocispec.Manifest) []string {
	list := images(a)
	return list[min(1, len(list)):]
}
