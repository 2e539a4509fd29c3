package main

import (
	"fmt"
	"io"
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/registry"
	"github.com/tcpboot/tcpboot/release"
	"github.com/tcpboot/tcpboot/release/bundle"
	"github.com/tcpboot/tcpboot/release/espimage"
	"github.com/tcpboot/tcpboot/release/sign"
)

var cutVerb = &cli.Command{
	Name:      "cut",
	Usage:     "check an application image, sign it, state it in a signed manifest, store it",
	ArgsUsage: "IMAGE",
	Description: "IMAGE is the unsigned application, build/<project>.bin of ESP-IDF. The release\n" +
		"exists when this returns; boards get it when `release publish` offers it.",
	Flags: []cli.Flag{
		&cli.StringFlag{Name: "version", Usage: "call it `V`: 1.4.0"},
		&cli.StringFlag{Name: "hardware", Usage: "it is for hardware `H` of tcpboot.yaml"},
		&cli.StringSliceFlag{Name: "channel", Usage: "it may be offered on channel `CH` (default: the site's; may be repeated)"},
		&cli.UintFlag{Name: "counter", Usage: "its anti-rollback count is `N`", DefaultText: "the next"},
		forceFlag,
		&cli.StringFlag{Name: "min-loader", Usage: "loaders below version `V` do not install it"},
	},
	Action: withSite(releaseCut),
}

func releaseCut(s *session) error {
	if err := wantArgs(s.cli, 1, "an image"); err != nil {
		return err
	}
	if err := wantFlag(s.cli, "version"); err != nil {
		return err
	}
	q, err := s.cutRequest(s.cli.Args().First())
	if err != nil {
		return err
	}
	layout, err := s.layout()
	if err != nil {
		return err
	}
	if err := s.versionFree(layout, q); err != nil {
		return err
	}
	if err := s.number(q); err != nil {
		return err
	}
	r, err := release.Cut(*q)
	if err != nil {
		return err
	}
	if err := s.verifyWhole(r); err != nil {
		return fmt.Errorf("what was cut does not hold against the site's own keys: %w", err)
	}
	variants, told, err := s.cutVariants(q)
	if err != nil {
		return err
	}
	if err := layout.StoreVariants(s.ctx(), append([]*release.Release{r}, variants...)...); err != nil { // now the release exists
		return err
	}
	if err := s.recordCut(q, r, told); err != nil {
		return err
	}
	return answer(s.cli, releaseRow{Manifest: r.Manifest, Digest: r.Digest, Offered: []fleet.Offer{}, Variants: told}, func(w io.Writer) {
		fmt.Fprintf(w, "release %s for %s: %d bytes, signed %s, counter %s\n", q.Version, q.Hardware.Name, r.Manifest.Image.Size, q.Hardware.Scheme, counterText(r.Manifest.Counter))
		fmt.Fprintf(w, "manifest %s\n", r.Digest)
		for _, v := range told {
			fmt.Fprintf(w, "variant for the loaders of %d boards, by %s\n", v.Boards, v.Key)
		}
	})
}

// recordCut writes the audit row of a release that exists.
func (s *session) recordCut(q *release.Request, r *release.Release, variants []variantOf) error {
	detail := map[string]any{"manifest": r.Digest, "image": r.Manifest.Image.Digest}
	if len(variants) > 0 {
		detail["variants"] = variants
	}
	if unsafe := espimage.Unsafe(q.Hardware.Chip, q.Hardware.Scheme); unsafe != nil { // somebody insisted
		detail["forced"] = unsafe.Error()
	}
	return s.fleet.Record(s.ctx(), "release.cut", q.Hardware.Name+"/"+q.Version, jsonText(detail))
}

