package bundle

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/release"
)

// IndexType is the kind of the image index that ties together what there is of
// one version.
const IndexType = "application/vnd.tcpboot.release-index.v1"

// maxPacked is how many statements one version may have in an index: every
// hardware, and every channel that it was stated again for.
const maxPacked = 1024

// ErrForeign says that what was found is no release, or not as we pack one.
var ErrForeign = errors.New("is no release of tcpboot's")

// A Source is where packed releases are read: an OCI repository. What it gives
// is a claim: every byte is compared with the digest it was asked for here.
type Source interface {
	// Resolve returns the manifest or the index that a tag or a digest names, of
	// at most limit bytes.
	Resolve(ctx context.Context, reference string, limit int64) (ocispec.Descriptor, []byte, error)
	Opener
	// Referrers lists the manifests whose subject is d.
	Referrers(ctx context.Context, d ocispec.Descriptor) ([]ocispec.Descriptor, error)
}

// An Opener opens a manifest or a blob.
type Opener interface {
	Open(ctx context.Context, d ocispec.Descriptor) (io.ReadCloser, error)
}

// A Packed is one image manifest and what it states: a release without images.
type Packed struct {
	Descriptor ocispec.Descriptor // as an index lists it
	Text       []byte             // the image manifest
	Layers     []ocispec.Descriptor
	Release    *release.Release
}

// newPacked describes what text packs.
func newPacked(text []byte, a ocispec.Manifest, r *release.Release) *Packed {
	m := r.Manifest
	return &Packed{
		Descriptor: ocispec.Descriptor{
			MediaType:    ocispec.MediaTypeImageManifest,
			ArtifactType: ArtifactType,
			Digest:       digest.FromBytes(text),
			Size:         int64(len(text)),
			Annotations: map[string]string{
				AnnotationHardware: m.Hardware,
				AnnotationChip:     string(m.Chip),
				AnnotationKind:     string(m.Kind),
			},
		},
		Text:    text,
		Layers:  append([]ocispec.Descriptor{a.Config}, a.Layers...),
		Release: r,
	}
}

// Packed returns every statement of a version that the layout has, for one
// hardware or, where hardware is empty, for all. Where there is none the list is
// empty. Signatures are not checked.
func (l *Layout) Packed(ctx context.Context, version, hardware string) ([]*Packed, error) {
	ix, err := l.readIndex()
	if err != nil {
		return nil, fmt.Errorf("releases: %w", err)
	}
	all, err := l.packedIn(ctx, ix, version)
	return slices.DeleteFunc(all, func(p *Packed) bool { return hardware != "" && p.Release.Manifest.Hardware != hardware }), err
}

