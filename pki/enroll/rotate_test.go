package enroll

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/registry"
)

// TestRotateOrder looks at the registry from inside the outbox: the new delivery
// is staged before the moment and promoted after it.
func TestRotateOrder(t *testing.T) {
	for _, grace := range []time.Duration{0, time.Hour} {
		h := newHarness(t)
		h.enroll(ask(1)...)
		old := h.device(mac(1)).Admissions[0].Serial
		inForce := map[string]bool{}
		h.box.before = func(call string) error {
			inForce[call] = h.device(mac(1)).Admissions[0].Serial == old
			return nil
		}
		h.box.calls = nil
		finished, err := h.Rotate(t.Context(), mac(1), "", grace)
		h.ok(err)
		if want := []string{"stage", "promote"}; finished || !slices.Equal(h.box.calls, want) {
			t.Errorf("finished %v, calls %v; want %v", finished, h.box.calls, want)
		}
		if !inForce["stage"] || inForce["promote"] {
			t.Errorf("the old credential in force at each call: %v", inForce)
		}
		h.whole(1)
		if n := len(h.device(mac(1)).Admissions); n != 1 && grace == 0 || n != 2 && grace > 0 {
			t.Errorf("grace %s: %d admissions", grace, n)
		}
	}
}

// A rotation that was cut off before its moment is repeated; after it, finished.
func TestRotateCutOff(t *testing.T) {
	for _, tt := range []struct {
		name          string
		before, after func(string) error
		rotated       bool // when it was cut off
	}{
		{"before it staged", at("stage"), works, false},
		{"when it had staged", works, at("stage"), false},
		{"after the moment", at("promote"), works, true},
		{"when it had promoted", works, at("promote"), true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHarness(t)
			h.enroll(ask(2)...)
			old, bystander := h.device(mac(1)).Admissions[0].Serial, h.device(mac(2)).Admissions[0].Serial
			h.box.before, h.box.after = tt.before, tt.after
			if _, err := h.Rotate(t.Context(), mac(1), "", 0); !errors.Is(err, errInjected) {
				t.Fatalf("got %v", err)
			}
			h.check()
			cut := h.device(mac(1)).Admissions[0].Serial
			if (cut != old) != tt.rotated {
				t.Errorf("rotated: %v, want %v", cut != old, tt.rotated)
			}
			_, staged := h.box.staged[mac(1)]
			finished, err := h.Rotate(t.Context(), mac(1), "", 0)
			h.ok(err)
			h.whole(2)
			now := h.device(mac(1)).Admissions[0].Serial
			if want := tt.rotated && staged; finished != want || (now == cut) != want {
				t.Errorf("finished: %v, want %v; another credential: %v", finished, want, now != cut)
			}
			if h.device(mac(2)).Admissions[0].Serial != bystander {
				t.Error("another board was touched")
			}
		})
	}
}

// Boards that cannot be rotated have nothing staged.
func TestRotateRefuses(t *testing.T) {
	h := newHarness(t)
	h.enroll(ask(2)...)
	h.ok(h.Fleet.Revoke(t.Context(), []fleet.MAC{mac(2)}, "lost"))
	h.ok(h.Fleet.Add(t.Context(), []registry.Entry{pendingEntry(3)}))
	h.box.calls = nil
	var (
		revoked *registry.RevokedError
		state   *registry.StateError
	)
	if _, err := h.Rotate(t.Context(), mac(9), "", 0); !errors.Is(err, fleet.ErrUnknown) {
		t.Errorf("unknown: %v", err)
	}
	if _, err := h.Rotate(t.Context(), mac(2), "", 0); !errors.As(err, &revoked) || revoked.Reason != "lost" {
		t.Errorf("revoked: %v", err)
	}
	if _, err := h.Rotate(t.Context(), mac(3), "", 0); !errors.As(err, &state) || state.State != fleet.Pending {
		t.Errorf("pending: %v", err)
	}
	if len(h.box.calls) != 0 {
		t.Errorf("calls %v", h.box.calls)
	}
}

// Somebody revokes the board while its rotation is under way: the staged delivery
// never takes the place of the other.
func TestRotateRevokedMeanwhile(t *testing.T) {
	h := newHarness(t)
	h.enroll(ask(1)...)
	delivered := serialIn(h.box.delivered[mac(1)])
	h.box.after = func(call string) error {
		if call != "stage" {
			return nil
		}
		return h.other().Revoke(t.Context(), []fleet.MAC{mac(1)}, "stolen")
	}
	var revoked *registry.RevokedError
	if _, err := h.Rotate(t.Context(), mac(1), "", 0); !errors.As(err, &revoked) {
		t.Errorf("got %v", err)
	}
	if serialIn(h.box.delivered[mac(1)]) != delivered {
		t.Error("promoted")
	}
	if len(h.box.staged) != 0 {
		t.Error("a private key stays staged")
	}
}

// A rotation that was cut off after its moment is finished only when it did what
// is asked now: after the next one no credential lives longer than it may.
func TestRotateFinishes(t *testing.T) {
	for _, tt := range []struct {
		name           string
		earlier, grace time.Duration
		reason         string
		finished       bool
		live           int // credentials, afterwards
	}{
		{"routine", 0, 0, "routine", true, 1},
		{"no reason", 0, 0, "", true, 1},
		{"in capitals", 0, 0, "ROUTINE", true, 1},
		{"the same grace", time.Hour, time.Hour, "routine", true, 2},
		{"a grace that was not asked for", 0, time.Hour, "routine", true, 1},
		{"no grace any more", time.Hour, 0, "routine", false, 1},
		{"lost", 0, 0, "lost", false, 1},
		{"lost in its grace", time.Hour, 0, "lost", false, 1},
		{"stolen", 0, 0, "stolen", false, 1},
		{"any other reason", time.Hour, 0, "moved", false, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHarness(t)
			h.enroll(ask(1)...)
			h.box.before = at("promote")
			if _, err := h.Rotate(t.Context(), mac(1), "", tt.earlier); !errors.Is(err, errInjected) {
				t.Fatalf("got %v", err)
			}
			cut := h.device(mac(1)).Admissions[0].Serial
			h.box.before = func(string) error { h.check(); return nil } // whatever falls dead now
			finished, err := h.Rotate(t.Context(), mac(1), tt.reason, tt.grace)
			h.ok(err)
			h.whole(1)
			now := h.device(mac(1)).Admissions
			if finished != tt.finished || (now[0].Serial == cut) != tt.finished || len(now) != tt.live {
				t.Errorf("finished %v, %d credentials live; want %v, %d", finished, len(now), tt.finished, tt.live)
			}
		})
	}
}

// After any reason but routine there is no grace, however the reason is spelt.
func TestRotateGrace(t *testing.T) {
	h := newHarness(t)
	h.enroll(ask(1)...)
	before := h.device(mac(1)).Admissions[0].Serial
	for _, reason := range []string{"lost", "LOST", "Stolen", "moved", "lost "} {
		if _, err := h.Rotate(t.Context(), mac(1), reason, time.Hour); err == nil {
			t.Errorf("%q: a grace", reason)
		}
	}
	if h.device(mac(1)).Admissions[0].Serial != before {
		t.Error("rotated")
	}
}
