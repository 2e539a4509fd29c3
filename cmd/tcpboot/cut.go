package main

import (
	"errors"
	"fmt"
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/registry"
	"github.com/tcpboot/tcpboot/release"
	"github.com/tcpboot/tcpboot/release/bundle"
	"github.com/tcpboot/tcpboot/release/espimage"
	"github.com/tcpboot/tcpboot/release/sitedoc"
)

var cutVerb = &cli.Command{
	Name:      "cut",
	Usage:     "check an application image, sign it, state it in a signed manifest, store it",
	ArgsUsage: "IMAGE",
	Description: "IMAGE is the unsigned application, build/<project>.bin of ESP-IDF. The release\n" +
		"exists when this returns; boards get it when `release publish` offers it.\n\n" +
		"Boards that check updates in software look at signature block 0 alone, and trust the\n" +
		"key of the program that they run: --app-key names the keys, block 0 first.\n\n" +
		"With --kind loader IMAGE is a loader, signed or not, and the release is called loader-V\n" +
		"by the version V that it has. Applications with tcpboot_update_loader install it, where\n" +
		"V is above that of the loader that runs.\n\n" +
		"An image of MCUboot that is unsigned is signed with the site's key mcuboot, where it\n" +
		"has one (`key create mcuboot`); one that is signed is held against it.\n\n" + aboutStatements,
	Flags: append([]cli.Flag{
		&cli.StringFlag{Name: "version", Usage: "call it `V`: 1.4.0"},
		kindFlag,
		&cli.StringFlag{Name: "hardware", Usage: "it is for hardware `H` of tcpboot.yaml"},
		&cli.StringSliceFlag{Name: "channel", Usage: "it may be offered on channel `CH` (default: the site's; may be repeated)"},
		&cli.UintFlag{Name: "counter", Usage: "its anti-rollback count is `N`", DefaultText: "the next"},
		forceFlag,
		&cli.StringFlag{Name: "min-loader", Usage: "loaders below version `V` do not install it"},
		&cli.StringSliceFlag{Name: "app-key", Usage: "the site's key `NAME` signs the image (may be repeated: up to three Secure Boot V2 blocks, in this order)", DefaultText: "that of the scheme"},
		&cli.StringSliceFlag{Name: "mcu", Usage: "an image of MCUboot for the chip behind the board: `[NAME=]FILE` (may be repeated; NAME is mcu)"},
		cutToSignFlag,
	}, statementFlags...),
	Action: withSite(releaseCut),
}

func releaseCut(s *session) error {
	if err := wantArgs(s.cli, 1, "an image"); err != nil {
		return err
	}
	kind, err := s.kind()
	if err != nil {
		return err
	}
	if kind == sitedoc.Firmware {
		if err := wantFlag(s.cli, "version"); err != nil {
			return err
		}
	}
	s.tryToFollowLoaders()
	c, err := s.newCut(s.cli.Args().First())
	if err != nil {
		return err
	}
	unlock, err := s.site.Lock(cutsDir)
	if err != nil {
		return err
	}
	defer unlock()
	q := &c.Request
	if waiting, err := s.readCut(q.Hardware.Name, q.Version); err != nil || waiting != nil {
		return errors.Join(err, s.cutAgain(c, waiting))
	}
	layout, err := s.layout()
	if err != nil {
		return err
	}
	if err := s.versionFree(layout, q); err != nil {
		return err
	}
	if err := s.openCutKeys(c, s.keyFinder()); err != nil {
		return err
	}
	if err := s.number(q); err != nil {
		return err
	}
	return s.finishCut(c, s.cli.Path("to-sign"), nil)
}

// cutRequest reads the images and the flags. Everything that can be refused before the
// registry gives numbers is refused here.
func (s *session) cutRequest(path string) (*release.Request, error) {
	c := s.cli
	image, err := readImage(path)
	if err != nil {
		return nil, err
	}
	kind, err := s.kind()
	if err != nil {
		return nil, err
	}
	if kind == sitedoc.Loader {
		if image, err = s.unsignedLoader(image); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	q := &release.Request{Site: s.site.Settings.Name, Kind: kind, Image: image, MinLoader: c.String("min-loader")}
	if q.Version, err = s.cutName(kind, image); err != nil {
		return nil, err
	}
	if q.Hardware, err = s.hardwareFor(kind, c.String("hardware")); err != nil {
		return nil, err
	}
	if q.Others, err = readOthers(c.StringSlice("mcu")); err != nil {
		return nil, err
	}
	if err := s.refuseUnsafe(q.Hardware); err != nil {
		return nil, err
	}
	if q.MCUKey, err = s.mcuPublic(); err != nil {
		return nil, err
	}
	notes, err := q.Check()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if err := q.CheckOthers(); err != nil {
		return nil, err
	}
	for _, note := range notes {
		say(c, "note: %s", note)
	}
	return q, nil
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
	channels = slices.Clone(channels)
	for i, ch := range channels {
		if err := fleet.CheckName("channel", ch); err != nil {
			return usageError{err}
		}
		ch, err := channelFor(q.Kind, ch)
		if err != nil {
			return err
		}
		channels[i] = ch
		if slices.Contains(channels[:i], ch) {
			return usagef("--channel %s stands twice", ch)
		}
	}
	var count *uint32
	if s.cli.IsSet("counter") {
		n := uint32(s.cli.Uint("counter"))
		switch {
		case uint(n) != s.cli.Uint("counter"):
			return usagef("--counter %d: too large", s.cli.Uint("counter"))
		case n == 0: // boards have seen none
			return usagef("--counter 0: want at least 1")
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
