package registrytest

import (
	"slices"
	"time"

	"github.com/tcpboot/tcpboot/pki"
	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/registry"
)

// holds tells an older registry from the one that was at a head.
func holds(h *harness) {
	ctx := h.Context()
	h.ok(h.Holds(ctx))
	h.ok(h.Holds(ctx, registry.Head{}))
	Enrol(h, h.Fleet, Entry(1))
	first, err := h.Head(ctx)
	h.ok(err)
	Enrol(h, h.Fleet, Entry(2))
	last, err := h.Head(ctx)
	h.ok(err)
	h.ok(h.Holds(ctx, first, last))
	reader := h.open(h.T, registry.Options{ReadOnly: true, Now: h.clock.Now})
	h.ok(reader.Holds(ctx, first, last))
	for _, row := range []struct {
		head registry.Head
		want registry.PastError
	}{
		{registry.Head{Sequence: last.Sequence + 1, Hash: last.Hash}, registry.PastError{Now: last.Sequence, Was: last.Sequence + 1}},
		{registry.Head{Sequence: first.Sequence, Hash: last.Hash}, registry.PastError{Now: last.Sequence, Was: first.Sequence}},
		{registry.Head{Sequence: last.Sequence, Hash: first.Hash}, registry.PastError{Now: last.Sequence, Was: last.Sequence}},
	} {
		equal(h, "error", *as[*registry.PastError](h, h.Holds(ctx, first, row.head)), row.want)
	}
}

// mark follows every number that is given.
func mark(h *harness) {
	ctx := h.Context()
	m, err := h.Mark(ctx)
	h.ok(err)
	equal(h, "of an empty registry", m, registry.Mark{Counters: map[string]uint32{}, Sequences: map[string]map[string]uint64{}})
	for _, hardware := range []string{"esp32", "esp32", "gate"} {
		_, err := h.Number(ctx, hardware, "1.0", []string{"stable"}, 0, nil)
		h.ok(err)
	}
	_, err = h.Sequence(ctx, "esp32", "1.0", []string{"beta"})
	h.ok(err)
	date := h.clock.Now().Add(-time.Hour)
	h.ok(h.CRLNumber(ctx, func(uint64, time.Time) (time.Time, error) { return date, nil }))
	m, err = h.Mark(ctx)
	h.ok(err)
	head, err := h.Head(ctx)
	h.ok(err)
	want := registry.Mark{
		Head: head, CRL: 1, CRLDate: date, Counters: map[string]uint32{"esp32": 2, "gate": 1},
		Sequences: map[string]map[string]uint64{"esp32": {"stable": 2, "beta": 1}, "gate": {"stable": 1}},
	}
	equal(h, "mark", m, want)
	var reached registry.Mark
	reached.Reach(want)
	reached.Reach(registry.Mark{})
	equal(h, "reached", reached, want)
}

