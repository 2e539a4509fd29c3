package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/tcpboot/tcpboot/pki/site"
	"github.com/tcpboot/tcpboot/release"
	"github.com/tcpboot/tcpboot/release/bundle"
	"github.com/tcpboot/tcpboot/release/sign"
)

var releaseFilesVerb = &cli.Command{
	Name:      "files",
	Usage:     "lay a release and its statements down as files, for other people's tools",
	ArgsUsage: "VERSION",
	Description: "DIR must not be there yet, or be empty. It gets the images and the signed manifest, a\n" +
		"sigstore bundle of each, the provenance, the SBOM, and the key that signed. Who has\n" +
		"that key from a better place (`key export release`) checks them with tcpboot and no\n" +
		"site, `release verify DIR --key release.pub`, or with nothing of ours:\n\n" +
		"cosign verify-blob --key release.pub --bundle app.bin.sigstore.json \\\n" +
		"   --insecure-ignore-tlog app.bin\n" +
		"cosign verify-blob-attestation --key release.pub --bundle provenance.sigstore.json \\\n" +
		"   --type slsaprovenance1 --insecure-ignore-tlog app.bin\n" +
		"cosign verify-blob-attestation --key release.pub --bundle sbom.sigstore.json \\\n" +
		"   --type cyclonedx --insecure-ignore-tlog app.bin\n\n" +
		"After `release push`, in the registry, by the DIGEST that `release show` calls packed:\n\n" +
		"cosign verify --key release.pub --insecure-ignore-tlog HOST/REPOSITORY@DIGEST\n\n" +
		"(No log is kept of these signatures, and so none is asked.)",
	BashComplete: completeVersions,
	Flags: []cli.Flag{hardwareFlag, &cli.PathFlag{Name: "out", Usage: "make the folder `DIR`"},
		&cli.StringFlag{Name: "app-key", Usage: "the variant for loaders that trust the app key `NAME`, as app-p256-1", DefaultText: "the present one"}},
	Action: readingSite(releaseFiles),
}

func releaseFiles(s *session) error {
	if err := wantArgs(s.cli, 1, "a version"); err != nil {
		return err
	}
	if err := wantFlag(s.cli, "out"); err != nil {
		return err
	}
	found, err := s.releases(s.ctx(), s.cli.Args().First())
	if err != nil {
		return err
	}
	if n := len(byHardware(found)); n > 1 {
		return usagef("release files: there is %s for %d kinds of boards: name one with --hardware", s.cli.Args().First(), n)
	}
	r, err := s.variantBy(s.cli.String("app-key"), found)
	if err != nil {
		return err
	}
	out := s.cli.Path("out")
	if err := refuseFilled(out); err != nil {
		return err
	}
	files, err := s.filesOf(r)
	if err != nil {
		return err
	}
	if err := site.WriteDir(out, files, 0o644); err != nil {
		return err
	}
	names := slices.Sorted(maps.Keys(files))
	return answer(s.cli, map[string]any{"out": out, "files": names}, func(w io.Writer) {
		for _, name := range names {
			fmt.Fprintln(w, filepath.Join(out, name))
		}
	})
}

var errFilled = errors.New("is there already")

// refuseFilled refuses a folder that is to be made and has something in it.
func refuseFilled(dir string) error {
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		return fmt.Errorf("%s: %w, with %d entries in it", dir, errFilled, len(entries))
	}
	return nil
}

// variantBy is the newest of found that the app key of that name has signed; the first
// where no name is given.
func (s *session) variantBy(name string, found []*release.Release) (*release.Release, error) {
	if name == "" {
		return found[0], nil
	}
	if !slices.Contains(s.appNames(), name) {
		return nil, usagef("--app-key %s: want one of %s", name, strings.Join(s.appNames(), ", "))
	}
	d, err := s.appDigest(name)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(found, func(r *release.Release) bool { return r.AppKey == d })
	if i < 0 {
		return nil, fmt.Errorf("release %s by %s: %w", found[0].Manifest.Version, name, errNoRelease)
	}
	return found[i], nil
}

// filesOf proves a release and returns it as files.
func (s *session) filesOf(r *release.Release) (map[string][]byte, error) {
	layout, err := s.layout()
	if err != nil {
		return nil, err
	}
	whole, err := layout.Load(s.ctx(), r.Digest)
	if err != nil {
		return nil, err
	}
	trust, err := s.trust()
	if err != nil {
		return nil, err
	}
	report, err := release.Verify(whole, trust)
	if err != nil {
		return nil, err
	}
	p, j, err := s.judged(r)
	if err != nil {
		return nil, err
	}
	files := bundle.Folder(whole, p, j.Files)
	signer, err := trust.Site.ReleaseKey(report.Signer, r.Manifest.Kind, r.Manifest.Hardware)
	if err != nil {
		return nil, err
	}
	files["release.pub"], err = sign.MarshalKey(signer)
	return files, err
}
