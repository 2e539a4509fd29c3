package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/site"
	"github.com/tcpboot/tcpboot/release"
	"github.com/tcpboot/tcpboot/release/bundle"
	"github.com/tcpboot/tcpboot/release/remote"
)

// A depot is where a site's releases are: an OCI layout, or a repository of an OCI
// registry, of which the layout is then a cache. The registry is the truth: a
// release exists when it lists it. The cache lists what the registry listed when
// it was last asked, so that boards are served while it is away; images come when
// somebody wants them.
type depot struct {
	*bundle.Layout
	behind *remote.Repository // nil: the layout is all there is
	proves func(*release.Release) error
	line   *traffic // of what moves while a person waits; nil when nobody does
	again  time.Duration
}

const (
	cacheLimit = 2 << 30          // bytes of images in a cache
	askAgain   = 15 * time.Second // between two looks at a registry
)

// cacheFlag is for a server that cannot write to the site.
var cacheFlag = &cli.PathFlag{Name: "cache", Usage: "keep what comes from the registry in `DIR` (default: releases/ of the site)"}

// registryOf is the repository that keeps a site's releases; ok is false where a
// folder does.
func registryOf(s *site.Site) (at remote.Reference, ok bool, err error) {
	if !strings.HasPrefix(s.Settings.Releases, remote.Scheme) {
		return at, false, nil
	}
	at, err = remote.ParseReference(s.Settings.Releases)
	return at, true, err
}

// layout opens the site's releases, and asks their registry for news once. Where
// that is away, what was read before is what there is.
func (s *session) layout() (*depot, error) {
	if s.depot != nil {
		return s.depot, nil
	}
	d, err := s.openDepot()
	if err != nil {
		return nil, err
	}
	if d.behind != nil {
		if err := d.ask(s.ctx()); err != nil {
			say(s.cli, "going by what was read before: %v", err)
		}
	}
	s.depot = d
	return d, nil
}

func (s *session) openDepot() (*depot, error) {
	at, remotely, err := registryOf(s.site)
	if err != nil {
		return nil, fmt.Errorf("%s: releases: %w", site.SettingsFile, err)
	}
	if !remotely {
		layout, err := bundle.Open(releasesDir(s.site))
		return &depot{Layout: layout}, err
	}
	dir := s.cli.Path("cache")
	if dir == "" {
		dir = releasesDir(s.site)
	}
	layout, err := bundle.Create(dir)
	if errors.Is(err, fs.ErrExist) || errors.Is(err, fs.ErrPermission) {
		layout, err = bundle.Open(dir)
	}
	if err != nil {
		return nil, err
	}
	line := newTraffic(s.cli, "KiB moved:")
	behind, err := s.repository(at, line)
	return &depot{layout, behind, s.counted, line, askAgain}, err
}

// ask lists what the registry has and the cache has not.
func (d *depot) ask(ctx context.Context) error {
	return d.behind.Mirror(ctx, d.Layout, d.proves)
}

// moving shows how far r is on its way, until the function that it returns is
// called.
func (d *depot) moving(r *release.Release) (done func()) {
	if d.line == nil {
		return func() {}
	}
	d.line.expectBytes(bytesOf(r))
	return d.line.done
}

// follow asks the registry again and again, and tells of a fault when it begins
// and when it is over.
func (d *depot) follow(ctx context.Context, log *slog.Logger) {
	if d.behind == nil {
		return
	}
	tick := time.NewTicker(d.again)
	defer tick.Stop()
	for fault := ""; ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			fault = tellOf(log, fault, d.ask(ctx))
		}
	}
}

func tellOf(log *slog.Logger, before string, err error) (fault string) {
	if err != nil {
		fault = err.Error()
	}
	switch {
	case fault == before:
	case fault != "":
		log.Error("cannot read all of the registry: serving what was read before", "error", err)
	default:
		log.Info("all of the registry can be read again")
	}
	return fault
}

// Load returns a release with its images, which come from the registry where they
// are not here or not whole.
func (d *depot) Load(ctx context.Context, manifest fleet.Digest) (*release.Release, error) {
	r, err := d.Layout.Load(ctx, manifest)
	if err == nil || d.behind == nil {
		return r, err
	}
	if err := d.fill(ctx, manifest); err != nil {
		return nil, err
	}
	return d.Layout.Load(ctx, manifest)
}

func (d *depot) fill(ctx context.Context, manifest fleet.Digest) error {
	all, _ := d.Releases(ctx) // what cannot be read cannot be filled either
	i := slices.IndexFunc(all, func(r *release.Release) bool { return r.Digest == manifest })
	if i < 0 {
		return fmt.Errorf("release %s: %w", manifest, errNoRelease)
	}
	defer d.moving(all[i])()
	return d.Fill(ctx, d.behind, manifest, cacheLimit)
}

// Store makes a release exist, with what is attached to it. Where a registry keeps
// them it goes there first: that it is listed there is the moment.
func (d *depot) Store(ctx context.Context, r *release.Release, attached ...bundle.Attachment) error {
	return d.StoreVariants(ctx, bundle.Whole{Release: r, Attached: attached})
}

// StoreVariants is Store for a release and its variants.
func (d *depot) StoreVariants(ctx context.Context, all ...bundle.Whole) error {
	r, store := all[0].Release, func(l *bundle.Layout) error { return l.StoreVariants(ctx, all...) }
	if d.behind == nil {
		return store(d.Layout)
	}
	defer d.moving(r)()
	dir, err := os.MkdirTemp("", "tcpboot-release-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	parcel, err := bundle.Create(dir)
	if err != nil {
		return err
	}
	if err := store(parcel); err != nil {
		return err
	}
	if err := d.pushFrom(ctx, parcel, r.Manifest.Version); err != nil {
		return err
	}
	return store(d.Layout)
}

// adopt puts what was pulled from elsewhere into the site's own registry.
func (d *depot) adopt(ctx context.Context, pulled []*release.Release) error {
	if d.behind == nil {
		return nil
	}
	var versions []string
	for _, r := range pulled {
		if v := r.Manifest.Version; !slices.Contains(versions, v) {
			versions = append(versions, v)
		}
	}
	for _, v := range versions {
		if err := d.pushFrom(ctx, d.Layout, v); err != nil {
			return err
		}
	}
	return nil
}

func (d *depot) pushFrom(ctx context.Context, layout *bundle.Layout, version string) error {
	packed, err := layout.Packed(ctx, version, "")
	if err != nil {
		return err
	}
	_, err = d.behind.Push(ctx, layout, version, packed, "", d.proves)
	return err
}

// finish lists what a cut left half-way in the registry, so that it counts.
func (d *depot) finish(ctx context.Context, version string) error {
	if d.behind == nil {
		return nil
	}
	if err := d.behind.Finish(ctx, version, d.proves); err != nil {
		return err
	}
	return d.ask(ctx)
}
