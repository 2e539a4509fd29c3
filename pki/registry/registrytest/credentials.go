package registrytest

import (
	"errors"
	"time"

	"github.com/tcpboot/tcpboot/pki"
	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/registry"
)

// password returns the n-th board with every method, and a password.
func password(n int) registry.Entry {
	e := Entry(n)
	e.Device.EAP = fleet.TLS | fleet.PEAP | fleet.TTLS
	e.Admission = WithPassword(e.Admission)
	return e
}

func rotation(h *harness) {
	ctx := h.Context()
	Enrol(h, h.Fleet, Entry(1), Entry(2))
	h.clock.Add(time.Second)
	h.ok(h.Rotate(ctx, MAC(1), Admission(1, 1), "", 0))
	equal(h, "admissions", h.device(MAC(1)).Admissions, []fleet.Admission{Admission(1, 1)})
	equal(h, "the other board", h.device(MAC(2)).Admissions, []fleet.Admission{Admission(2, 0)})
	equal(h, "revocations", h.revocations(), map[fleet.Serial]string{Admission(1, 0).Serial: "rotated"})

	h.refused(func() error { return h.Rotate(ctx, MAC(1), Admission(1, 0), "", 0) }) // an old one again
	h.refused(func() error { return h.Rotate(ctx, MAC(1), Admission(2, 0), "", 0) }) // another board's
	h.refused(func() error { return h.Rotate(ctx, MAC(1), WithPassword(Admission(1, 2)), "", 0) })
	h.refused(func() error { return h.Rotate(ctx, MAC(1), Admission(1, 2), "", -time.Second) })
	equal(h, "after refusals", h.device(MAC(1)).Admissions, []fleet.Admission{Admission(1, 1)})
}

// grace lets two credentials admit, never three, and ends by time alone.
func grace(h *harness) {
	ctx := h.Context()
	Enrol(h, h.Fleet, password(1))
	h.clock.Add(time.Second)
	h.ok(h.Rotate(ctx, MAC(1), WithPassword(Admission(1, 1)), "", time.Hour))
	old := WithPassword(Admission(1, 0))
	old.Until = h.clock.Now().Add(time.Hour)
	equal(h, "in grace", h.device(MAC(1)).Admissions, []fleet.Admission{WithPassword(Admission(1, 1)), old})
	equal(h, "revoked in grace", h.revocations(), map[fleet.Serial]string{})

	h.clock.Add(time.Minute)
	h.ok(h.Rotate(ctx, MAC(1), WithPassword(Admission(1, 2)), "", time.Hour))
	old = WithPassword(Admission(1, 1))
	old.Until = h.clock.Now().Add(time.Hour)
	equal(h, "second grace", h.device(MAC(1)).Admissions, []fleet.Admission{WithPassword(Admission(1, 2)), old})
	equal(h, "revoked in the second", h.revocations(), map[fleet.Serial]string{Admission(1, 0).Serial: "rotated"})

	h.clock.Add(time.Hour - time.Nanosecond)
	equal(h, "a moment before", len(h.device(MAC(1)).Admissions), 2)
	h.clock.Add(time.Nanosecond)
	over := h.device(MAC(1)).Admissions
	equal(h, "over", over, []fleet.Admission{WithPassword(Admission(1, 2))})
	both := map[fleet.Serial]string{Admission(1, 0).Serial: "rotated", Admission(1, 1).Serial: "rotated"}
	equal(h, "revoked when over", h.revocations(), both)
	h.ok(h.Expire(ctx))
	equal(h, "revoked when swept", h.revocations(), both)
	h.clock.Add(-registry.ClockTolerance)
	equal(h, "swept, then the clock set back", h.device(MAC(1)).Admissions, over)
}

