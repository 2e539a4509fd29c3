package bundle

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/release"
	"github.com/tcpboot/tcpboot/release/attest"
	"github.com/tcpboot/tcpboot/release/cose"
	"github.com/tcpboot/tcpboot/release/sign"
)

// Names of the files that go with a release; the bundle of a file has the file's
// name and bundleSuffix.
const (
	statementFile  = "manifest.cose"
	signedFile     = "release" + bundleSuffix
	provenanceFile = "provenance" + bundleSuffix
	sbomFile       = "sbom.cdx.json"
	sbomBundleFile = "sbom" + bundleSuffix
	bundleSuffix   = ".sigstore.json"
)

// How cosign annotates what it attaches.
const (
	annotationContent   = "dev.sigstore.bundle.content"
	annotationPredicate = "dev.sigstore.bundle.predicateType"
)

// An Attachment is a file that goes with a release.
type Attachment struct {
	Name        string
	Kind        string // its media type
	Data        []byte
	Annotations map[string]string // of the manifest that packs it; they repeat what is in Data
}

// An About is what is said of a release beside its manifest. Neither part need be.
type About struct {
	Provenance json.RawMessage // a predicate: attest.Cut
	SBOM       *attest.SBOM
}

// A Draft is an Attachment that waits for its signature.
type Draft struct {
	attest.Draft
	name string
}

// Drafts lists what a release key is to sign of r beside its manifest. Of r's
// images the app must be at hand. What d names is the image manifest that packs r.
func Drafts(r *release.Release, d fleet.Digest, about About) (all []Draft, err error) {
	for _, f := range []struct {
		name string
		data []byte
		sum  fleet.Digest
	}{{statementFile, r.Signed, r.Digest}, {release.AppComponent + ".bin", r.Images[release.AppComponent], r.Manifest.Image.Digest}} {
		draft, err := attest.OfStated(f.data, f.sum)
		if err != nil {
			return nil, fmt.Errorf("%s %w", f.name, err)
		}
		all = append(all, Draft{draft, f.name + bundleSuffix})
	}
	subjects := subjectsOf(r, d)
	said := []saying{{signedFile, attest.Statement{Subjects: subjects[:1], PredicateType: attest.Signed, Predicate: json.RawMessage("{}")}}}
	if about.Provenance != nil {
		said = append(said, saying{provenanceFile, attest.Statement{Subjects: subjects, PredicateType: attest.Provenance, Predicate: about.Provenance}})
	}
	if about.SBOM != nil {
		said = append(said, saying{sbomBundleFile, attest.Statement{Subjects: subjects, PredicateType: attest.CycloneDX, Predicate: about.SBOM.Predicate()}})
	}
	for _, s := range said {
		draft, err := attest.OfStatement(s.statement)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.name, err)
		}
		all = append(all, Draft{draft, s.name})
	}
	return all, nil
}

type saying struct {
	name      string
	statement attest.Statement
}

// subjectsOf lists what a statement about r is about: the image manifest, and the
// files that it packs.
func subjectsOf(r *release.Release, d fleet.Digest) []attest.Subject {
	m := r.Manifest
	all := []attest.Subject{{Name: RefName(m.Version, m.Hardware), Digest: d}, {Name: statementFile, Digest: r.Digest}}
	for _, c := range m.Components() {
		all = append(all, attest.Subject{Name: c.Name + ".bin", Digest: c.Digest})
	}
	return all
}

// Complete returns the attachment with a signature that was made elsewhere: DER,
// over d.Digest. It refuses one that is not by key.
func (d Draft) Complete(key cose.Key, der []byte) (Attachment, error) {
	text, err := d.Draft.Complete(key, der)
	if err != nil {
		return Attachment{}, fmt.Errorf("%s: %w", d.name, err)
	}
	return d.attachment(text)
}

func (d Draft) attachment(text []byte) (Attachment, error) {
	b, err := attest.ReadBundle(text)
	if err != nil {
		return Attachment{}, fmt.Errorf("%s: %w", d.name, err)
	}
	annotations, err := annotationsOf(b)
	return Attachment{d.name, attest.BundleType, text, annotations}, err
}

// annotationsOf tells people and registries what b says.
func annotationsOf(b *attest.Bundle) (map[string]string, error) {
	if b.Statement == nil {
		return map[string]string{annotationContent: "message-signature"}, nil
	}
	all := map[string]string{annotationContent: "dsse-envelope", annotationPredicate: b.Statement.PredicateType}
	if b.Statement.PredicateType != attest.Provenance {
		return all, nil
	}
	c, err := attest.ReadProvenance(b.Statement.Predicate)
	if err != nil {
		return nil, err
	}
	all[ocispec.AnnotationCreated] = c.Done.Format(time.RFC3339)
	for key, text := range map[string]string{ocispec.AnnotationSource: c.Source, ocispec.AnnotationRevision: c.Revision} {
		if text != "" {
			all[key] = text
		}
	}
	return all, nil
}

