package bundle

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/release"
)

// The kinds of blobs, and of the artifact that they make up.
const (
	ArtifactType       = "application/vnd.tcpboot.release.v1"
	MediaTypeManifest  = release.Type                           // Release.Signed
	MediaTypeImage     = "application/vnd.tcpboot.image.v1"     // Manifest.Image, signed for its chip
	MediaTypeComponent = "application/vnd.tcpboot.component.v1" // one of Manifest.Others
	MediaTypeChunks    = "application/vnd.tcpboot.chunks.v1"    // chunk digests, 32 bytes each
)

// Annotations of our own; the version is org.opencontainers.image.version.
const (
	AnnotationHardware = "dev.tcpboot.hardware"
	AnnotationChip     = "dev.tcpboot.chip"
	AnnotationKind     = "dev.tcpboot.kind"
	AnnotationAppKey   = "dev.tcpboot.app-key" // of the image's signature; nobody signed this
)

// RefName is the name under which the newest statement of a release is listed.
// Both parts come from the alphabet of fleet.CheckName, so that it is a valid
// tag of at most 127 characters.
func RefName(version, hardware string) string { return version + "-" + hardware }

// describe returns the image manifest that packs r: the same whenever it is
// asked.
func describe(r *release.Release) ocispec.Manifest {
	layers := []ocispec.Descriptor{layer(MediaTypeManifest, statementFile, r.Digest, int64(len(r.Signed)))}
	for i, c := range r.Manifest.Components() {
		kind := MediaTypeComponent
		if i == 0 {
			kind = MediaTypeImage
		}
		layers = append(layers,
			layer(kind, c.Name+".bin", c.Digest, c.Size),
			layer(MediaTypeChunks, c.Name+".chunks", c.Chunks, chunkListSize(c)))
	}
	a := ocispec.Manifest{
		Versioned:    specs.Versioned{SchemaVersion: 2},
		MediaType:    ocispec.MediaTypeImageManifest,
		ArtifactType: ArtifactType,
		Config:       ocispec.DescriptorEmptyJSON,
		Layers:       layers,
		Annotations:  annotations(r.Manifest),
	}
	if r.AppKey != (fleet.Digest{}) {
		a.Annotations[AnnotationAppKey] = r.AppKey.String()
	}
	return a
}

func annotations(m release.Manifest) map[string]string {
	return map[string]string{
		ocispec.AnnotationVersion: m.Version,
		AnnotationHardware:        m.Hardware,
		AnnotationChip:            string(m.Chip),
		AnnotationKind:            string(m.Kind),
	}
}

func layer(mediaType, title string, d fleet.Digest, size int64) ocispec.Descriptor {
	return ocispec.Descriptor{
		MediaType:   mediaType,
		Digest:      digest.Digest(d.String()),
		Size:        size,
		Annotations: map[string]string{ocispec.AnnotationTitle: title},
	}
}

// parseArtifact reads an image manifest. ours is false for one of another kind.
func parseArtifact(text []byte) (a ocispec.Manifest, ours bool, err error) {
	if err := json.Unmarshal(text, &a); err != nil {
		return ocispec.Manifest{}, false, fmt.Errorf("not an image manifest: %v", err)
	}
	if a.ArtifactType != ArtifactType {
		return ocispec.Manifest{}, false, nil
	}
	if a.SchemaVersion != 2 || a.MediaType != ocispec.MediaTypeImageManifest {
		return ocispec.Manifest{}, false, fmt.Errorf("schema version %d, media type %.80q, want 2, %q",
			a.SchemaVersion, a.MediaType, ocispec.MediaTypeImageManifest)
	}
	statements := 0
	for i, d := range a.Layers {
		if err := checkDescriptor(d); err != nil {
			return ocispec.Manifest{}, false, fmt.Errorf("layer %d: %w", i, err)
		}
		if d.MediaType == MediaTypeManifest {
			statements++
		}
	}
	if statements != 1 {
		return ocispec.Manifest{}, false, fmt.Errorf("%d layers of type %s, want 1", statements, MediaTypeManifest)
	}
	return a, true, checkDescriptor(a.Config)
}

// statement is the digest of the signed manifest in a, which parseArtifact read.
func statement(a ocispec.Manifest) fleet.Digest {
	i := slices.IndexFunc(a.Layers, func(d ocispec.Descriptor) bool { return d.MediaType == MediaTypeManifest })
	return digestOf(a.Layers[i])
}

// digestOf is the digest of a checked descriptor.
func digestOf(d ocispec.Descriptor) fleet.Digest {
	sum, err := fleet.ParseDigest(string(d.Digest))
	if err != nil {
		panic("bundle: unchecked descriptor: " + err.Error())
	}
	return sum
}

// images lists what a gives to chips: digests and titles, without the statement
// and the chunk lists. A restated release has the same.
func images(a ocispec.Manifest) []string {
	var list []string
	for _, d := range a.Layers {
		if d.MediaType == MediaTypeImage || d.MediaType == MediaTypeComponent {
			list = append(list, string(d.Digest)+" "+d.Annotations[ocispec.AnnotationTitle])
		}
	}
	return list
}

// agrees checks that a packs what the signed manifest m states: annotations and
// layers are for people and registries, and must not tell them another story.
func agrees(a ocispec.Manifest, m release.Manifest) error {
	for key, want := range annotations(m) {
		if got := a.Annotations[key]; got != want {
			return fmt.Errorf("annotation %s is %.80q, the signed manifest says %q", key, got, want)
		}
	}
	for _, c := range m.Components() {
		if !packs(a, c.Digest, c.Size) || !packs(a, c.Chunks, chunkListSize(c)) {
			return fmt.Errorf("component %s of the signed manifest is no layer", c.Name)
		}
	}
	return nil
}

func packs(a ocispec.Manifest, d fleet.Digest, size int64) bool {
	return slices.ContainsFunc(a.Layers, func(l ocispec.Descriptor) bool { return digestOf(l) == d && l.Size == size })
}
