package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/site"
	"github.com/tcpboot/tcpboot/release"
	"github.com/tcpboot/tcpboot/release/server"
	"github.com/tcpboot/tcpboot/release/sitedoc"
	"github.com/tcpboot/tcpboot/release/wire"
)

// Of version 2 the shelf is the server.Library too.

// Documents are the site documents behind epoch, as they lie in the site now.
func (s *shelf) Documents(_ context.Context, epoch uint64) (signed [][]byte, newest uint64, err error) {
	at := s.settings.now.Load()
	for newest = epoch; ; newest++ {
		text, err := os.ReadFile(documentFile(at, newest+1))
		if errors.Is(err, fs.ErrNotExist) {
			break
		}
		if err != nil {
			return nil, 0, err
		}
		signed = append(signed, text)
	}
	for newest > 0 && len(signed) == 0 && !exists(documentFile(at, newest)) {
		newest-- // the board is ahead of us
	}
	return signed, newest, nil
}

func documentFile(s *site.Site, epoch uint64) string {
	return s.Path("sitedocs", fmt.Sprintf("%d.cose", epoch))
}

// Goods is the release that d is to have now. It begins to read the images, which
// the board will ask for next.
func (s *shelf) Goods(ctx context.Context, d fleet.Device, hello wire.Hello) (server.Goods, error) {
	kind := sitedoc.Firmware
	if hello.Updates {
		kind = sitedoc.Loader
	}
	choice, err := s.choose(ctx, kind, d)
	if err == nil && hello.Updates && !choice.Release.Manifest.Newer(hello.Loader) {
		err = server.ErrNothing
	}
	if err != nil {
		return server.Goods{}, err
	}
	if _, err := s.take(context.WithoutCancel(ctx), choice.Release.Digest, time.Now()); err != nil && !errors.Is(err, server.ErrNotYet) {
		return server.Goods{}, err
	}
	m := &choice.Release.Manifest
	return server.Goods{Version: m.Version, Generation: m.Counter.Generation, Sequence: choice.Sequence, Manifest: choice.Release.Signed}, nil
}

// Part is a part of a release that d is to have now, of either kind.
func (s *shelf) Part(ctx context.Context, d fleet.Device, digest fleet.Digest) (*server.Blob, error) {
	for _, kind := range []sitedoc.Kind{sitedoc.Firmware, sitedoc.Loader} {
		choice, err := s.choose(ctx, kind, d)
		switch {
		case err != nil && !errors.Is(err, server.ErrNothing):
			return nil, err
		case err == nil && names(&choice.Release.Manifest, digest):
			image, err := s.take(context.WithoutCancel(ctx), choice.Release.Digest, time.Now())
			return image.parts[digest], err
		}
	}
	was := func(r *release.Release) bool { return r.Manifest.Hardware == d.Hardware && names(&r.Manifest, digest) }
	if slices.ContainsFunc(s.now.Load().catalog.All(), was) {
		return nil, server.ErrGone
	}
	return nil, server.ErrNothing
}

// names reports whether digest is that of an image or of a chunk list of m.
func names(m *release.Manifest, digest fleet.Digest) bool {
	return slices.ContainsFunc(m.Components(), func(c release.Component) bool { return c.Digest == digest || c.Chunks == digest })
}

// Known reports whether the manifest is of a release for d's hardware.
func (s *shelf) Known(_ context.Context, d fleet.Device, manifest fleet.Digest) bool {
	r, known := s.now.Load().catalog.Release(manifest)
	return known && r.Manifest.Hardware == d.Hardware
}
