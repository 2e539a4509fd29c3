package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/site"
	"github.com/tcpboot/tcpboot/release"
	"github.com/tcpboot/tcpboot/release/bundle"
	"github.com/tcpboot/tcpboot/release/remote"
)

var hardwareFlag = &cli.StringFlag{Name: "hardware", Usage: "only for hardware `H`"}

var releaseVerb = &cli.Command{
	Name:  "release",
	Usage: "cut, look at, and publish firmware",
	Subcommands: []*cli.Command{
		cutVerb, attachVerb, pendingVerb,
		{Name: "list", Usage: "every release, and what offers it", Flags: []cli.Flag{hardwareFlag}, Action: readingSite(releaseList)},
		{Name: "show", Usage: "one release", ArgsUsage: "VERSION", Flags: []cli.Flag{hardwareFlag}, BashComplete: completeVersions, Action: readingSite(releaseShow)},
		verifyVerb, releaseFilesVerb,
		publishVerb, approveVerb, advanceVerb, pauseVerb, resumeVerb, withdrawVerb, rolloutVerb, restateVerb, resetVerb,
		mcubootVerb,
		pushVerb, pullVerb,
	},
}

// releasesDir is where the OCI layout lies; a relative folder lies in the site.
// That of a registry is a cache.
func releasesDir(s *site.Site) string {
	if strings.HasPrefix(s.Settings.Releases, remote.Scheme) {
		return s.Path("releases")
	}
	if filepath.IsAbs(s.Settings.Releases) {
		return s.Settings.Releases
	}
	return s.Path(s.Settings.Releases)
}

// releases lists the releases of a version, newest statement first, and of variants
// the one by the present app key; version "" and --hardware "" are any.
func (s *session) releases(ctx context.Context, version string) ([]*release.Release, error) {
	layout, err := s.layout()
	if err != nil {
		return nil, err
	}
	all, err := layout.Releases(ctx)
	if err != nil {
		say(s.cli, "cannot read every release: %v", err)
	}
	hardware := s.cli.String("hardware")
	var found []*release.Release
	for _, r := range all {
		if (version == "" || r.Manifest.Version == version) && (hardware == "" || r.Manifest.Hardware == hardware) {
			found = append(found, r)
		}
	}
	former := s.formerDigests()
	slices.SortStableFunc(found, func(a, b *release.Release) int {
		return cmp.Or(cmp.Compare(highest(b), highest(a)), former[a.AppKey]-former[b.AppKey])
	})
	if len(found) == 0 && version != "" {
		return nil, fmt.Errorf("release %s%s: %w", version, forHardware(hardware), errNoRelease)
	}
	return found, nil
}

var errNoRelease = errors.New("there is none")

func forHardware(h string) string {
	if h == "" {
		return ""
	}
	return " for " + h
}

// highest is the highest sequence that r has anywhere.
func highest(r *release.Release) (n uint64) {
	for _, seq := range r.Manifest.Sequences {
		n = max(n, seq)
	}
	return n
}

// A releaseRow is one release as people and scripts see it.
type releaseRow struct {
	release.Manifest
	Digest  fleet.Digest  `json:"digest"`
	Offered []fleet.Offer `json:"offered"`

	Variants []variantOf `json:"variants,omitempty"` // for older loaders
}

func releaseList(s *session) error {
	rows, err := s.releaseRows("")
	if err != nil {
		return err
	}
	if len(rows) == 0 {
		say(s.cli, "no release: `tcpboot release cut IMAGE --version V` makes one")
	}
	return answer(s.cli, emptyNotNull(rows), func(w io.Writer) {
		cells := make([][]string, len(rows))
		for i, r := range rows {
			cells[i] = []string{r.Version, r.Hardware, string(r.Chip), fmt.Sprintf("%d.%d", r.Counter.Generation, r.Counter.Count),
				fmt.Sprint(r.Image.Size), offeredText(r.Offered)}
		}
		table(w, "VERSION HARDWARE CHIP COUNTER BYTES OFFERED", cells)
	})
}

