package bundle

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"

	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/tcpboot/tcpboot/pki/fleet"
)

func emptyIndex() ocispec.Index {
	return ocispec.Index{
		Versioned: specs.Versioned{SchemaVersion: 2},
		MediaType: ocispec.MediaTypeImageIndex,
		Manifests: []ocispec.Descriptor{},
	}
}

// parseIndex reads an index.json. Entries of other kinds of artifact are kept
// as they are; what every entry must have is checked.
func parseIndex(text []byte) (ocispec.Index, error) {
	var ix ocispec.Index
	if err := json.Unmarshal(text, &ix); err != nil {
		return ocispec.Index{}, fmt.Errorf("not an image index: %v", err)
	}
	if ix.SchemaVersion != 2 {
		return ocispec.Index{}, fmt.Errorf("schema version %d, want 2", ix.SchemaVersion)
	}
	if ix.MediaType != "" && ix.MediaType != ocispec.MediaTypeImageIndex {
		return ocispec.Index{}, fmt.Errorf("media type %.80q, want %q", ix.MediaType, ocispec.MediaTypeImageIndex)
	}
	refs := make(map[string]bool)
	for i, d := range ix.Manifests {
		if err := checkEntry(d, refs); err != nil {
			return ocispec.Index{}, fmt.Errorf("entry %d: %w", i, err)
		}
	}
	return ix, nil
}

// checkEntry checks one entry; refs holds the names of those before it.
func checkEntry(d ocispec.Descriptor, refs map[string]bool) error {
	if err := checkDescriptor(d); err != nil {
		return err
	}
	ref, named := d.Annotations[ocispec.AnnotationRefName]
	if named && refs[ref] {
		return fmt.Errorf("name %.140q: given to an earlier entry too", ref)
	}
	refs[ref] = true
	return nil
}

func checkDescriptor(d ocispec.Descriptor) error {
	if _, err := fleet.ParseDigest(string(d.Digest)); err != nil {
		return err
	}
	if d.Size < 0 {
		return fmt.Errorf("%s: size %d", d.Digest, d.Size)
	}
	return nil
}

// renderIndex prints what parseIndex reads, for eyes too.
func renderIndex(ix ocispec.Index) ([]byte, error) {
	text, err := json.MarshalIndent(ix, "", "  ")
	if err != nil {
		return nil, err
	}
	if len(text) >= maxIndex {
		return nil, fmt.Errorf("%s would be %d bytes, want at most %d", ocispec.ImageIndexFile, len(text), maxIndex)
	}
	return append(text, '\n'), nil
}

// named returns the entry that has the name ref.
func named(ix ocispec.Index, ref string) (ocispec.Descriptor, bool) {
	i := slices.IndexFunc(ix.Manifests, func(d ocispec.Descriptor) bool {
		return d.Annotations[ocispec.AnnotationRefName] == ref
	})
	if i < 0 {
		return ocispec.Descriptor{}, false
	}
	return ix.Manifests[i], true
}

// lists reports whether ix has an entry for what d describes.
func lists(ix ocispec.Index, d ocispec.Descriptor) bool {
	return slices.ContainsFunc(ix.Manifests, func(e ocispec.Descriptor) bool { return e.Digest == d.Digest })
}

// list returns ix with d as an entry of the name ref; the entry that had the
// name stays without it. What is attached to a release has no name: "".
func list(ix ocispec.Index, d ocispec.Descriptor, ref string) ocispec.Index {
	if ref == "" {
		ix.Manifests = append(slices.Clip(ix.Manifests), d)
		return ix
	}
	entries := make([]ocispec.Descriptor, 0, len(ix.Manifests)+1)
	for _, e := range ix.Manifests {
		if e.Annotations[ocispec.AnnotationRefName] == ref {
			e.Annotations = maps.Clone(e.Annotations)
			delete(e.Annotations, ocispec.AnnotationRefName)
		}
		entries = append(entries, e)
	}
	d.Annotations = map[string]string{ocispec.AnnotationRefName: ref}
	ix.Manifests = append(entries, d)
	return ix
}

func (l *Layout) readIndex() (ocispec.Index, error) {
	text, err := readRegular(l.path(ocispec.ImageIndexFile), maxIndex)
	if err != nil {
		return ocispec.Index{}, err
	}
	ix, err := parseIndex(text)
	if err != nil {
		return ocispec.Index{}, fmt.Errorf("%s: %w", ocispec.ImageIndexFile, err)
	}
	return ix, nil
}

// writeIndex replaces the index. The caller syncs the folder.
func (l *Layout) writeIndex(ix ocispec.Index) error {
	text, err := renderIndex(ix)
	if err != nil {
		return err
	}
	return place(l.path(ocispec.ImageIndexFile), text, 0o644)
}

// beginIndex writes the index under a temporary name.
func (l *Layout) beginIndex(ix ocispec.Index) (*os.File, error) {
	text, err := renderIndex(ix)
	if err != nil {
		return nil, err
	}
	return begin(l.path(ocispec.ImageIndexFile), text, 0o644)
}
