//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/registry"
	"github.com/tcpboot/tcpboot/pki/registry/registrytest"
	"github.com/tcpboot/tcpboot/release"
)

const (
	aimPick   = 2.0    // times what it takes in a fleet of a hundredth, at most
	decisions = 20_000 // of each measurement
	aged      = 50     // releases that the catalog holds
)

// pickJob decides which release boards of a large registry get, as a server does
// when one connects: who it is, what it reported, and what its channel offers in
// waves. The rival is the same with a hundredth of the boards.
func pickJob(o options) ([]result, error) {
	large, err := measurePick(o.dir, o.large)
	if err != nil {
		return nil, err
	}
	boards := max(oneByOne, o.large/smallFleet)
	small, err := measurePick(o.dir, boards)
	if err != nil {
		return nil, err
	}
	job := fmt.Sprintf("%d boards: ", o.large)
	line := func(what string, a, b pace, bound string) result {
		return result{job + what, perSecond(a), fmt.Sprintf("%s at %d", perSecond(b), boards),
			ratio(a.Seconds / b.Seconds), fmt.Sprintf("≤ %.1f", aimPick), bound}
	}
	return []result{
		line("decisions, with the board looked up", large[0], small[0], fmt.Sprintf("two lookups: CPU %.0f µs", large[0].micros())),
		line("decisions alone", large[1], small[1], fmt.Sprintf("one SHA-256: CPU %.1f µs", large[1].micros())),
	}, nil
}

// measurePick returns how long decisions take with and without lookups.
func measurePick(below string, boards int) (paces [2]pace, err error) {
	dir, err := os.MkdirTemp(below, "tcpboot-bench-")
	if err != nil {
		return paces, err
	}
	defer os.RemoveAll(dir)
	f, err := bigFleet(dir, boards)
	if err != nil {
		return paces, err
	}
	defer f.Close()
	visits, err := registry.OpenVisits(context.Background(), filepath.Join(dir, "visits.db"))
	if err != nil {
		return paces, err
	}
	defer visits.Close()
	catalog, offers := agedChannel()
	decide := func(look bool) func() (int, error) {
		d := fleet.Device{Hardware: "esp32", Channel: "stable", State: fleet.Active}
		return func() (int, error) {
			for i := range decisions {
				d.MAC = registrytest.MAC(i * 7919 % boards)
				var reports []fleet.Report
				var failures map[fleet.Digest][]time.Time
				if look {
					if d, err = f.Device(context.Background(), d.MAC); err != nil {
						return 0, err
					}
					if reports, failures, err = visits.Reports(context.Background(), d.MAC); err != nil {
						return 0, err
					}
				}
				if _, err := catalog.Pick(d, offers, release.DefaultPenalty.Box(catalog, reports, failures, time.Now())); err != nil {
					return 0, err
				}
			}
			return decisions, nil
		}
	}
	for i, look := range []bool{true, false} {
		if paces[i], err = timed(decide(look)); err != nil {
			return paces, err
		}
	}
	return paces, nil
}

// agedChannel is a channel after so many releases, the last of them in a wave.
func agedChannel() (*release.Catalog, []fleet.Offer) {
	var all []*release.Release
	for i := range aged {
		r := &release.Release{Digest: fleet.Sum([]byte{byte(i)})}
		r.Manifest = release.Manifest{Version: fmt.Sprintf("1.%d.0", i), Hardware: "esp32", Chip: "esp32",
			Sequences: map[string]uint64{"stable": uint64(i + 1)}}
		all = append(all, r)
	}
	offer := func(r *release.Release) fleet.Offer {
		return fleet.Offer{Hardware: "esp32", Channel: "stable", Version: r.Manifest.Version, Manifest: r.Digest,
			Sequence: r.Manifest.Sequences["stable"], Percent: 100}
	}
	before, now := offer(all[aged-2]), offer(all[aged-1])
	now.Previous, now.Plan = &before, fleet.Plan{Waves: []fleet.Wave{{Percent: 1}, {Percent: 10}, {Percent: 100}}, Wave: 1}
	return release.NewCatalog(all...), []fleet.Offer{now}
}
