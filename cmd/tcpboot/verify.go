package main

import (
	"crypto/ecdsa"
	"encoding/json"
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
	Usage:        "prove a release: signatures, digests, image",
	ArgsUsage:    "VERSION|FILE",
	Description:  "A FILE is a signed image, as a board would get it.",
	BashComplete: completeVersions,
	Flags:        []cli.Flag{hardwareFlag},
	Action:       readingSite(releaseVerify),
}

// A proof is what verify found out of one release.
type proof struct {
	Version  string            `json:"version"`
	Hardware string            `json:"hardware"`
	Proved   bool              `json:"proved"`
	Findings []release.Finding `json:"findings"`
}

func releaseVerify(s *session) error {
	if err := wantArgs(s.cli, 1, "a version or a file"); err != nil {
		return err
	}
	what := s.cli.Args().First()
	if info, err := os.Stat(what); err == nil && info.Mode().IsRegular() {
		return s.verifyFile(what)
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
	for _, r := range found {
		whole, err := layout.Load(s.ctx(), r.Digest)
		if err != nil {
			return err
		}
		report, err := release.Verify(whole, trust)
		if err != nil {
			return fmt.Errorf("release %s for %s: %w", r.Manifest.Version, r.Manifest.Hardware, err)
		}
		proofs = append(proofs, proof{r.Manifest.Version, r.Manifest.Hardware, report.Proved(), report.Findings})
	}
	return answer(s.cli, proofs, func(w io.Writer) { proofText(w, proofs) })
}

func proofText(w io.Writer, proofs []proof) {
	for _, p := range proofs {
		fmt.Fprintf(w, "release %s for %s\n", p.Version, p.Hardware)
		for _, f := range p.Findings {
			mark := "proved"
			if !f.Proved {
				mark = "open"
			}
			fmt.Fprintf(w, "  %-6s  %s: %s\n", mark, f.Subject, f.Detail)
		}
	}
}

// verifyWhole proves a release with the site's keys; nothing may stay open.
func (s *session) verifyWhole(r *release.Release) error {
	trust, err := s.trust()
	if err != nil {
		return err
	}
	report, err := release.Verify(r, trust)
	if err != nil {
		return err
	}
	for _, f := range report.Findings {
		if !f.Proved {
			return fmt.Errorf("%s: %s", f.Subject, f.Detail)
		}
	}
	return nil
}

// trust is what releases are held against: the newest site document, proved
// from the release root on, and the public halves of the image keys.
func (s *session) trust() (t release.Trust, err error) {
	roots, err := s.releaseRoots()
	if err != nil {
		return t, err
	}
	signed, err := s.siteDocuments()
	if err != nil {
		return t, err
	}
	if t.Site, err = sitedoc.Chain(roots, signed...); err != nil {
		return t, err
	}
	t.App, t.AppV1, err = s.appTrust()
	return t, err
}

// releaseRoots are those that a new board trusts.
func (s *session) releaseRoots() (r sitedoc.Roots, err error) {
	root, err := s.public("release-root")
	if err != nil {
		return r, err
	}
	key, err := cose.KeyOf(root)
	return sitedoc.Roots{Keys: []cose.Key{key}, Threshold: 1}, err
}

func (s *session) appTrust() (v2 []fleet.Digest, v1 []*ecdsa.PublicKey, err error) {
	for _, scheme := range []espimage.Scheme{espimage.RSA3072, espimage.P256, espimage.P384} {
		pub, err := s.public(appKeyFor(scheme))
		if err != nil {
			return nil, nil, err
		}
		d, err := espimage.KeyDigest(pub)
		if err != nil {
			return nil, nil, err
		}
		v2 = append(v2, d)
		if key, ok := pub.(*ecdsa.PublicKey); ok && scheme == espimage.P256 {
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
		_, err = espimage.VerifyV1(image, v1[0])
		return v, err
	}
	signature, err := espimage.Verify(image, espimage.Trust{Keys: v2})
	if err != nil {
		return v, err
	}
	v.Scheme = signature.Blocks[0].Scheme
	return v, nil
}

// jsonText is a small value as the text of an audit row.
func jsonText(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // maps of digests and numbers always marshal
	}
	return string(text)
}
