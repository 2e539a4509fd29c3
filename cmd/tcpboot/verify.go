package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/urfave/cli/v2"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/release"
	"github.com/tcpboot/tcpboot/release/cose"
	"github.com/tcpboot/tcpboot/release/espimage"
	"github.com/tcpboot/tcpboot/release/sitedoc"
)

var verifyVerb = &cli.Command{
	Name:         "verify",
	Usage:        "prove a release: signatures, digests, image, and what is said of it",
	ArgsUsage:    "VERSION|FILE|DIR...",
	Description:  aboutVerify,
	BashComplete: completeVersions,
	Flags:        append([]cli.Flag{hardwareFlag}, verifyFlags...),
	Action:       verifyAction,
}

// A proof is what verify found out of one release.
type proof struct {
	Version  string            `json:"version"`
	Hardware string            `json:"hardware"`
	Manifest fleet.Digest      `json:"manifest,omitzero"`
	Older    string            `json:"app_key,omitempty"` // of a variant: the app key from before that its loaders trust
	Proved   bool              `json:"proved"`
	Findings []release.Finding `json:"findings"`
	File     string            `json:"file,omitempty"` // where it lies, unless it is the site's
}

func releaseVerify(s *session) error {
	if err := wantArgs(s.cli, 1, "a version or a file"); err != nil {
		return err
	}
	what := s.cli.Args().First()
	switch info, err := os.Stat(what); {
	case err == nil && info.Mode().IsRegular():
		return s.verifyFile(what)
	case err == nil && info.IsDir():
		return s.verifyHere(what)
	}
	found, err := s.releases(s.ctx(), what)
	if err != nil {
		return err
	}
	layout, err := s.layout()
	if err != nil {
		return err
	}
	trust, err := s.trust()
	if err != nil {
		return err
	}
	var proofs []proof
	for _, r := range s.counting(found) {
		whole, err := layout.Load(s.ctx(), r.Digest)
		if err != nil {
			return err
		}
		report, err := release.Verify(whole, trust)
		if err != nil {
			return fmt.Errorf("release %s for %s: %w", r.Manifest.Version, r.Manifest.Hardware, err)
		}
		_, judged, err := s.judged(r)
		if err != nil {
			return fmt.Errorf("release %s for %s: %w", r.Manifest.Version, r.Manifest.Hardware, err)
		}
		p := proofOf(r, append(report.Findings, judged.Findings...))
		p.Older = s.formerName(r)
		proofs = append(proofs, p)
	}
	return answer(s.cli, proofs, func(w io.Writer) { proofText(w, proofs) })
}

func proofOf(r *release.Release, findings []release.Finding) proof {
	whole := release.Report{Findings: findings}
	return proof{Version: r.Manifest.Version, Hardware: r.Manifest.Hardware, Manifest: r.Digest, Proved: whole.Proved(), Findings: findings}
}

// title says what p is of: a release, or a file that is none.
func (p proof) title() string {
	switch {
	case p.Older != "":
		return fmt.Sprintf("release %s for %s, for loaders that trust %s", p.Version, p.Hardware, p.Older)
	case p.Hardware != "":
		return fmt.Sprintf("release %s for %s", p.Version, p.Hardware)
	case p.Version != "":
		return fmt.Sprintf("%s: image %s", p.File, printable(p.Version))
	}
	return p.File
}

func proofText(w io.Writer, proofs []proof) {
	for _, p := range proofs {
		fmt.Fprintln(w, p.title())
		for _, f := range p.Findings {
			mark := "proved"
			if !f.Proved {
				mark = "open"
			}
			fmt.Fprintf(w, "  %-6s  %s: %s\n", mark, f.Subject, printable(f.Detail))
		}
	}
}

// verifyWhole proves a release with the site's keys; nothing that boards ask for may
// stay open.
func (s *session) verifyWhole(r *release.Release) error {
	_, err := s.reportWhole(r)
	return err
}

func (s *session) reportWhole(r *release.Release) (*release.Report, error) {
	trust, err := s.trust()
	if err != nil {
		return nil, err
	}
	report, err := release.Verify(r, trust)
	if errors.Is(err, cose.Untrusted) {
		return nil, &uncountedError{err}
	}
	if err != nil {
		return nil, err
	}
	return report, report.Offerable()
}

// An uncountedError says that no key that counts has stated a release.
type uncountedError struct{ error }

func (e *uncountedError) Unwrap() error { return e.error }

// trust is what releases are held against: the newest site document, proved
// from the first release roots on, and the public halves of the image keys.
func (s *session) trust() (t release.Trust, err error) {
	first, err := s.firstRoots()
	if err != nil {
		return t, err
	}
	signed, err := s.siteDocuments()
	if err != nil {
		return t, err
	}
	if t.Site, err = sitedoc.Chain(first, signed...); err != nil {
		return t, err
	}
	if t.App, t.AppV1, err = s.appTrust(); err != nil {
		return t, err
	}
	mcu, err := s.mcuPublic()
	if mcu != nil {
		t.MCU = []crypto.PublicKey{mcu}
	}
	return t, err
}

func (s *session) appTrust() (v2 []fleet.Digest, v1 []*ecdsa.PublicKey, err error) {
	for _, name := range s.appNames() {
		pub, err := s.public(name)
		if err != nil {
			return nil, nil, err
		}
		d, err := espimage.KeyDigest(pub)
		if err != nil {
			return nil, nil, err
		}
		v2 = append(v2, d)
		if key, ok := pub.(*ecdsa.PublicKey); ok && key.Curve == elliptic.P256() {
			v1 = append(v1, key)
		}
	}
	return v2, v1, nil
}

// verifyFile proves a signed image by itself: structure and signature.
func (s *session) verifyFile(path string) error {
	image, err := readImage(path)
	if err != nil {
		return err
	}
	if !isImage(image) {
		return s.verifyHere(path)
	}
	v, err := s.judge(image)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return answer(s.cli, v, func(w io.Writer) { fmt.Fprintf(w, "%s\n", v) })
}

// A verdict is what a board would make of an image.
type verdict struct {
	Chip    fleet.Chip      `json:"chip"`
	Project string          `json:"project"`
	Version string          `json:"version"`
	Scheme  espimage.Scheme `json:"scheme"`
	Bytes   int             `json:"bytes"`
}

func (v verdict) String() string {
	return fmt.Sprintf("%s image, project %s, version %s: whole, and signed by the site's app key (%s)",
		v.Chip, printable(v.Project), printable(v.Version), v.Scheme)
}

// judge proves structure and signature of an image as a board receives it.
func (s *session) judge(image []byte) (v verdict, err error) {
	im, err := espimage.Parse(image)
	if err != nil {
		return v, err
	}
	v2, v1, err := s.appTrust()
	if err != nil {
		return v, err
	}
	v = verdict{Chip: im.Chip, Project: im.Descriptor.Project, Version: im.Descriptor.Version, Bytes: len(image)}
	if len(image) == espimage.SignedSize(im.Length, espimage.V1) {
		v.Scheme = espimage.V1
		for _, key := range v1 {
			if _, err = espimage.VerifyV1(image, key); err == nil {
				break
			}
		}
		return v, err
	}
	signature, err := espimage.Verify(image, espimage.Trust{Keys: v2})
	if err != nil {
		return v, err
	}
	v.Scheme = signature.Blocks[0].Scheme
	return v, nil
}
