package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/release"
	"github.com/tcpboot/tcpboot/release/espimage"
	"github.com/tcpboot/tcpboot/release/sitedoc"
)

var kindFlag = &cli.StringFlag{Name: "kind", Value: string(sitedoc.Firmware), Usage: "a release of `KIND`: firmware, or loader, which applications install"}

func (s *session) kind() (sitedoc.Kind, error) {
	kind := sitedoc.Kind(s.cli.String("kind"))
	if _, ok := kind.Number(); !ok {
		return "", usagef("--kind %q: want %s or %s", s.cli.String("kind"), sitedoc.Firmware, sitedoc.Loader)
	}
	return kind, nil
}

// cutName is what a release of image is called: of a loader, by what it calls itself,
// for that is what boards compare.
func (s *session) cutName(kind sitedoc.Kind, image []byte) (string, error) {
	version := s.cli.String("version")
	if kind == sitedoc.Firmware {
		if err := fleet.CheckName("version", version); err != nil {
			return "", usageError{err}
		}
		if release.NamesLoader(version) {
			return "", usagef("--version %s: releases of loaders are called so", version)
		}
		return version, nil
	}
	if version != "" || s.cli.IsSet("mcu") {
		return "", usagef("--kind %s: a loader says its version itself, and has no images for chips behind the board", kind)
	}
	im, err := espimage.Parse(image)
	if err != nil {
		return "", err
	}
	name, err := release.LoaderName(im.Descriptor.Version)
	if err != nil {
		err = fmt.Errorf("the image's own version: %w", err)
	}
	return name, err
}

// unsignedLoader is a loader as it was built, where image is one that `loader sign` or
// `key rotate` has signed: the cut signs it again.
func (s *session) unsignedLoader(image []byte) ([]byte, error) {
	im, err := espimage.Parse(image)
	if err != nil || len(image) == im.Length {
		return image, err
	}
	trust, err := s.trust()
	if err != nil {
		return nil, err
	}
	if _, _, err := release.VerifyImage(image, trust); err != nil {
		return nil, err
	}
	return image[:im.Length], nil
}

// hardwareFor is what a cut must know of a hardware for a kind of releases: a loader
// lies elsewhere, and is another project than the application.
func (s *session) hardwareFor(kind sitedoc.Kind, name string) (release.Hardware, error) {
	h, err := s.hardware(name)
	if kind == sitedoc.Loader {
		h.Slot, h.Project = int64(s.site.Settings.Hardware[h.Name].LoaderSize()), ""
	}
	return h, err
}

// channelFor is the channel of a kind, by that which boards follow or by its own name.
func channelFor(kind sitedoc.Kind, channel string) (string, error) {
	followed, of := release.FollowedBy(channel)
	if of == sitedoc.Loader && kind != of {
		return "", usagef("channel %s is for releases of loaders", channel)
	}
	return release.ChannelFor(kind, followed), nil
}

// followers are the channel that the boards follow which an offer on channel is for.
func followers(channel string) string {
	followed, _ := release.FollowedBy(channel)
	return followed
}

// followLoaders writes down which loaders boards have by now, from what they reported:
// images are signed for those.
func (s *session) followLoaders() error {
	l, err := s.readLedger()
	if l == nil || err != nil {
		return err
	}
	all, err := s.everyRelease()
	if err == nil {
		err = s.noteConfirmed(l, all)
	}
	return errors.Join(err, l.close())
}

// tryToFollowLoaders is for verbs that may be run by who must not touch boards: images
// are then signed for loaders that nobody has any more, too.
func (s *session) tryToFollowLoaders() {
	if err := s.followLoaders(); err != nil {
		say(s.cli, "cannot write down which loaders boards have: %v", err)
	}
}

// noteConfirmed goes through the releases of loaders in rising order, and through what
// boards said of each.
func (s *session) noteConfirmed(l *ledger, all []*release.Release) error {
	groups, err := s.fleet.Groups(s.ctx())
	known := map[string]bool{"": true} // versions that boards have, or get here
	for _, g := range groups {
		known[g.Loader.Version] = true
	}
	for _, r := range release.Loaders(all) {
		var boards []fleet.MAC
		for said, failed := range l.visits.ReportsOf(s.ctx(), r.Digest) {
			if err = errors.Join(err, failed); failed == nil && said.Outcome == fleet.Confirmed {
				boards = append(boards, said.MAC)
			}
		}
		if err != nil || len(boards) == 0 {
			continue
		}
		older := slices.DeleteFunc(slices.Collect(maps.Keys(known)), func(v string) bool { return v != "" && !r.Manifest.Newer(v) })
		known[r.Manifest.LoaderVersion()] = true
		var n int
		n, err = s.fleet.FollowLoader(s.ctx(), r.Manifest.Hardware, boards, older, r.Loader())
		if n > 0 {
			say(s.cli, "%d boards of %s have loader %s now, as they reported", n, r.Manifest.Hardware, r.Manifest.LoaderVersion())
		}
	}
	return err
}

// A loaderReason is which loader a board has, and which it would get.
type loaderReason struct {
	Has      fleet.Loader `json:"has"`
	Reported bool         `json:"reported"`          // the registry does not say so yet
	Version  string       `json:"version,omitempty"` // of the release that an application would get
	Reason   string       `json:"reason"`
}

func (s *session) whyLoader(shelf *shelf, d fleet.Device) (l loaderReason, err error) {
	l.Has, l.Reported = shelf.now.Load().catalog.LoaderAfter(d.Loader, shelf.ledger.said(s.ctx(), d).reports)
	choice, err := shelf.decide(s.ctx(), sitedoc.Loader, d, time.Now())
	l.Reason = s.withAppNames(choice.Reason)
	if errors.Is(err, release.ErrNothing) {
		return l, nil
	}
	if err != nil {
		return l, err
	}
	m := &choice.Release.Manifest
	if l.Has.Version != "" && !m.Newer(l.Has.Version) {
		l.Reason = fmt.Sprintf("%s is offered, the board has %s", m.LoaderVersion(), l.Has.Version)
		return l, nil
	}
	l.Version = m.Version
	return l, nil
}
