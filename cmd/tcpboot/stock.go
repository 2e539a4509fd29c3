package main

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"sync/atomic"
	"time"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/registry"
	"github.com/tcpboot/tcpboot/release"
	"github.com/tcpboot/tcpboot/release/bundle"
)

// A stock knows what is offered: the registry's offers and the layout's releases,
// each read again when it has changed. One goroutine refreshes it, any number ask.
//
// What cannot be read takes nothing away. A file that is gone for a second, or an
// index that somebody broke, leaves the boards with what was read before.
type stock struct {
	fleet    *registry.Fleet
	layout   *depot
	settings *settings
	ledger   *ledger // nil: nobody reports
	now      atomic.Pointer[goods]

	fleetSeen    *uint64       // nil: to be read
	offered      []fleet.Offer // as published; what is stopped is not held back here
	releasesSeen *bundle.Stamp // nil: to be read
	unread       error         // what is amiss with the releases
	notBefore    time.Time     // is that looked at again
}

// goods are one state of a stock. They do not change.
type goods struct {
	catalog *release.Catalog
	offers  []fleet.Offer
}

// A change says how much is not as it was; the greater includes the less.
type change int

const (
	nothing    change = iota
	devices           // something in the registry, but not what is offered
	offers            // what is offered
	everything        // the settings
)

// refresh reads again what has changed, and reports what that changed, also
// beside an error. What failed is tried again at the next refresh.
func (s *stock) refresh(ctx context.Context) (change, error) {
	inSettings, errSettings := s.settings.refresh()
	inFleet, errFleet := s.refreshFleet(ctx)
	inOffers, errOffers := s.refreshOffers(ctx)
	inReleases, errReleases := s.refreshReleases(ctx)
	return max(inSettings, inFleet, inOffers, inReleases), errors.Join(errSettings, errFleet, errOffers, errReleases)
}

func (s *stock) refreshFleet(ctx context.Context) (change, error) {
	stamp, err := s.fleet.Stamp(ctx)
	if err != nil {
		return nothing, err
	}
	if s.fleetSeen != nil && *s.fleetSeen == stamp {
		return nothing, nil
	}
	list, err := s.fleet.Offers(ctx)
	if err != nil {
		return nothing, err
	}
	s.fleetSeen, s.offered = &stamp, list
	return devices, nil
}

// refreshOffers holds back what is stopped by what boards reported.
func (s *stock) refreshOffers(ctx context.Context) (change, error) {
	stops, err := s.ledger.stops(ctx)
	if err != nil {
		return nothing, err
	}
	held, have := release.Held(s.offered, stops), s.now.Load()
	if slices.EqualFunc(have.offers, held, sameOffer) {
		return nothing, nil
	}
	s.now.Store(&goods{have.catalog, held})
	return offers, nil
}

// refreshReleases reads every release, and so does it only when the index has
// changed, or something was amiss: then it spends a tenth of the time on it at
// most.
func (s *stock) refreshReleases(ctx context.Context) (change, error) {
	stamp, err := s.layout.Stamp()
	if err != nil {
		return nothing, err
	}
	began := time.Now()
	if s.releasesSeen != nil && *s.releasesSeen == stamp || began.Before(s.notBefore) {
		return nothing, s.unread
	}
	all, err := s.layout.Releases(ctx)
	s.releasesSeen, s.unread = &stamp, err
	if err != nil {
		s.releasesSeen, s.notBefore = nil, began.Add(10*time.Since(began))
	}
	return s.putReleases(all, err == nil), err
}

// putReleases makes all the releases; those that were there before stay unless
// all is complete.
func (s *stock) putReleases(all []*release.Release, complete bool) change {
	have := s.now.Load()
	if !complete {
		all = append(all, have.catalog.All()...)
	}
	catalog := release.NewCatalog(all...)
	same := func(a, b *release.Release) bool { return a.Digest == b.Digest }
	if slices.EqualFunc(catalog.All(), have.catalog.All(), same) {
		return nothing
	}
	s.now.Store(&goods{catalog, have.offers})
	return offers
}

func sameOffer(a, b fleet.Offer) bool { return reflect.DeepEqual(a, b) }