// releaseRows pairs releases with the offers of them. Of several statements of
// one release the newest is shown, and those that are offered.
func (s *session) releaseRows(version string) ([]releaseRow, error) {
	found, err := s.releases(s.ctx(), version)
	if err != nil {
		return nil, err
	}
	offers, err := s.fleet.Offers(s.ctx())
	if err != nil {
		return nil, err
	}
	var rows []releaseRow
	shown := map[string]bool{}
	for _, r := range found {
		row := releaseRow{Manifest: r.Manifest, Digest: r.Digest, Offered: []fleet.Offer{}}
		if row.Variants, err = s.shownVariants(r, found); err != nil {
			return nil, err
		}
		for _, o := range offers {
			if o.Manifest == r.Digest {
				row.Offered = append(row.Offered, o)
			}
		}
		name := bundle.RefName(r.Manifest.Version, r.Manifest.Hardware)
		if !shown[name] || len(row.Offered) > 0 {
			rows = append(rows, row)
		}
		shown[name] = true
	}
	return rows, nil
}

func offeredText(offers []fleet.Offer) string {
	var parts []string
	for _, o := range offers {
		part := o.Channel
		if wave := release.WaveOf(o); wave.Percent < 100 {
			part += " " + release.WaveText(wave)
		}
		switch {
		case o.Plan.Stopped != "":
			part += " (stopped)"
		case o.Paused:
			part += " (paused)"
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, ", ")
}

func releaseShow(s *session) error {
	if err := wantArgs(s.cli, 1, "a version"); err != nil {
		return err
	}
	rows, err := s.releaseRows(s.cli.Args().First())
	if err != nil {
		return err
	}
	var shown []shownRelease
	for _, r := range rows {
		one, err := s.shown(r)
		if err != nil {
			return err
		}
		if one.Signatures, err = s.signaturesOf(r); err != nil {
			return err
		}
		shown = append(shown, one)
	}
	return answer(s.cli, shown, func(w io.Writer) {
		for _, r := range shown {
			releaseText(w, r.releaseRow)
			signaturesText(w, r.Signatures)
			statementsText(w, r)
		}
	})
}

func releaseText(w io.Writer, r releaseRow) {
	line := func(what, value string) { fmt.Fprintf(w, "%-10s %s\n", what, printable(value)) }
	line("version", r.Version)
	line("hardware", r.Hardware+" ("+string(r.Chip)+")")
	line("counter", fmt.Sprintf("%d in generation %d", r.Counter.Count, r.Counter.Generation))
	for _, channel := range slices.Sorted(maps.Keys(r.Sequences)) {
		line("sequence", fmt.Sprintf("%d on %s", r.Sequences[channel], channel))
	}
	line("image", fmt.Sprintf("%d bytes, %s", r.Image.Size, r.Image.Digest))
	for _, c := range r.Others {
		line("component", fmt.Sprintf("%s, %d bytes", c.Name, c.Size))
	}
	line("manifest", r.Digest.String())
	for _, v := range r.Variants {
		line("variant", fmt.Sprintf("%s, by %s, for the loaders of %d boards", v.Manifest, v.Key, v.Boards))
	}
	line("audit", fmt.Sprintf("row %d, %s", r.AuditSeq, r.Audit))
	line("offered", offeredText(r.Offered))
}

// completeVersions offers the versions that there are.
func completeVersions(c *cli.Context) {
	cli.DefaultCompleteWithFlags(c.Command)(c)
	_ = readingSite(func(s *session) (err error) {
		if s.depot, err = s.openDepot(); err != nil { // a shell does not wait for a registry
			return err
		}
		rows, err := s.releaseRows("")
		for _, r := range rows {
			fmt.Fprintln(c.App.Writer, r.Version)
		}
		return err
	})(c) // a shell has no use for the error
}

// readImage reads an application image, bounded by what a release may hold.
func readImage(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	image, err := io.ReadAll(io.LimitReader(f, release.MaxImage+1))
	if err != nil {
		return nil, err
	}
	if len(image) > release.MaxImage {
		return nil, fmt.Errorf("%s: larger than %d bytes", path, release.MaxImage)
	}
	return image, nil
}

// siteDocuments reads the chain of site documents, epoch 1 first.
func (s *session) siteDocuments() (signed [][]byte, err error) {
	for epoch := 1; ; epoch++ {
		text, err := os.ReadFile(s.site.Path("sitedocs", fmt.Sprintf("%d.cose", epoch)))
		if errors.Is(err, fs.ErrNotExist) && epoch > 1 {
			return signed, nil
		}
		if err != nil {
			return nil, err
		}
		signed = append(signed, text)
	}
}
