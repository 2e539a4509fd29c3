//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/radius"
	"github.com/tcpboot/tcpboot/pki/registry"
	"github.com/tcpboot/tcpboot/pki/registry/registrytest"
)

const (
	aimRevoke  = 2.0 // times what it takes in a fleet of a hundredth, at most
	oneByOne   = 41  // boards looked up and revoked one by one
	smallFleet = 100 // the rival is so many times smaller
)

// A fleetPace is how a registry in SQLite, with its mirror, works at one size.
type fleetPace struct {
	revoke, show []pace // of one board each
	list, export pace
}

// fleetJob asks a large registry what a verb asks it, against the same with a
// hundredth of the boards: what grows with the fleet, and should not, shows.
func fleetJob(o options) ([]result, error) {
	large, err := measureFleet(o.dir, o.fleet)
	if err != nil {
		return nil, err
	}
	small, err := measureFleet(o.dir, max(oneByOne, o.fleet/smallFleet))
	if err != nil {
		return nil, err
	}
	job := fmt.Sprintf("%d boards: ", large.list.Boards)
	rival := fmt.Sprintf(" at %d", small.list.Boards)
	one := func(what string, a, b []pace, aim, bound string) result {
		wall := func(p pace) float64 { return p.Seconds * 1e3 }
		return result{job + what, fmt.Sprintf("%.2f ms", median(a, wall)), fmt.Sprintf("%.2f ms", median(b, wall)) + rival,
			ratio(median(a, wall) / median(b, wall)), aim, bound}
	}
	all := func(what string, a, b pace, bound string) result {
		return result{job + what, perSecond(a) + fmt.Sprintf(", %.1f s", a.Seconds), perSecond(b) + rival, ratio(a.rate() / b.rate()), "-", bound}
	}
	return []result{
		one("revoke, registry and radius.db", large.revoke, small.revoke, fmt.Sprintf("≤ %.1f", aimRevoke), "waiting for the disk: three commits"),
		one("show", large.show, small.show, "-", "one look into an index"),
		all("list", large.list, small.list, "reading every row"),
		all("export of a list for RADIUS", large.export, small.export, "the same, and writing it"),
	}, nil
}

func measureFleet(below string, boards int) (p fleetPace, err error) {
	dir, err := os.MkdirTemp(below, "tcpboot-bench-")
	if err != nil {
		return p, err
	}
	defer os.RemoveAll(dir)
	f, err := bigFleet(dir, boards)
	if err != nil {
		return p, err
	}
	err = p.measure(f, boards)
	return p, errors.Join(err, f.Close())
}

// bigFleet makes a registry with its mirror, full of boards.
func bigFleet(dir string, boards int) (*registry.Fleet, error) {
	ctx, file, mirror := context.Background(), filepath.Join(dir, "tcpboot.db"), filepath.Join(dir, "radius.db")
	o := registry.Options{Who: "bench", Now: time.Now, RADIUS: mirror}
	f, err := registry.Create(ctx, "sqlite:"+file, o)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(f.Close(), registrytest.Fill(file, mirror, boards)); err != nil {
		return nil, err
	}
	return registry.Open(ctx, "sqlite:"+file, o)
}

func (p *fleetPace) measure(f *registry.Fleet, boards int) (err error) {
	ctx := context.Background()
	for i := range oneByOne {
		mac := registrytest.MAC(i * (boards / oneByOne))
		for _, r := range []struct {
			into *[]pace
			do   func() error
		}{
			{&p.show, func() error { _, err := f.Device(ctx, mac); return err }},
			{&p.revoke, func() error { return f.Revoke(ctx, []fleet.MAC{mac}, "lost") }},
		} {
			one, err := timed(func() (int, error) { return 1, r.do() })
			if err != nil {
				return err
			}
			*r.into = append(*r.into, one)
		}
	}
	if p.list, err = timed(func() (n int, err error) {
		for _, err := range f.Devices(ctx, registry.Filter{}) {
			if err != nil {
				return 0, err
			}
			n++
		}
		return n, nil
	}); err != nil {
		return err
	}
	p.export, err = timed(func() (int, error) {
		return boards, radius.Authorize(io.Discard, f.Devices(ctx, registry.Filter{States: []fleet.State{fleet.Active}}))
	})
	return err
}
