//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/registry"
	"github.com/tcpboot/tcpboot/pki/registry/registrytest"
)

const (
	aimRevoke  = 2.0 // times what it takes in a fleet of a hundredth, at most
	oneByOne   = 41  // boards revoked one by one
	smallFleet = 100 // the rival is so many times smaller
)

// revokeJob revokes boards of a large registry in SQLite, with its mirror, against
// the same with a hundredth of the boards: what grows with the fleet, and should
// not, shows.
func revokeJob(o options) ([]result, error) {
	large, err := measureRevoke(o.dir, o.large)
	if err != nil {
		return nil, err
	}
	boards := max(oneByOne, o.large/smallFleet)
	small, err := measureRevoke(o.dir, boards)
	if err != nil {
		return nil, err
	}
	wall := func(p pace) float64 { return p.Seconds * 1e3 }
	a, b := median(large, wall), median(small, wall)
	return []result{{fmt.Sprintf("%d boards: revoke one, registry and radius.db", o.large), fmt.Sprintf("%.2f ms", a),
		fmt.Sprintf("%.2f ms at %d", b, boards), ratio(a / b), fmt.Sprintf("≤ %.1f", aimRevoke), "waiting for the disk: three commits"}}, nil
}

func measureRevoke(below string, boards int) (revokes []pace, err error) {
	dir, err := os.MkdirTemp(below, "tcpboot-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	f, err := bigFleet(dir, boards)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	for i := range oneByOne {
		mac := registrytest.MAC(i * (boards / oneByOne))
		one, err := timed(func() (int, error) { return 1, f.Revoke(context.Background(), []fleet.MAC{mac}, "lost") })
		if err != nil {
			return nil, err
		}
		revokes = append(revokes, one)
	}
	return revokes, nil
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
