package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/registry"
)

// loaderOf is the loader that a change gives the board, which begins as the one it
// has.
func loaderOf(ch *registry.Change, d fleet.Device) *fleet.Loader {
	if ch.Loader == nil {
		l := d.Loader
		ch.Loader = &l
	}
	return ch.Loader
}

// changeLevel reads --level. Who gives a board a loader that checks images has just
// put it there, and so it trusts the present key.
func (s *session) changeLevel(ch *registry.Change, d fleet.Device) error {
	l := loaderOf(ch, d)
	was := l.Level
	if l.Level = s.cli.Int("level"); l.Level < 0 || l.Level > 2 {
		return usagef("--level %d: want 0, 1 or 2", l.Level)
	}
	if l.Level == 0 {
		l.Key = fleet.Digest{}
	}
	if was > 0 || l.Level == 0 {
		return nil
	}
	hardware := d.Hardware
	if ch.Hardware != nil {
		hardware = *ch.Hardware
	}
	h, err := s.hardware(hardware)
	if err != nil {
		return err
	}
	l.Key, err = s.appDigest(appKeyFor(h.Scheme))
	return err
}

func (s *session) changeLoaderKey(ch *registry.Change, d fleet.Device, name string) (err error) {
	if names := s.appNames(); !slices.Contains(names, name) {
		return fmt.Errorf("--loader-key %q: want one of %s", name, strings.Join(names, ", "))
	}
	l := loaderOf(ch, d)
	if l.Level == 0 {
		return fmt.Errorf("--loader-key %s: a loader of level 0 checks no image", name)
	}
	l.Key, err = s.appDigest(name)
	return err
}
