package registrytest

import (
	"time"

	"github.com/tcpboot/tcpboot/pki"
	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/registry"
)

// groups counts boards that are alike, and notes what loaders trust.
func groups(h *harness) {
	ctx := h.Context()
	key := fleet.Sum([]byte("app key"))
	entry := func(n, level int, hardware string, pin fleet.Pin) registry.Entry {
		e := Entry(n)
		e.Device.Hardware, e.Device.Pin, e.Device.Loader.Level = hardware, pin, level
		return e
	}
	pin := fleet.Pin{Version: "1.0"}
	Enrol(h, h.Fleet, entry(1, 0, "door", fleet.Pin{}), entry(2, 1, "door", fleet.Pin{}), entry(3, 1, "door", fleet.Pin{}),
		entry(4, 1, "door", pin), entry(5, 2, "lamp", fleet.Pin{}), entry(6, 1, "door", fleet.Pin{}))
	h.ok(h.Revoke(ctx, []fleet.MAC{MAC(6)}, "lost"))
	n, err := h.NoteLoaders(ctx, "door", key)
	h.ok(err)
	equal(h, "boards noted", n, 3)
	again, err := h.NoteLoaders(ctx, "door", fleet.Sum([]byte("another")))
	h.ok(err)
	equal(h, "boards noted again", again, 0)
	all, err := h.Groups(ctx)
	h.ok(err)
	checks := fleet.Loader{Level: 1, Key: key}
	equal(h, "groups", all, []registry.Group{
		{Hardware: "door", Channel: "stable", Boards: 1},
		{Hardware: "door", Channel: "stable", Loader: checks, Boards: 2},
		{Hardware: "door", Channel: "stable", Pin: pin, Loader: checks, Boards: 1},
		{Hardware: "lamp", Channel: "stable", Loader: fleet.Loader{Level: 2}, Boards: 1},
	})
	macs, err := h.BoardsOfLoader(ctx, key, 2)
	h.ok(err)
	equal(h, "boards of a loader", macs, []fleet.MAC{MAC(2), MAC(3)})
}

// follow writes down the loaders that boards reported, of those boards alone.
func follow(h *harness) {
	ctx := h.Context()
	old, cabled := fleet.Loader{Level: 2, Version: "2.0.0"}, fleet.Loader{Level: 2, Version: "9.0.0"}
	now := fleet.Loader{Level: 2, Version: "2.1.0", Key: fleet.Sum([]byte("app key"))}
	entry := func(n int, hardware string, l fleet.Loader) registry.Entry {
		e := Entry(n)
		e.Device.Hardware, e.Device.Loader = hardware, l
		return e
	}
	Enrol(h, h.Fleet, entry(1, "door", old), entry(2, "door", fleet.Loader{Level: 2}), entry(3, "door", cabled),
		entry(4, "lamp", old), entry(5, "door", old), entry(6, "door", old))
	h.ok(h.Revoke(ctx, []fleet.MAC{MAC(5)}, "lost"))
	reported := []fleet.MAC{MAC(1), MAC(2), MAC(3), MAC(4), MAC(5), MAC(77)}
	n, err := h.FollowLoader(ctx, "door", reported, []string{"", "2.0.0"}, now)
	h.ok(err)
	equal(h, "boards that have another loader now", n, 2)
	n, err = h.FollowLoader(ctx, "door", reported, []string{"", "2.0.0"}, now)
	h.ok(err)
	equal(h, "boards that have it already", n, 0)
	for i, want := range []fleet.Loader{now, now, cabled, old, old, old} {
		d, err := h.Device(ctx, MAC(i+1))
		h.ok(err)
		equal(h, "loader of "+d.MAC.String(), d.Loader, want)
	}
}

// summary counts a fleet in which there is one of everything.
func summary(h *harness) {
	ctx := h.Context()
	before := h.clock.Now()
	s, err := h.Summary(ctx, before)
	h.ok(err)
	equal(h, "of an empty registry", s, registry.Summary{States: map[fleet.State]int{}, Levels: map[int]int{}})

	leveled := Entry(2)
	leveled.Device.Loader.Level = 1
	Enrol(h, h.Fleet, Entry(1), leveled, Entry(3), Entry(4), Entry(5), Entry(6))
	loaders, err := h.Loaders(ctx, "esp32", "stable")
	h.ok(err)
	equal(h, "loaders", loaders, map[fleet.Loader]int{{}: 5, {Level: 1}: 1})
	loaders, err = h.Loaders(ctx, "esp32", "beta")
	h.ok(err)
	equal(h, "loaders of no board", loaders, map[fleet.Loader]int{})
	h.clock.Add(time.Hour)
	h.ok(h.Add(ctx, []registry.Entry{Entry(7)})) // pending
	h.ok(h.Revoke(ctx, []fleet.MAC{MAC(3)}, "lost"))
	newer := func(n int) fleet.Admission { a := Admission(n, 1); a.Issued = h.clock.Now(); return a }
	h.ok(h.Rotate(ctx, MAC(4), newer(4), "", time.Minute))
	h.ok(h.Rotate(ctx, MAC(5), newer(5), "", 24*time.Hour))
	changed := h.clock.Now()
	h.clock.Add(time.Hour) // one grace is over
	want := registry.Summary{
		States: map[fleet.State]int{fleet.Active: 5, fleet.Pending: 1, fleet.Revoked: 1}, Levels: map[int]int{0: 4, 1: 1},
		Changed: changed, Oldest: before, Old: 3, Graces: 1, Dead: 2,
	}
	s, err = h.Summary(ctx, before.Add(time.Minute))
	h.ok(err)
	equal(h, "summary", s, want)
	old, err := h.OldCredentials(ctx, before.Add(time.Minute), 2)
	h.ok(err)
	equal(h, "old credentials", old, []fleet.MAC{MAC(1), MAC(2)})

	var standings []registry.Standing
	for s, err := range h.Standings(ctx) {
		h.ok(err)
		standings = append(standings, s)
	}
	equal(h, "standings", len(standings), 7)
	equal(h, "of a revoked one", standings[2], registry.Standing{MAC: MAC(3), State: fleet.Revoked, Since: changed})
	equal(h, "of another", standings[0], registry.Standing{MAC: MAC(1), State: fleet.Active, Since: before})

	dead := []pki.Revocation{{Serial: Admission(1, 0).Serial, Time: before, Reason: "rotated"}, {Serial: Admission(9, 0).Serial, Time: before, Reason: "rotated"}}
	_, err = h.Restore(ctx, registry.Later{Dead: dead})
	h.ok(err)
	s, err = h.Summary(ctx, before)
	h.ok(err)
	equal(h, "bare and dead after a restore", []int{s.Bare, s.Dead}, []int{1, 4})
	bare, err := h.BareBoards(ctx, 2)
	h.ok(err)
	equal(h, "bare", bare, []fleet.MAC{MAC(1)})
	h.ok(h.Rotate(ctx, MAC(1), newer(1), "", 0))
}

// backups remembers the last one.
func backups(h *harness) {
	ctx := h.Context()
	made, last, err := h.Backups(ctx)
	h.ok(err)
	equal(h, "of an empty trail", []bool{made.IsZero(), last.IsZero()}, []bool{true, true})
	first := h.clock.Now()
	for _, action := range []string{"site.init", "site.backup", "site.backup", "device.change"} {
		h.ok(h.Record(ctx, action, "lab", ""))
		h.clock.Add(time.Minute)
	}
	made, last, err = h.Backups(ctx)
	h.ok(err)
	equal(h, "made", made, first)
	equal(h, "last", last, first.Add(2*time.Minute))
}