// SignDrafts signs all drafts with one key.
func SignDrafts(drafts []Draft, key sign.Release) (all []Attachment, err error) {
	return signDrafts(drafts, func(Draft) (sign.Release, error) { return key, nil })
}

// signDrafts signs each draft with a key of its own. All are asked before an error of
// one is returned, so that a key that is elsewhere is told of all at once.
func signDrafts(drafts []Draft, keyFor func(Draft) (sign.Release, error)) (all []Attachment, err error) {
	var failed []error
	for _, d := range drafts {
		a, err := d.signBy(keyFor)
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", d.name, err))
		}
		all = append(all, a)
	}
	if failed != nil {
		return nil, errors.Join(failed...)
	}
	return all, nil
}

func (d Draft) signBy(keyFor func(Draft) (sign.Release, error)) (a Attachment, err error) {
	key, err := keyFor(d)
	if err != nil {
		return a, err
	}
	text, err := d.Sign(key)
	if err != nil {
		return a, err
	}
	return d.attachment(text)
}

// Name is that of the statement: the attachment's, without what all of them end in.
func (d Draft) Name() string { return strings.TrimSuffix(d.name, bundleSuffix) }

// Attach makes everything that goes with r as it is packed here: what key signs, and
// the SBOM itself. With a key in memory the same release and About give the same
// bytes.
func Attach(r *release.Release, about About, key sign.Release) ([]Attachment, error) {
	return AttachBy(r, about, func(Draft) (sign.Release, error) { return key, nil })
}

// AttachBy is Attach where each statement is signed by a signer of its own.
func AttachBy(r *release.Release, about About, keyFor func(Draft) (sign.Release, error)) ([]Attachment, error) {
	text, err := json.Marshal(describe(r))
	if err != nil {
		return nil, err
	}
	drafts, err := Drafts(r, fleet.Sum(text), about)
	if err != nil {
		return nil, err
	}
	all, err := signDrafts(drafts, keyFor)
	if err == nil && about.SBOM != nil {
		all = append(all, Attachment{Name: sbomFile, Kind: attest.SBOMType, Data: about.SBOM.Text})
	}
	return all, err
}

// Sign attaches to a release of the layout the signatures that it lacks: those of
// its files, and the one that `cosign verify --key` looks for. What boards go by is
// the signed manifest; these are for people who know cosign. What key has signed
// before it does not sign again: a key in memory would make the same, others not.
func (l *Layout) Sign(ctx context.Context, p *Packed, key sign.Release) error {
	whole, err := l.Load(ctx, p.Release.Digest)
	if err != nil {
		return err
	}
	drafts, err := Drafts(whole, digestOf(p.Descriptor), About{})
	if err != nil {
		return err
	}
	list, err := l.Attached(ctx, p)
	if err != nil {
		return err
	}
	files, err := ReadAttachments(ctx, l, list)
	if err != nil {
		return err
	}
	all, err := SignDrafts(unsigned(drafts, files, key.Key().ID()), key)
	if err != nil || len(all) == 0 {
		return err
	}
	parcels, err := packAll(p.Descriptor, all)
	if err != nil {
		return err
	}
	return l.storeAll(ctx, parcels)
}

// unsigned are those of drafts that no bundle among files is of, by that key.
func unsigned(drafts []Draft, files []Attachment, id cose.KeyID) (left []Draft) {
	signed := map[fleet.Digest]bool{}
	for _, f := range files {
		if b, err := attest.ReadBundle(f.Data); f.Kind == attest.BundleType && err == nil && b.Key == id {
			signed[b.Digest] = true
		}
	}
	for _, d := range drafts {
		if !signed[d.Digest] {
			left = append(left, d)
		}
	}
	return left
}

// packAll packs all as attached to subject.
func packAll(subject ocispec.Descriptor, all []Attachment) (parcels []*parcel, err error) {
	for _, a := range all {
		p, err := a.pack(subject)
		if err != nil {
			return nil, err
		}
		parcels = append(parcels, p)
	}
	return parcels, nil
}

func (a Attachment) pack(subject ocispec.Descriptor) (*parcel, error) {
	content := blobOf(a.Name, a.Data)
	text, err := json.Marshal(ocispec.Manifest{
		Versioned:    specs.Versioned{SchemaVersion: 2},
		MediaType:    ocispec.MediaTypeImageManifest,
		ArtifactType: a.Kind,
		Config:       ocispec.DescriptorEmptyJSON,
		Layers:       []ocispec.Descriptor{layer(a.Kind, a.Name, content.digest, content.size)},
		Subject:      &ocispec.Descriptor{MediaType: subject.MediaType, Digest: subject.Digest, Size: subject.Size},
		Annotations:  a.Annotations,
	})
	if err != nil {
		return nil, err
	}
	manifest := blobOf("image manifest", text)
	return &parcel{
		entry: ocispec.Descriptor{MediaType: ocispec.MediaTypeImageManifest, ArtifactType: a.Kind, Digest: digest.Digest(manifest.digest.String()), Size: manifest.size},
		blobs: []blob{content, blobOf("configuration", ocispec.DescriptorEmptyJSON.Data), manifest},
	}, nil
}
