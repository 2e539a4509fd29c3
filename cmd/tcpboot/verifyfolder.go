package main

import (
	"crypto/ecdsa"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/urfave/cli/v2"

	"github.com/tcpboot/tcpboot/release"
	"github.com/tcpboot/tcpboot/release/bundle"
	"github.com/tcpboot/tcpboot/release/cose"
	"github.com/tcpboot/tcpboot/release/espimage"
	"github.com/tcpboot/tcpboot/release/sign"
	"github.com/tcpboot/tcpboot/release/sitedoc"
)

const aboutVerify = "A FILE is a signed image, as a board would get it; a DIR is what `release files` has\n" +
	"made. With --key a DIR is held against that key, and no site is needed."

var verifyFlags = []cli.Flag{
	&cli.PathFlag{Name: "key", Usage: "without a site: the release key in `FILE`, PEM, and no other"},
	&cli.PathFlag{Name: "app-key", Usage: "with --key: images must be signed by the key in `FILE`, PEM"},
}

func verifyAction(c *cli.Context) error {
	if c.Path("key") != "" {
		return verifyWithKey(c)
	}
	if c.Path("app-key") != "" {
		return usagef("release verify: --app-key goes with --key: a site knows its own")
	}
	return readingSite(releaseVerify)(c)
}

// verifyFolder proves a release in a folder with the site's keys.
func (s *session) verifyFolder(dir string) error {
	files, err := readFolder(dir)
	if err != nil {
		return err
	}
	trust, err := s.trust()
	if err != nil {
		return err
	}
	p, err := prove(files, func(*release.Release) release.Trust { return trust })
	if err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	return answer(s.cli, []proof{p}, func(w io.Writer) { proofText(w, []proof{p}) })
}

// verifyWithKey proves a release in a folder with a key that somebody has brought.
func verifyWithKey(c *cli.Context) error {
	if err := wantArgs(c, 1, "a folder"); err != nil {
		return err
	}
	dir := c.Args().First()
	files, err := readFolder(dir)
	if err != nil {
		return err
	}
	trust, err := keysGiven(c)
	if err != nil {
		return err
	}
	p, err := prove(files, func(r *release.Release) release.Trust {
		// Without a site document all that is asked of the manifest is the key.
		trust.Site.Site, trust.Site.Generation = r.Manifest.Site, r.Manifest.Counter.Generation
		trust.Site.Keys[0].Kind = r.Manifest.Kind
		return trust
	})
	if errors.Is(err, cose.Untrusted) {
		err = fmt.Errorf("the manifest is signed by another key than that of %s", c.Path("key"))
	}
	if err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	p.withoutSite(c.Path("key"))
	return answer(c, []proof{p}, func(w io.Writer) { proofText(w, []proof{p}) })
}

// withoutSite takes back what only a site document proves.
func (p *proof) withoutSite(key string) {
	for i, f := range p.Findings {
		switch f.Subject {
		case "manifest":
			p.Findings[i].Detail = "signed by the release key of " + printable(key)
		case "counter":
			p.Findings[i] = release.Finding{Subject: f.Subject, Detail: "no site document to hold it against"}
			p.Proved = false
		}
	}
}

// prove holds files against keys.
func prove(files map[string][]byte, trust func(*release.Release) release.Trust) (p proof, err error) {
	r, d, attached, err := bundle.ReadFolder(files)
	if err != nil {
		return p, err
	}
	t := trust(r)
	report, err := release.Verify(r, t)
	if err != nil {
		return p, err
	}
	judged, err := bundle.Judge(r, d, attached, keysFor(t.Site, r))
	if err != nil {
		return p, err
	}
	return proofOf(r, append(report.Findings, judged.Findings...)), nil
}

// maxInFolder bounds the files of a folder that are looked at.
const maxInFolder = 64

// readFolder reads what may be part of a release.
func readFolder(dir string) (map[string][]byte, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for _, e := range entries {
		limit := bundle.InFolder(e.Name())
		if !e.Type().IsRegular() || limit == 0 {
			continue
		}
		if len(files) == maxInFolder {
			return nil, fmt.Errorf("%s: more than %d files", dir, maxInFolder)
		}
		if files[e.Name()], err = readAtMost(filepath.Join(dir, e.Name()), limit); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// keysGiven reads the keys of the flags.
func keysGiven(c *cli.Context) (t release.Trust, err error) {
	text, err := readAtMost(c.Path("key"), sign.MaxPublicPEM)
	if err != nil {
		return t, err
	}
	key, err := sign.ParseKey(text)
	if err != nil {
		return t, fmt.Errorf("%s: %w", c.Path("key"), err)
	}
	t.Site = &sitedoc.Doc{Keys: []sitedoc.ReleaseKey{{Key: key}}}
	if file := c.Path("app-key"); file != "" {
		err = addAppKey(&t, file)
	}
	return t, err
}

func addAppKey(t *release.Trust, file string) error {
	text, err := readAtMost(file, sign.MaxPublicPEM)
	if err != nil {
		return err
	}
	pub, err := cryptoutils.UnmarshalPEMToPublicKey(text)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	d, err := espimage.KeyDigest(pub)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	t.App = append(t.App, d)
	if key, ok := pub.(*ecdsa.PublicKey); ok {
		t.AppV1 = append(t.AppV1, key)
	}
	return nil
}
