package main

import (
	"errors"
	"fmt"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/release"
	"github.com/tcpboot/tcpboot/release/sitedoc"
)

// What publishing refuses, because boards would refuse it or could not hold it.
var (
	errDowngrade  = errors.New("boards that have seen the higher counter refuse it")
	errOldLoaders = errors.New("no board has a loader that can install it")
)

// mistakes says why r should not be offered on a channel, before anything is signed
// for that.
func (s *session) mistakes(r *release.Release, channel string) error {
	m := &r.Manifest
	h, err := s.hardwareFor(m.Kind, m.Hardware)
	if err != nil {
		return err
	}
	if err := h.Takes(m); err != nil {
		return err
	}
	if err := s.loadersTake(r, channel); err != nil {
		return err
	}
	if m.Kind == sitedoc.Loader { // of loaders the version counts, on each board alone
		return nil
	}
	return s.downgrade(r, channel)
}

// loadersTake refuses what no board on the channel could install, and tells of those
// that cannot.
func (s *session) loadersTake(r *release.Release, channel string) error {
	m := &r.Manifest
	all, err := s.everyRelease()
	if err != nil {
		return err
	}
	catalog := release.NewCatalog(all...)
	loaders, err := s.fleet.Loaders(s.ctx(), m.Hardware, followers(channel))
	if err != nil {
		return err
	}
	boards, unable, why := 0, 0, ""
	for l, n := range loaders {
		boards += n
		if reason := catalog.Installable(r, l); reason != "" {
			unable += n
			why = max(why, s.withAppNames(reason)) // the same one each time
		}
	}
	switch {
	case unable == 0:
		return nil
	case unable == boards:
		return fmt.Errorf("release %s %s: %w (%d boards of %s on %s)", m.Version, why, errOldLoaders, boards, m.Hardware, channel)
	}
	say(s.cli, "%d of %d boards of %s on %s do not get it: it %s", unable, boards, m.Hardware, channel, why)
	return nil
}

// downgrade refuses a lower counter than boards on the channel have seen, unless
// that is wanted, and why.
func (s *session) downgrade(r *release.Release, channel string) error {
	m := &r.Manifest
	last, err := s.fleet.Published(s.ctx(), m.Hardware, channel)
	if err != nil {
		return err
	}
	all, err := s.everyRelease()
	if err != nil {
		return err
	}
	now, err := s.offerNow(m.Hardware, channel)
	if err != nil || now.Version == m.Version {
		return err // how far it goes may change without asking again
	}
	highest := release.NewCatalog(all...).Highest(m.Hardware, channel, last)
	if highest == nil || m.Counter.Compare(highest.Manifest.Counter) >= 0 {
		return nil
	}
	h := &highest.Manifest
	if !s.cli.Bool("allow-downgrade") {
		return fmt.Errorf("release %s for %s has counter %s, %s on %s had %s: %w",
			m.Version, m.Hardware, dottedCounter(m.Counter), h.Version, channel, dottedCounter(h.Counter), errDowngrade)
	}
	say(s.cli, "%s has counter %s: boards of level 2 that have seen %s, of %s, refuse it", m.Version, dottedCounter(m.Counter), dottedCounter(h.Counter), h.Version)
	return nil
}

func dottedCounter(c fleet.Counter) string { return fmt.Sprintf("%d.%d", c.Generation, c.Count) }

// everyRelease lists all releases that can be read.
func (s *session) everyRelease() ([]*release.Release, error) {
	layout, err := s.layout()
	if err != nil {
		return nil, err
	}
	all, err := layout.Releases(s.ctx())
	if err != nil {
		say(s.cli, "cannot read every release: %v", err)
	}
	return all, nil
}
