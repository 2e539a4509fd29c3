package bundle

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/release"
	"github.com/tcpboot/tcpboot/release/attest"
	"github.com/tcpboot/tcpboot/release/cose"
)

// ReadAttachments reads the bundles and SBOMs of list. What is attached in another
// form than ours, in two files for one, is passed over.
func ReadAttachments(ctx context.Context, from Opener, list []*Attached) (all []Attachment, err error) {
	for _, a := range list {
		kind := a.Descriptor.ArtifactType
		if len(a.Blobs) != 2 || kind != attest.BundleType && kind != attest.SBOMType {
			continue
		}
		data, err := readFrom(ctx, from, a.Blobs[1], maxAttachedBlob)
		if err != nil {
			return nil, fmt.Errorf("attached %s: %w", a.Descriptor.Digest, err)
		}
		all = append(all, Attachment{Name: string(a.Descriptor.Digest), Kind: kind, Data: data, Annotations: a.annotations})
	}
	return all, nil
}

// A Judgement is what attachments prove of a release.
type Judgement struct {
	Findings []release.Finding
	About    About        // as far as it is proved
	Files    []Attachment // all of them, under the names that they have in a folder
}

// Judge holds what is attached to r against keys: those whose signature on r would
// count. What d names is the image manifest that packs r; zero: it is not at hand.
//
// It refuses what one of the keys has signed and what says something else all the
// same: a signature that is not right, a statement about another release, an SBOM
// that is not the one that was signed. What others have signed is left open: in a
// registry anybody who may push may attach, and whoever may remove can leave nothing.
func Judge(r *release.Release, d fleet.Digest, files []Attachment, keys []cose.Key) (*Judgement, error) {
	j := &judge{release: r, subjects: subjectsOf(r, d), keys: keys}
	for _, f := range files {
		if f.Kind != attest.BundleType {
			continue
		}
		if err := j.bundle(f); err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name, err)
		}
	}
	if err := j.sboms(files); err != nil {
		return nil, err
	}
	j.lacks()
	slices.SortStableFunc(j.done.Findings, func(a, b release.Finding) int { return strings.Compare(a.Subject, b.Subject) })
	return &j.done, nil
}

type judge struct {
	release     *release.Release
	subjects    []attest.Subject
	keys        []cose.Key
	done        Judgement
	signed      bool // as a whole, for cosign
	signedSBOMs []*attest.SBOM
	wants       fleet.Digest // the SBOM that the provenance names; zero: none
}

func (j *judge) proved(subject, format string, a ...any) { j.found(true, subject, format, a...) }
func (j *judge) open(subject, format string, a ...any)   { j.found(false, subject, format, a...) }

func (j *judge) found(proved bool, subject, format string, a ...any) {
	j.done.Findings = append(j.done.Findings, release.Finding{Subject: subject, Proved: proved, Detail: fmt.Sprintf(format, a...)})
}

// keep gives a file the name that it has in a folder.
func (j *judge) keep(f Attachment, name string) {
	f.Name = name
	for i := 2; slices.ContainsFunc(j.done.Files, func(g Attachment) bool { return g.Name == f.Name }); i++ {
		f.Name = fmt.Sprintf("%d-%s", i, name)
	}
	j.done.Files = append(j.done.Files, f)
}

// bundle judges a signature.
func (j *judge) bundle(f Attachment) error {
	b, err := attest.ReadBundle(f.Data)
	if err != nil {
		j.keep(f, "other"+bundleSuffix)
		j.open("attached", "%v", err)
		return nil
	}
	i := slices.IndexFunc(j.keys, func(k cose.Key) bool { return k.ID() == b.Key })
	if i < 0 {
		j.keep(f, "other"+bundleSuffix)
		j.open("attached", "a signature by key %v, which is not trusted with this release", b.Key)
		return nil
	}
	if err := b.Verify(j.keys[i]); err != nil {
		return err
	}
	if b.Statement == nil {
		return j.file(f, b)
	}
	return j.statement(f, b)
}

// file judges the signature of a file: it is one of the release's.
func (j *judge) file(f Attachment, b *attest.Bundle) error {
	i := slices.IndexFunc(j.subjects, func(s attest.Subject) bool { return s.Digest == b.Digest })
	if i < 0 {
		return fmt.Errorf("signs %s, which is no file of this release: %w", b.Digest, release.Mismatch)
	}
	name := j.subjects[i].Name
	j.keep(f, name+bundleSuffix)
	j.proved(name+": bundle", "signed by release key %v", b.Key)
	return j.annotated(f, b)
}

