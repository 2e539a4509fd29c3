package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/release"
	"github.com/tcpboot/tcpboot/release/server"
	"github.com/tcpboot/tcpboot/release/sitedoc"
)

// A shelf answers which image a board gets. What is offered is the stock's, and
// images are read from the layout when the first board wants them: verified with
// the site's keys, and kept in memory as long as they are in use. To read one
// takes as long as the disk likes, and holds up nobody but who wants it.
type shelf struct {
	*stock
	verify  func(*release.Release) error
	arrived func() // is called when an image that boards wait for has come, or failed
	again   time.Duration

	turns chan struct{} // of reading: what is read lies in memory twice
	mu    sync.Mutex    // never held while anything is read
	held  map[fleet.Digest]*shelved
}

// A shelved is what one release names, by the release's digest.
type shelved struct {
	images
	err     error // of the last try; what failed is not tried again for every board
	reading bool
	tried   time.Time
	wanted  time.Time
}

// images are those of one release, as boards get them.
type images struct {
	app   *server.Blob
	parts map[fleet.Digest]*server.Blob // all of them, that one too, and their chunk lists
}

const (
	tryAgain = 10 * time.Second // after an image could not be read
	unwanted = 10 * time.Minute // until an image that nothing offers is dropped
	readers  = 16
)

// shelf is what serve and why look things up on.
func (s *session) shelf() (*shelf, error) {
	layout, err := s.layout()
	if err != nil {
		return nil, err
	}
	if _, err := s.trust(); err != nil {
		return nil, err
	}
	sh := &shelf{
		stock:   &stock{fleet: s.fleet, layout: layout, settings: newSettings(s.site)},
		verify:  s.proves,
		arrived: func() {},
		again:   tryAgain,
		turns:   make(chan struct{}, readers),
		held:    map[fleet.Digest]*shelved{},
	}
	sh.now.Store(&goods{catalog: release.NewCatalog()})
	return sh, nil
}

// proves holds a release against the site's keys as they are now: others may
// sign since the server was started.
func (s *session) proves(r *release.Release) error {
	trust, err := s.trust()
	if err != nil {
		return err
	}
	_, err = release.Verify(r, trust)
	return err
}

// refresh looks at what changed, and puts away what is not used any more.
func (s *shelf) refresh(ctx context.Context) (changed change, err error) {
	changed, err = s.stock.refresh(ctx)
	s.tidy(time.Now(), changed == everything)
	return changed, err
}

// tidy drops the images that nothing offers and no pinned board has wanted for
// some time; all of them when the settings changed, which they were held against.
func (s *shelf) tidy(now time.Time, all bool) {
	offered := map[fleet.Digest]bool{}
	for _, o := range s.now.Load().offers {
		offered[o.Manifest] = true
		if o.Previous != nil {
			offered[o.Previous.Manifest] = true
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for d, image := range s.held {
		if all || !offered[d] && now.Sub(image.wanted) > unwanted {
			delete(s.held, d)
		}
	}
}

// Pick is server.Shelf: what d is to have now.
func (s *shelf) Pick(ctx context.Context, d fleet.Device) (*server.Blob, error) {
	choice, err := s.choose(ctx, sitedoc.Firmware, d)
	if err != nil {
		return nil, err
	}
	image, err := s.take(context.WithoutCancel(ctx), choice.Release.Digest, time.Now())
	return image.app, err
}

// choose decides which release of a kind d is to have; server.ErrNothing when none.
func (s *shelf) choose(ctx context.Context, kind sitedoc.Kind, d fleet.Device) (release.Choice, error) {
	choice, err := s.decide(ctx, kind, d, time.Now())
	if errors.Is(err, release.ErrNothing) {
		err = server.ErrNothing
	}
	return choice, err
}

// decide is which release of a kind d is to have, and why: by what is offered, and by
// what d itself reported, its loader included.
func (s *shelf) decide(ctx context.Context, kind sitedoc.Kind, d fleet.Device, now time.Time) (release.Choice, error) {
	have := s.now.Load()
	said := s.ledger.said(ctx, d)
	d.Loader, _ = have.catalog.LoaderAfter(d.Loader, said.reports)
	return have.catalog.PickKind(kind, d, have.offers, s.ledger.boxed(said, have.catalog, now))
}

// take returns an image, the fault of the last try, or server.ErrNotYet; it sees
// to it that the image is read.
func (s *shelf) take(ctx context.Context, manifest fleet.Digest, now time.Time) (images, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	image := s.held[manifest]
	if image == nil {
		image = &shelved{}
		s.held[manifest] = image
	}
	image.wanted = now
	if image.app == nil && !image.reading && (image.err == nil || now.Sub(image.tried) >= s.again) {
		image.reading = true
		go s.fetch(ctx, manifest, image)
	}
	if image.app == nil && image.err == nil {
		return images{}, server.ErrNotYet
	}
	return image.images, image.err
}

// fetch reads an image for those who wait for it.
func (s *shelf) fetch(ctx context.Context, manifest fleet.Digest, image *shelved) {
	s.turns <- struct{}{}
	loaded, err := s.load(ctx, manifest)
	<-s.turns
	s.mu.Lock()
	news := err == nil || image.err == nil
	image.images, image.err, image.reading, image.tried = loaded, err, false, time.Now()
	s.mu.Unlock()
	if news {
		s.arrived()
	}
}

func (s *shelf) load(ctx context.Context, manifest fleet.Digest) (i images, err error) {
	r, err := s.layout.Load(ctx, manifest)
	if err != nil {
		return i, err
	}
	m := r.Manifest
	if err := s.verify(r); err != nil {
		return i, fmt.Errorf("release %s for %s: %w", m.Version, m.Hardware, err)
	}
	app, err := server.NewBlob(r.Images[release.AppComponent], m.Version, s.settings.room(&m))
	if err != nil {
		return i, err
	}
	parts := map[fleet.Digest]*server.Blob{m.Image.Digest: app}
	for _, c := range m.Components() {
		for digest, data := range map[fleet.Digest][]byte{c.Digest: r.Images[c.Name], c.Chunks: r.Chunks[c.Name]} {
			if parts[digest] != nil {
				continue
			}
			if parts[digest], err = server.NewPart(data, m.Version); err != nil {
				return i, err
			}
		}
	}
	return images{app, parts}, nil
}
