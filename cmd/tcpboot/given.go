package main

import (
	"errors"
	"fmt"
	"slices"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/registry"
	"github.com/tcpboot/tcpboot/release"
)

// A gift is a release that boards get: by an offer, or because they are pinned.
type gift struct {
	*release.Release
	channel string
	offer   *fleet.Offer // nil: by pins alone, or to boards that the rollout of another has not reached
	pinned  bool         // no channel offers it: boards get it by their pins alone
	former  bool         // a release key from before stated it
	fault   error        // why it does not hold, so that nobody gets it after all
}

func (g gift) String() string {
	return fmt.Sprintf("%s for %s on %s", g.Manifest.Version, g.Manifest.Hardware, g.channel)
}

// given lists what boards get. Beside an error it is what can be told.
func (s *session) given() (all []gift, err error) {
	layout, err := s.layout()
	if err != nil {
		return nil, err
	}
	releases, unread := layout.Releases(s.ctx())
	offers, err := s.fleet.Offers(s.ctx())
	if err != nil {
		return nil, err
	}
	groups, err := s.fleet.Groups(s.ctx())
	if err != nil {
		return nil, err
	}
	catalog := release.NewCatalog(releases...)
	for _, o := range offers {
		if r, known := catalog.Release(o.Manifest); known {
			all = append(all, gift{Release: r, channel: o.Channel, offer: &o})
		}
		if o.Previous == nil {
			continue
		}
		if r, known := catalog.Release(o.Previous.Manifest); known {
			all = append(all, gift{Release: r, channel: o.Channel})
		}
	}
	all, err = s.judgedGifts(withPinned(all, catalog, groups))
	return all, errors.Join(err, unread)
}

// withPinned adds what boards get by their pins, which are the same for all of a
// group, to what is offered.
func withPinned(all []gift, catalog *release.Catalog, groups []registry.Group) []gift {
	for _, g := range groups {
		if g.Pin == (fleet.Pin{}) {
			continue
		}
		choice, err := catalog.Pick(fleet.Device{State: fleet.Active, Hardware: g.Hardware, Channel: g.Channel, Pin: g.Pin, Loader: g.Loader}, nil, nil)
		if err != nil { // they get nothing
			continue
		}
		same := func(a gift) bool {
			return a.channel == g.Channel && slices.Contains(catalog.Variants(a.Release), choice.Release)
		}
		if !slices.ContainsFunc(all, same) {
			all = append(all, gift{Release: choice.Release, channel: g.Channel, pinned: true})
		}
	}
	return all
}

// judgedGifts says of each whether it holds, and by which key.
func (s *session) judgedGifts(all []gift) ([]gift, error) {
	trust, err := s.trust()
	if err != nil {
		return nil, err
	}
	present, err := s.presentRelease(trust.Site)
	if err != nil {
		return nil, err
	}
	for i := range all {
		report, err := release.Verify(all[i].Release, trust)
		all[i].fault = err
		all[i].former = err == nil && report.Signer != present.ID()
	}
	return all, nil
}