// renewal keeps the credential by which the board asked, and no other, until the
// board is seen with the new one.
func renewal(h *harness) {
	ctx := h.Context()
	Enrol(h, h.Fleet, password(1))
	asked := Admission(1, 0)
	h.ok(h.Renew(ctx, MAC(1), Admission(1, 1), asked.Certificate, time.Hour))
	until := h.device(MAC(1)).Admissions[1].Until
	// The answer never arrived: the board asks anew, by what it has.
	h.ok(h.Renew(ctx, MAC(1), Admission(1, 2), asked.Certificate, 2*time.Hour))
	d := h.device(MAC(1))
	if len(d.Admissions) != 2 || d.Admissions[0].Serial != Admission(1, 2).Serial || d.Admissions[1].Serial != asked.Serial || !d.Admissions[1].Until.After(until) {
		h.Errorf("renewed twice: %+v", d.Admissions)
	}
	equal(h, "the one that never arrived", h.revocations(), map[fleet.Serial]string{Admission(1, 1).Serial: "replaced"})
	if err := h.refused(func() error {
		return h.Renew(ctx, MAC(1), Admission(1, 3), Admission(1, 1).Certificate, time.Hour)
	}); !errors.Is(err, registry.ErrNotInForce) {
		h.Errorf("asked by a dead one: %v", err)
	}
	// Seen with the old one: nothing ends. Seen with the new one: the old one does.
	h.ok(h.Supersede(ctx, MAC(1), asked.Certificate))
	equal(h, "seen with the old one", len(h.device(MAC(1)).Admissions), 2)
	h.ok(h.Supersede(ctx, MAC(1), Admission(1, 2).Certificate))
	equal(h, "seen with the new one", len(h.device(MAC(1)).Admissions), 1)
	h.ok(h.Supersede(ctx, MAC(1), Admission(1, 2).Certificate))
	h.ok(h.Revoke(ctx, []fleet.MAC{MAC(1)}, "lost"))
	as[*registry.RevokedError](h, h.refused(func() error {
		return h.Renew(ctx, MAC(1), Admission(1, 4), Admission(1, 2).Certificate, time.Hour)
	}))
}

func graceRevoked(h *harness) {
	ctx := h.Context()
	Enrol(h, h.Fleet, Entry(1))
	h.ok(h.Rotate(ctx, MAC(1), Admission(1, 1), "", time.Hour))
	h.ok(h.Revoke(ctx, []fleet.MAC{MAC(1)}, "stolen"))
	equal(h, "admissions", len(h.device(MAC(1)).Admissions), 0)
	equal(h, "revocations", h.revocations(), map[fleet.Serial]string{Admission(1, 0).Serial: "stolen", Admission(1, 1).Serial: "stolen"})
}

// passwordHashes go when the methods that need them go.
func passwordHashes(h *harness) {
	ctx := h.Context()
	Enrol(h, h.Fleet, password(1))
	equal(h, "hash", h.device(MAC(1)).Admissions[0].NTHash, password(1).Admission.NTHash)
	h.ok(h.Change(ctx, MAC(1), registry.Change{EAP: new(fleet.TLS)}))
	equal(h, "hash without PEAP and TTLS", h.device(MAC(1)).Admissions[0].NTHash, fleet.NTHash{})
	h.ok(h.Change(ctx, MAC(1), registry.Change{EAP: new(fleet.PEAP)}))
	equal(h, "hash after a change back", h.device(MAC(1)).Admissions[0].NTHash, fleet.NTHash{})
}

func noGrace(h *harness) {
	Enrol(h, h.Fleet, Entry(1))
	for _, reason := range []string{"lost", "stolen", "LOST", "Stolen"} {
		h.refused(func() error { return h.Rotate(h.Context(), MAC(1), Admission(1, 1), reason, time.Second) })
	}
	h.ok(h.Rotate(h.Context(), MAC(1), Admission(1, 1), "lost", 0))
	equal(h, "revocations", h.revocations(), map[fleet.Serial]string{Admission(1, 0).Serial: "lost"})
}