// restoring takes a registry that knows nothing of what came after a backup, and
// the little that others know of that.
func restoring(h *harness) {
	ctx := h.Context()
	Enrol(h, h.Fleet, password(1), password(2), Entry(3), Entry(4), Entry(5))
	h.ok(h.Rotate(ctx, MAC(4), Admission(4, 1), "", time.Hour))
	h.ok(h.Rotate(ctx, MAC(5), Admission(5, 1), "", 0))
	_, err := h.Number(ctx, "esp32", "1.0", []string{"stable"}, 0, nil)
	h.ok(err)
	backup, err := h.Head(ctx)
	h.ok(err)
	h.clock.Add(2 * time.Hour) // and the grace is over

	day := h.clock.Now().Truncate(time.Second)
	known := registry.Head{Sequence: 57, Hash: fleet.Sum([]byte("row 57"))}
	later := registry.Later{
		Mark: registry.Mark{Head: known, CRL: 7, CRLDate: day.Add(-time.Hour), Counters: map[string]uint32{"gate": 3}},
		Dead: []pki.Revocation{
			{Serial: Admission(1, 0).Serial, Time: day, Reason: "compromised", Final: true}, // stolen
			{Serial: Admission(2, 0).Serial, Time: day, Reason: "rotated"},
			{Serial: Admission(4, 0).Serial, Time: day, Reason: "rotated"},              // its successor is known
			{Serial: Admission(5, 0).Serial, Time: day, Reason: "retired", Final: true}, // ended before, revoked after
			{Serial: Admission(9, 0).Serial, Time: day, Reason: "unspecified", Final: true},
			{Serial: Admission(9, 1).Serial, Time: day, Reason: "rotated"},
		},
	}
	r, err := h.Restore(ctx, later)
	h.ok(err)
	equal(h, "revoked", r.Revoked, []fleet.MAC{MAC(1), MAC(5)})
	equal(h, "rotated", r.Rotated, []fleet.MAC{MAC(2)})
	equal(h, "strays", r.Strays, 2)
	for n, state := range map[int]fleet.State{1: fleet.Revoked, 2: fleet.Active, 3: fleet.Active, 4: fleet.Active, 5: fleet.Revoked} {
		equal(h, MAC(n).String(), h.device(MAC(n)).State, state)
	}
	equal(h, "credentials of the rotated one", len(h.device(MAC(2)).Admissions), 0)
	equal(h, "of one in its grace", h.device(MAC(4)).Admissions, []fleet.Admission{Admission(4, 1)})
	dead := h.revocations()
	for _, d := range later.Dead {
		if _, there := dead[d.Serial]; !there {
			h.Errorf("serial %s is not on the next CRL", d.Serial)
		}
		if r, err := h.Revocation(ctx, d.Serial); err != nil || r == nil {
			h.Errorf("serial %s alone: got %v, %v", d.Serial, r, err)
		}
	}
	for d, err := range h.Revocations(ctx) {
		h.ok(err)
		if i := slices.IndexFunc(later.Dead, func(l pki.Revocation) bool { return l.Serial == d.Serial }); i >= 0 && later.Dead[i].Final != d.Final {
			h.Errorf("serial %s: final %v on the next CRL", d.Serial, d.Final)
		}
	}
	restoredNumbers(h, backup, known, later)
	h.ok(h.Rotate(ctx, MAC(2), WithPassword(Admission(2, 1)), "", 0)) // and it is whole again
}

// restoredNumbers wants every number above all that were given.
func restoredNumbers(h *harness, backup, known registry.Head, later registry.Later) {
	ctx := h.Context()
	h.ok(h.Holds(ctx, backup, known, registry.Head{Sequence: 55}))
	_, err := h.VerifyAudit(ctx, backup, known)
	h.ok(err)
	_, err = h.VerifyAudit(ctx, registry.Head{Sequence: 55, Hash: known.Hash})
	equal(h, "a lost row", as[*registry.BrokenError](h, err).Sequence, 55)
	losses, err := h.Losses(ctx)
	h.ok(err)
	equal(h, "losses", losses, []registry.Loss{{First: backup.Sequence + 1, Last: known.Sequence + registry.Room, Time: h.clock.Now(), Who: "alice"}})
	m, err := h.Mark(ctx)
	h.ok(err)
	equal(h, "counters", m.Counters, map[string]uint32{"esp32": 1 + registry.Room, "gate": 3 + registry.Room})
	equal(h, "sequences", m.Sequences, map[string]map[string]uint64{"esp32": {"stable": 1 + registry.Room}})
	equal(h, "CRL", m.CRL, later.CRL+registry.Room)
	equal(h, "its date", m.CRLDate, later.CRLDate)
}

// restoredTwice restores what was restored, with nothing known of it.
func restoredTwice(h *harness) {
	ctx := h.Context()
	Enrol(h, h.Fleet, Entry(1))
	for range 2 {
		_, err := h.Restore(ctx, registry.Later{Mark: registry.Mark{Counters: map[string]uint32{"esp32": 1<<32 - 1}}})
		h.ok(err)
	}
	losses, err := h.Losses(ctx)
	h.ok(err)
	equal(h, "losses", len(losses), 2)
	m, err := h.Mark(ctx)
	h.ok(err)
	equal(h, "a counter that is used up", m.Counters["esp32"], 1<<32-1)
	h.refused(func() error {
		_, err := h.Restore(ctx, registry.Later{Mark: registry.Mark{Head: registry.Head{Sequence: 1 << 60}}})
		return err
	})
}
