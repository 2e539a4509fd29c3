package main

import (
	"iter"
	"slices"
	"testing"
	"time"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/registry"
)

// TestSightings sorts boards that image servers and RADIUS saw, some both, some
// neither: the last time counts, whoever saw it.
func TestSightings(t *testing.T) {
	day := func(n int) time.Time { return time.Date(2026, 1, n, 0, 0, 0, 0, time.UTC) }
	mac := func(n byte) fleet.MAC { return fleet.MAC{0x24, 5: n} }
	visits := list(
		fleet.Visit{MAC: mac(0), Time: day(9)}, // nobody's
		fleet.Visit{MAC: mac(2), Time: day(2), Remote: "here"},
		fleet.Visit{MAC: mac(3), Time: day(2)},
		fleet.Visit{MAC: mac(5), Time: day(8), Remote: "there", Protocol: "v1"},
		fleet.Visit{MAC: mac(7), Time: day(9)},
	)
	atRADIUS := logins(list(
		registry.Login{MAC: mac(1), Last: day(8)},
		registry.Login{MAC: mac(3), Last: day(1)},
		registry.Login{MAC: mac(3), Last: day(8)},
		registry.Login{MAC: mac(5), Last: day(4)},
		registry.Login{MAC: mac(6), Last: day(4)},
		registry.Login{MAC: mac(9), Last: day(9)},
	))
	boards := list(
		registry.Standing{MAC: mac(1), State: fleet.Active, Since: day(1)},
		registry.Standing{MAC: mac(2), State: fleet.Active, Since: day(1)},
		registry.Standing{MAC: mac(3), State: fleet.Active, Since: day(1)},
		registry.Standing{MAC: mac(4), State: fleet.Active, Since: day(1)},
		registry.Standing{MAC: mac(5), State: fleet.Revoked, Since: day(5)},
		registry.Standing{MAC: mac(6), State: fleet.Revoked, Since: day(5)},
		registry.Standing{MAC: mac(8), State: fleet.Active, Since: day(6)},
	)
	w := &watcher{limits: limits{seen: day(5)}}
	if err := w.watch(boards, byMAC(visits, atRADIUS)); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		what      string
		got, want []string
	}{
		{"never", w.never.first, []string{"240000000004  enrolled on 2026-01-01"}},
		{"stale", w.stale.first, []string{"240000000002  on 2026-01-02 from here"}},
		{"knocking", w.knocking.first, []string{"240000000005  2026-01-08 00:00:00 from there by v1"}},
	} {
		if !slices.Equal(row.got, row.want) {
			t.Errorf("%s: got %q, want %q", row.what, row.got, row.want)
		}
	}
}

func list[T any](all ...T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, v := range all {
			if !yield(v, nil) {
				return
			}
		}
	}
}