// issuers are told apart as long as one of their credentials admits, or may yet.
func issuers(h *harness) {
	ctx, first, second := h.Context(), fleet.Digest{}, fleet.Sum([]byte("another CA"))
	by := func(a fleet.Admission) fleet.Admission { a.Issuer = second; return a }
	live := func(when string, byFirst, bySecond int) {
		h.Helper()
		for _, row := range []struct {
			issuers []fleet.Digest
			want    int
		}{{[]fleet.Digest{first}, byFirst}, {[]fleet.Digest{second}, bySecond}, {[]fleet.Digest{first, second}, byFirst + bySecond}, {nil, 0}} {
			got, err := h.Live(ctx, row.issuers...)
			h.ok(err)
			equal(h, when, got, row.want)
		}
	}
	pending := Entry(3)
	pending.Admission = by(pending.Admission)
	Enrol(h, h.Fleet, Entry(1), Entry(2))
	h.ok(h.Add(ctx, []registry.Entry{pending}))
	live("by both", 2, 1)

	h.ok(h.Rotate(ctx, MAC(1), by(Admission(1, 1)), "", time.Hour))
	equal(h, "in grace", h.device(MAC(1)).Admissions[0], by(Admission(1, 1)))
	live("in grace", 2, 2)
	h.clock.Add(time.Hour)
	live("over", 1, 2)
	h.ok(h.Rotate(ctx, MAC(2), by(Admission(2, 1)), "", 0))
	live("rotated", 0, 3)

	h.ok(h.Revoke(ctx, []fleet.MAC{MAC(2)}, "lost"))
	for r, err := range h.Revocations(ctx) {
		h.ok(err)
		want := first
		if r.Serial == Admission(2, 1).Serial {
			want = second
		}
		equal(h, "issuer of "+r.Serial.String(), r.Issuer, want)
	}
}

// revocation answers for one serial as the list of all would.
func revocation(h *harness) {
	ctx := h.Context()
	is := func(what string, a fleet.Admission, want *pki.Revocation) {
		h.Helper()
		got, err := h.Revocation(ctx, a.Serial)
		h.ok(err)
		equal(h, what, got, want)
	}
	unknown := func(what string, a fleet.Admission) {
		h.Helper()
		if got, err := h.Revocation(ctx, a.Serial); !errors.Is(err, fleet.ErrUnknown) || got != nil {
			h.Errorf("%s: got %+v, %v; want ErrUnknown", what, got, err)
		}
	}
	ended := func(a fleet.Admission, reason string, final bool) *pki.Revocation {
		return &pki.Revocation{Serial: a.Serial, Time: h.clock.Now(), Reason: reason, Final: final}
	}
	unknown("never issued", Admission(1, 0))
	h.ok(h.Add(ctx, []registry.Entry{Entry(1)}))
	unknown("pending", Admission(1, 0))
	h.ok(h.Activate(ctx, []fleet.MAC{MAC(1)}))
	is("live", Admission(1, 0), nil)

	h.ok(h.Rotate(ctx, MAC(1), Admission(1, 1), "", time.Hour))
	h.clock.Add(time.Hour - time.Nanosecond)
	is("in grace", Admission(1, 0), nil)
	h.clock.Add(time.Nanosecond)
	over := ended(Admission(1, 0), "rotated", false)
	is("grace over", Admission(1, 0), over)
	h.ok(h.Expire(ctx))
	h.clock.Add(time.Minute)
	is("grace over and swept", Admission(1, 0), over)

	rotated := ended(Admission(1, 1), "routine", false)
	h.ok(h.Rotate(ctx, MAC(1), Admission(1, 2), "routine", 0))
	is("rotated", Admission(1, 1), rotated)
	is("live after rotations", Admission(1, 2), nil)
	h.clock.Add(time.Minute)
	h.ok(h.Revoke(ctx, []fleet.MAC{MAC(1)}, "stolen"))
	is("revoked", Admission(1, 2), ended(Admission(1, 2), "stolen", true))
	rotated.Final = true
	is("rotated before", Admission(1, 1), rotated)
}