// cutRequest reads the image and the flags. Everything that can be refused
// before the registry gives numbers is refused here.
func (s *session) cutRequest(path string) (*release.Request, error) {
	c := s.cli
	image, err := readImage(path)
	if err != nil {
		return nil, err
	}
	if err := fleet.CheckName("version", c.String("version")); err != nil {
		return nil, usageError{err}
	}
	q := &release.Request{Site: s.site.Settings.Name, Version: c.String("version"), Image: image, MinLoader: c.String("min-loader")}
	if q.Hardware, err = s.hardware(c.String("hardware")); err != nil {
		return nil, err
	}
	if err := s.refuseUnsafe(q.Hardware); err != nil {
		return nil, err
	}
	notes, err := q.Check()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	for _, note := range notes {
		say(c, "note: %s", note)
	}
	if q.App, err = s.appKeys(q.Hardware.Scheme); err != nil {
		return nil, err
	}
	if err := s.variantKeysAtHand(q.Hardware); err != nil {
		return nil, err
	}
	q.Key, err = s.releaseSigner()
	return q, err
}

// hardware reads one entry of the settings; "" is the default one.
func (s *session) hardware(name string) (h release.Hardware, err error) {
	if name == "" {
		name = s.defaultHardware()
	}
	if err := s.knownHardware(name); err != nil {
		return h, err
	}
	set := s.site.Settings.Hardware[name]
	h = release.Hardware{Name: name, MinRevision: set.Revision(), Slot: int64(set.SlotSize()), Project: set.Project}
	if h.Chip, err = fleet.ParseChip(set.Chip); err != nil {
		return h, fmt.Errorf("tcpboot.yaml: hardware %s: %w", name, err)
	}
	if h.Scheme = espimage.Scheme(set.Signature); set.Signature == "by-chip" {
		h.Scheme, err = espimage.SchemeFor(h.Chip, h.MinRevision)
	}
	return h, err
}

// appKeyFor names the image key of a scheme. V1 and V2 share the P-256 key: no
// chip takes both for the same image.
func appKeyFor(s espimage.Scheme) string {
	if s == espimage.V1 {
		s = espimage.P256
	}
	return "app-" + string(s)
}

func (s *session) appKeys(scheme espimage.Scheme) ([]sign.App, error) {
	key, err := s.keys.open(appKeyFor(scheme))
	if err != nil {
		return nil, err
	}
	app, err := sign.NewApp(key)
	return []sign.App{app}, err
}

// versionFree refuses a version that exists before it costs a number.
func (s *session) versionFree(layout *depot, q *release.Request) error {
	if err := layout.finish(s.ctx(), q.Version); err != nil {
		return err
	}
	all, err := layout.Releases(s.ctx())
	if err != nil {
		return err
	}
	for _, r := range all {
		if r.Manifest.Version == q.Version && r.Manifest.Hardware == q.Hardware.Name {
			return fmt.Errorf("release %s for %s: %w", q.Version, q.Hardware.Name, bundle.ErrVersionTaken)
		}
	}
	return nil
}

// number lets the registry give the release its counter and sequences.
func (s *session) number(q *release.Request) error {
	channels := s.cli.StringSlice("channel")
	if len(channels) == 0 {
		channels = []string{s.site.Settings.Channel}
	}
	for i, ch := range channels {
		if err := fleet.CheckName("channel", ch); err != nil {
			return usageError{err}
		}
		if slices.Contains(channels[:i], ch) {
			return usagef("--channel %s stands twice", ch)
		}
	}
	var count *uint32
	if s.cli.IsSet("counter") {
		n := uint32(s.cli.Uint("counter"))
		if uint(n) != s.cli.Uint("counter") {
			return usagef("--counter %d: too large", s.cli.Uint("counter"))
		}
		count = &n
	}
	trust, err := s.trust()
	if err != nil {
		return err
	}
	n, err := s.fleet.Number(s.ctx(), q.Hardware.Name, q.Version, channels, trust.Site.Generation, count)
	if err != nil {
		return err
	}
	q.Counter, q.Sequences, q.Audit = n.Counter, n.Sequences, auditHead(n.Audit)
	return nil
}

// counterText is a counter as people see it, who know nothing of generations unless
// there is another than the first.
func counterText(c fleet.Counter) string {
	if c.Generation == 0 {
		return fmt.Sprint(c.Count)
	}
	return fmt.Sprintf("%d in generation %d", c.Count, c.Generation)
}

func auditHead(h registry.Head) release.Head {
	return release.Head{Sequence: h.Sequence, Hash: h.Hash}
}
