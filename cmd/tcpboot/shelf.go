package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

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
	images  map[fleet.Digest]*shelved // by manifest
}

// A shelved is one release's image, taken in once for all boards that want it.
// One that cannot be taken in is not tried again for every board that asks.
type shelved struct {
	mu    sync.Mutex
	blob  *server.Blob
	err   error
	tried time.Time
}

// again is how long a release that could not be taken in is left alone.
const again = 10 * time.Second

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
	if now == s.seen {
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

// forget drops the images that nothing offers any more, and old failures.
func (s *shelf) forget() {
	kept := map[fleet.Digest]*shelved{}
	for _, o := range s.offers {
		if image := s.images[o.Manifest]; image != nil && image.good() {
			kept[o.Manifest] = image
		}
	}
	s.images = kept
}

// Pick is server.Shelf: what d is to have now.
func (s *shelf) Pick(ctx context.Context, d fleet.Device) (*server.Blob, error) {
	manifest, image, err := s.choose(d)
	if errors.Is(err, release.ErrNothing) {
		return nil, server.ErrNothing
	}
	if err != nil {
		return nil, err
	}
	return image.take(func() (*server.Blob, error) { return s.load(ctx, manifest) })
}

func (s *shelf) choose(d fleet.Device) (fleet.Digest, *shelved, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	choice, err := s.catalog.Pick(d, s.offers)
	if err != nil {
		return fleet.Digest{}, nil, err
	}
	manifest := choice.Release.Digest
	if s.images[manifest] == nil {
		s.images[manifest] = &shelved{}
	}
	return manifest, s.images[manifest], nil
}

// take returns the image, loading it where nobody has; boards that want the same
// one wait for it, those that want another do not.
func (i *shelved) take(load func() (*server.Blob, error)) (*server.Blob, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.blob == nil && (i.err == nil || time.Since(i.tried) > again) {
		i.blob, i.err = load()
		i.tried = time.Now()
	}
	return i.blob, i.err
}

func (i *shelved) good() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.blob != nil
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
