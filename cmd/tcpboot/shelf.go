package main

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/registry"
	"github.com/tcpboot/tcpboot/release"
	"github.com/tcpboot/tcpboot/release/bundle"
	"github.com/tcpboot/tcpboot/release/server"
)

// A shelf answers which image a board gets: the registry's offers and the
// layout's releases, kept in memory and read again when either has changed.
// Every release is verified with the site's keys when its image is taken in.
type shelf struct {
	fleet  *registry.Fleet
	layout *bundle.Layout
	verify func(*release.Release) error
	slot   func(hardware string) int64

	mu      sync.Mutex
	seen    marks
	catalog *release.Catalog
	offers  []fleet.Offer
	blobs   map[fleet.Digest]*server.Blob // by manifest
}

// marks are what changes when the site does.
type marks struct {
	fleet    uint64
	releases bundle.Stamp
}

func (s *shelf) marks(ctx context.Context) (m marks, err error) {
	if m.fleet, err = s.fleet.Stamp(ctx); err != nil {
		return m, err
	}
	m.releases, err = s.layout.Stamp()
	return m, err
}

// refresh reads offers and releases again when they have changed, and reports
// whether anything did. A release that cannot be read keeps nobody from the others.
func (s *shelf) refresh(ctx context.Context) (changed bool, err error) {
	now, err := s.marks(ctx)
	if err != nil {
		return false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.catalog != nil && now == s.seen {
		return false, nil
	}
	offers, err := s.fleet.Offers(ctx)
	if err != nil {
		return false, err
	}
	all, unread := s.layout.Releases(ctx)
	s.catalog, s.offers, s.seen = release.NewCatalog(all...), offers, now
	s.forget()
	return true, unread
}

// forget drops the images that nothing offers any more.
func (s *shelf) forget() {
	kept := map[fleet.Digest]*server.Blob{}
	for _, o := range s.offers {
		if b := s.blobs[o.Manifest]; b != nil {
			kept[o.Manifest] = b
		}
	}
	s.blobs = kept
}

// Pick is server.Shelf: what d is to have now.
func (s *shelf) Pick(ctx context.Context, d fleet.Device) (*server.Blob, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	choice, err := s.catalog.Pick(d, s.offers)
	if errors.Is(err, release.ErrNothing) {
		return nil, server.ErrNothing
	}
	if err != nil {
		return nil, err
	}
	if b := s.blobs[choice.Release.Digest]; b != nil {
		return b, nil
	}
	b, err := s.load(ctx, choice.Release.Digest)
	if err != nil {
		return nil, err
	}
	s.blobs[choice.Release.Digest] = b
	return b, nil
}

func (s *shelf) load(ctx context.Context, manifest fleet.Digest) (*server.Blob, error) {
	r, err := s.layout.Load(ctx, manifest)
	if err != nil {
		return nil, err
	}
	m := r.Manifest
	if err := s.verify(r); err != nil {
		return nil, fmt.Errorf("release %s for %s: %w", m.Version, m.Hardware, err)
	}
	return server.NewBlob(r.Images[release.AppComponent], m.Version, s.slot(m.Hardware))
}