// packedIn returns every statement of a version that ix lists. What has a name
// that tells of another version is not read.
func (l *Layout) packedIn(ctx context.Context, ix ocispec.Index, version string) (all []*Packed, err error) {
	seen := make(map[digest.Digest]bool)
	for _, e := range ix.Manifests {
		ref := e.Annotations[ocispec.AnnotationRefName]
		if foreign(e) || seen[e.Digest] || e.ArtifactType == ArtifactType && ref != "" && !strings.HasPrefix(ref, version+"-") {
			continue
		}
		seen[e.Digest] = true
		a, ours, err := l.readArtifact(e)
		if err != nil {
			return nil, err
		}
		if !ours || a.Annotations[ocispec.AnnotationVersion] != version {
			continue
		}
		p, err := ReadPacked(ctx, l, e)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

// Open opens a blob of the layout, proved as OpenBlob does it.
func (l *Layout) Open(_ context.Context, d ocispec.Descriptor) (io.ReadCloser, error) {
	f, _, err := l.OpenBlob(digestOf(d))
	if err != nil {
		return nil, err
	}
	return f, nil
}

// ReadPacked reads the image manifest d and the statement that it packs, and
// refuses one that does not lie there as describe would have packed it.
func ReadPacked(ctx context.Context, from Opener, d ocispec.Descriptor) (*Packed, error) {
	text, err := readFrom(ctx, from, d, maxManifest)
	if err != nil {
		return nil, err
	}
	return openPacked(ctx, from, text)
}

// openPacked reads the statement that the image manifest text packs.
func openPacked(ctx context.Context, from Opener, text []byte) (*Packed, error) {
	a, ours, err := parseArtifact(text)
	if err == nil && !ours {
		err = fmt.Errorf("artifact type %.80q", a.ArtifactType)
	}
	if err != nil {
		return nil, fmt.Errorf("manifest %s %w: %w", digest.FromBytes(text), ErrForeign, err)
	}
	i := slices.IndexFunc(a.Layers, func(d ocispec.Descriptor) bool { return d.MediaType == MediaTypeManifest })
	signed, err := readFrom(ctx, from, a.Layers[i], release.MaxSigned)
	if err != nil {
		return nil, fmt.Errorf("signed manifest: %w", err)
	}
	r, err := stated(a, signed)
	if err == nil {
		err = packedRight(a, describe(r))
	}
	if err != nil {
		return nil, fmt.Errorf("manifest %s %w: %w", digest.FromBytes(text), ErrForeign, err)
	}
	return newPacked(text, a, r), nil
}

// packedRight compares layers with those that we would have packed: a title is a
// file name for other tools, and a layer more is one that nobody signed.
func packedRight(a, want ocispec.Manifest) error {
	if a.Config.Digest != want.Config.Digest || a.Config.Size != want.Config.Size {
		return fmt.Errorf("configuration %s, want the empty one", a.Config.Digest)
	}
	if len(a.Layers) != len(want.Layers) {
		return fmt.Errorf("%d layers, want %d", len(a.Layers), len(want.Layers))
	}
	for i, d := range a.Layers {
		w := want.Layers[i]
		title, wantTitle := d.Annotations[ocispec.AnnotationTitle], w.Annotations[ocispec.AnnotationTitle]
		if d.MediaType != w.MediaType || d.Digest != w.Digest || d.Size != w.Size || title != wantTitle {
			return fmt.Errorf("layer %d: %.80q, %d bytes of %.80q; want %q, %d bytes of %q", i, title, d.Size, d.MediaType, wantTitle, w.Size, w.MediaType)
		}
	}
	return nil
}

// readFrom reads what d describes, at most limit bytes, and compares its digest.
func readFrom(ctx context.Context, from Opener, d ocispec.Descriptor, limit int64) ([]byte, error) {
	if err := checkDescriptor(d); err != nil {
		return nil, err
	}
	if d.Size > limit {
		return nil, fmt.Errorf("%s: %d bytes, want at most %d", d.Digest, d.Size, limit)
	}
	body, err := from.Open(ctx, d)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	data, err := io.ReadAll(io.LimitReader(body, d.Size+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", d.Digest, err)
	}
	return data, sameBytes(d, int64(len(data)), fleet.Sum(data))
}

// sameBytes compares what came with what d describes.
func sameBytes(d ocispec.Descriptor, size int64, sum fleet.Digest) error {
	if size > d.Size {
		return fmt.Errorf("blob %s: %w: more than %d bytes", d.Digest, ErrCorrupt, d.Size)
	}
	if size != d.Size {
		return sizeError(digestOf(d), size, d.Size)
	}
	if want := digestOf(d); sum != want {
		return fmt.Errorf("blob %s: %w: its bytes are %s", want, ErrCorrupt, sum)
	}
	return nil
}

// PackIndex renders the image index of a version: the same for the same
// statements, in whatever order they come and however often.
func PackIndex(version string, all []*Packed) (text []byte, err error) {
	all = slices.Clone(all)
	slices.SortFunc(all, byPlace)
	all = slices.CompactFunc(all, func(a, b *Packed) bool { return a.Descriptor.Digest == b.Descriptor.Digest })
	if len(all) > maxPacked {
		return nil, fmt.Errorf("%d statements of version %s, want at most %d", len(all), version, maxPacked)
	}
	ix := ocispec.Index{
		Versioned:    specs.Versioned{SchemaVersion: 2},
		MediaType:    ocispec.MediaTypeImageIndex,
		ArtifactType: IndexType,
		Annotations:  map[string]string{ocispec.AnnotationVersion: version},
	}
	for _, p := range all {
		ix.Manifests = append(ix.Manifests, p.Descriptor)
	}
	return json.Marshal(ix)
}

// byPlace orders statements: of one hardware, the one that was made last comes
// last. Who stores them in that order gives it the name.
func byPlace(a, b *Packed) int {
	return cmp.Or(
		cmp.Compare(a.Release.Manifest.Hardware, b.Release.Manifest.Hardware),
		cmp.Compare(a.Release.Manifest.AuditSeq, b.Release.Manifest.AuditSeq),
		cmp.Compare(a.Descriptor.Digest, b.Descriptor.Digest))
}

// ParseIndex reads what PackIndex renders: the version, and the manifests.
func ParseIndex(text []byte) (version string, entries []ocispec.Descriptor, err error) {
	ix, err := parseIndex(text)
	if err == nil && (ix.ArtifactType != IndexType || ix.MediaType != ocispec.MediaTypeImageIndex) {
		err = fmt.Errorf("artifact type %.80q", ix.ArtifactType)
	}
	if err == nil {
		err = checkEntries(ix.Manifests)
	}
	if err != nil {
		return "", nil, fmt.Errorf("index %s %w: %w", digest.FromBytes(text), ErrForeign, err)
	}
	return ix.Annotations[ocispec.AnnotationVersion], ix.Manifests, nil
}

func checkEntries(entries []ocispec.Descriptor) error {
	if n := len(entries); n > maxPacked {
		return fmt.Errorf("%d entries, want at most %d", n, maxPacked)
	}
	for i, d := range entries {
		if d.MediaType != ocispec.MediaTypeImageManifest || d.ArtifactType != ArtifactType {
			return fmt.Errorf("entry %d: artifact type %.80q", i, d.ArtifactType)
		}
	}
	return nil
}

// ReadRelease reads what reference names: all that an index lists of one
// version, or a single image manifest. No image is read, and no signature
// checked.
func ReadRelease(ctx context.Context, from Source, reference string) ([]*Packed, error) {
	d, text, err := from.Resolve(ctx, reference, maxIndexText)
	if err != nil {
		return nil, err
	}
	if err := checkDescriptor(d); err != nil {
		return nil, err
	}
	if err := sameBytes(d, int64(len(text)), fleet.Sum(text)); err != nil {
		return nil, err
	}
	if d.MediaType == ocispec.MediaTypeImageManifest {
		p, err := openPacked(ctx, from, text)
		return []*Packed{p}, err
	}
	version, entries, err := ParseIndex(text)
	if err != nil {
		return nil, err
	}
	return readEntries(ctx, from, version, entries)
}

// maxIndexText bounds the index of one version.
const maxIndexText = maxPacked * 1024

func readEntries(ctx context.Context, from Source, version string, entries []ocispec.Descriptor) (all []*Packed, err error) {
	for _, e := range entries {
		p, err := ReadPacked(ctx, from, e)
		if err != nil {
			return nil, err
		}
		if err := p.listedAs(e, version); err != nil {
			return nil, fmt.Errorf("index entry %s %w: %w", e.Digest, ErrForeign, err)
		}
		all = append(all, p)
	}
	slices.SortFunc(all, byPlace)
	return all, nil
}

// listedAs checks that an index tells of p what is signed.
func (p *Packed) listedAs(e ocispec.Descriptor, version string) error {
	if got := p.Release.Manifest.Version; got != version {
		return fmt.Errorf("the index is of version %.80q, the signed manifest says %q", version, got)
	}
	for key, want := range p.Descriptor.Annotations {
		if got := e.Annotations[key]; got != want {
			return fmt.Errorf("annotation %s is %.80q, the signed manifest says %q", key, got, want)
		}
	}
	return nil
}
