package bundle

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/tcpboot/tcpboot/release/attest"
)

// attachable are the kinds of what travels with a release: signatures and
// attestations, and lists of what is inside.
var attachable = []string{
	attest.BundleType,
	"application/vnd.in-toto+json",
	attest.SBOMType,
	"application/spdx+json",
}

// Bounds on what travels with a release.
const (
	maxAttached      = 16      // to one release; the first in order of their digests
	maxAttachedBlobs = 8       // of one of them
	maxAttachedBlob  = 4 << 20 // bytes of one blob
)

// An Attached is a manifest whose subject is a release: its signature, its SBOM.
// It is no part of the release: its bytes are those its digest names, and nobody
// here has looked at what they say.
type Attached struct {
	Descriptor ocispec.Descriptor
	Text       []byte
	Blobs      []ocispec.Descriptor

	annotations map[string]string
}

// ReadAttached reads those of list that are of a known kind and belong to subject.
func ReadAttached(ctx context.Context, from Opener, subject ocispec.Descriptor, list []ocispec.Descriptor) (all []*Attached, err error) {
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b ocispec.Descriptor) int { return strings.Compare(string(a.Digest), string(b.Digest)) })
	for _, d := range list {
		if len(all) == maxAttached {
			break
		}
		if !mayBeAttached(d) {
			continue
		}
		text, err := readFrom(ctx, from, d, maxManifest)
		if err != nil {
			return nil, err
		}
		a, ours, err := parseAttached(d, text, subject)
		if err != nil {
			return nil, fmt.Errorf("attached %s: %w", d.Digest, err)
		}
		if ours {
			all = append(all, a)
		}
	}
	return all, nil
}

// mayBeAttached passes over what says that it is of another kind. Some registries
// say the media type of the configuration instead: the manifest itself decides.
func mayBeAttached(d ocispec.Descriptor) bool {
	kind := d.ArtifactType
	return d.MediaType == ocispec.MediaTypeImageManifest &&
		(kind == "" || kind == ocispec.MediaTypeEmptyJSON || slices.Contains(attachable, kind))
}

// parseAttached reads a manifest; ours is false for one of another kind, and for
// one that belongs to something else.
func parseAttached(d ocispec.Descriptor, text []byte, subject ocispec.Descriptor) (a *Attached, ours bool, err error) {
	var m ocispec.Manifest
	if err := json.Unmarshal(text, &m); err != nil {
		return nil, false, fmt.Errorf("not an image manifest: %v", err)
	}
	if !slices.Contains(attachable, m.ArtifactType) || m.Subject == nil || m.Subject.Digest != subject.Digest {
		return nil, false, nil
	}
	blobs := append([]ocispec.Descriptor{m.Config}, m.Layers...)
	if len(blobs) > maxAttachedBlobs {
		return nil, false, fmt.Errorf("%d blobs, want at most %d", len(blobs), maxAttachedBlobs)
	}
	for _, b := range blobs {
		if err := checkDescriptor(b); err != nil {
			return nil, false, err
		}
		if b.Size > maxAttachedBlob {
			return nil, false, fmt.Errorf("blob %s: %d bytes, want at most %d", b.Digest, b.Size, maxAttachedBlob)
		}
	}
	return &Attached{
		Descriptor: ocispec.Descriptor{MediaType: ocispec.MediaTypeImageManifest, ArtifactType: m.ArtifactType, Digest: d.Digest, Size: d.Size},
		Text:       text,
		Blobs:      blobs,

		annotations: m.Annotations,
	}, true, nil
}

// Attached returns what is attached to a release of the layout.
func (l *Layout) Attached(ctx context.Context, p *Packed) ([]*Attached, error) {
	ix, err := l.readIndex()
	if err != nil {
		return nil, fmt.Errorf("releases: %w", err)
	}
	others := slices.DeleteFunc(ix.Manifests, func(d ocispec.Descriptor) bool { return !slices.Contains(attachable, d.ArtifactType) })
	return ReadAttached(ctx, l, p.Descriptor, others)
}