// annotated checks that the annotations repeat what is signed. Who packed f may
// have added others, and files in a folder have none.
func (j *judge) annotated(f Attachment, b *attest.Bundle) error {
	want, err := annotationsOf(b)
	if err != nil || f.Annotations == nil {
		return err
	}
	for key, text := range want {
		if got := f.Annotations[key]; got != text {
			return fmt.Errorf("annotation %s is %.80q, the signed statement says %q: %w", key, got, text, release.Mismatch)
		}
	}
	return nil
}

// statement judges what is said of the release.
func (j *judge) statement(f Attachment, b *attest.Bundle) error {
	s := b.Statement
	about := j.subjects[0]
	if about.Digest == (fleet.Digest{}) {
		about = j.subjects[1] // the manifest that it packs
	}
	if !slices.ContainsFunc(s.Subjects, func(is attest.Subject) bool { return is.Digest == about.Digest }) {
		if s.PredicateType == attest.Signed && about == j.subjects[1] {
			j.keep(f, signedFile)
			j.signed = true
			j.open("release: bundle", "of an image manifest that is not at hand: %s", packedFile)
			return nil
		}
		return fmt.Errorf("is about another release, %.80q: %w", s.Subjects[0].Name, release.Mismatch)
	}
	var err error
	switch s.PredicateType {
	case attest.Signed:
		j.keep(f, signedFile)
		j.signed = true
		j.proved("release: bundle", "signed by release key %v, for `cosign verify`", b.Key)
	case attest.Provenance:
		j.keep(f, provenanceFile)
		err = j.provenance(s)
	case attest.CycloneDX:
		j.keep(f, sbomBundleFile)
		err = j.attestedSBOM(s)
	default:
		j.keep(f, "other"+bundleSuffix)
		j.open("attached", "signed by release key %v, and of a kind that is not looked into: %.80q", b.Key, s.PredicateType)
	}
	if err != nil {
		return err
	}
	return j.annotated(f, b)
}

func (j *judge) provenance(s *attest.Statement) error {
	c, err := attest.ReadProvenance(s.Predicate)
	if err != nil {
		return err
	}
	if m := j.release.Manifest; c.Version != m.Version || c.Hardware != m.Hardware {
		return fmt.Errorf("tells of %.63q for %.63q: %w", c.Version, c.Hardware, release.Mismatch)
	}
	if j.done.About.Provenance == nil {
		j.done.About.Provenance = s.Predicate
		j.wants = c.SBOM
	}
	j.proved("provenance", "%s", provenanceText(c))
	return nil
}

// provenanceText tells seen from said.
func provenanceText(c attest.Cut) string {
	text := fmt.Sprintf("cut by %s on %s from image %s", c.Builder, c.Done.Format(time.RFC3339), c.Image)
	if c.Source != "" {
		text += ", which is said to be of " + c.Source
	}
	if c.Revision != "" {
		text += " at revision " + c.Revision
	}
	return text
}

func (j *judge) attestedSBOM(s *attest.Statement) error {
	list, err := attest.ReadSBOM(s.Predicate)
	if err != nil {
		return err
	}
	j.signedSBOMs = append(j.signedSBOMs, list)
	j.proved("SBOM", "CycloneDX %s, components: %d, signed", list.Version, list.Components)
	return nil
}

// sboms holds the SBOMs against those that were signed: one of them is one.
func (j *judge) sboms(files []Attachment) error {
	var others []Attachment
	for _, f := range files {
		switch {
		case f.Kind != attest.SBOMType:
		case j.isSigned(f.Data):
			j.keep(f, sbomFile)
			j.done.About.SBOM = &attest.SBOM{Text: f.Data}
		default:
			others = append(others, f)
		}
	}
	for _, f := range others {
		if len(j.signedSBOMs) > 0 && j.done.About.SBOM == nil {
			return fmt.Errorf("%s: is not the SBOM that was signed: %w", f.Name, release.Mismatch)
		}
		j.keep(f, "other."+sbomFile)
		j.open("attached", "an SBOM of %d bytes, which no trusted key has signed", len(f.Data))
	}
	return nil
}

// isSigned reports whether an SBOM is one that was signed.
func (j *judge) isSigned(text []byte) bool {
	if j.wants != (fleet.Digest{}) && j.wants != fleet.Sum(text) {
		return false
	}
	return slices.ContainsFunc(j.signedSBOMs, func(s *attest.SBOM) bool { return bytes.Equal(bytes.TrimSpace(text), s.Predicate()) })
}

// lacks names what is not there.
func (j *judge) lacks() {
	if !j.signed {
		j.open("release: bundle", "is not at hand")
	}
	if j.done.About.Provenance == nil {
		j.open("provenance", "is not at hand")
	}
	if j.wants != (fleet.Digest{}) && j.done.About.SBOM == nil {
		j.open("SBOM", "%s, which the provenance names, is not at hand", j.wants)
	}
}
