package registrytest

import (
	"errors"
	"reflect"
	"testing"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/registry"
)

// An Opener opens one registry, empty at first. It may be called often: each
// Fleet it returns stands for a process of its own.
type Opener func(t *testing.T, o registry.Options) *registry.Fleet

// Run runs the contract. Each call of database stands for a new, empty one.
func Run(t *testing.T, database func(t *testing.T) Opener) {
	for _, test := range []struct {
		name string
		run  func(*harness)
	}{
		{"states", states},
		{"batches", batches},
		{"large batches", largeBatches},
		{"added anew", addedAnew},
		{"names", names},
		{"refused entries", refusedEntries},
		{"hostile text", hostileText},
		{"attributes", attributes},
		{"rotation", rotation},
		{"grace", grace},
		{"grace and revocation", graceRevoked},
		{"renewal", renewal},
		{"password hashes", passwordHashes},
		{"lost boards get no grace", noGrace},
		{"issuers", issuers},
		{"one certificate's end", revocation},
		{"filters", filters},
		{"owners of names", owners},
		{"loops end early", earlyEnd},
		{"offers", offers},
		{"numbers", numbers},
		{"CRL numbers", crlNumbers},
		{"trail", trail},
		{"trail by hand", record},
		{"looking up the trail", recorded},
		{"against a head", against},
		{"holds a head", holds},
		{"mark", mark},
		{"restore", restoring},
		{"restored twice", restoredTwice},
		{"summary", summary},
		{"groups", groups},
		{"loaders followed", follow},
		{"backups", backups},
		{"clock", clock},
		{"stamp", stamp},
		{"read-only", readOnly},
		{"two enrol one board", twoEnrol},
		{"many change one board", manyChange},
		{"cancelled", cancelledContext},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := &harness{T: t, open: database(t), clock: NewClock()}
			h.Fleet = h.another("alice")
			test.run(h)
			h.check()
		})
	}
}

// A harness is one registry under test.
type harness struct {
	*testing.T
	*registry.Fleet
	open  Opener
	clock *Clock
}

// another opens the registry once more.
func (h *harness) another(who string) *registry.Fleet {
	return h.open(h.T, registry.Options{Who: who, Now: h.clock.Now})
}

// check is what must be true whatever happened.
func (h *harness) check() {
	h.Helper()
	if _, err := h.VerifyAudit(h.Context()); err != nil {
		h.Errorf("audit trail: %v", err)
	}
	for d, err := range h.Devices(h.Context(), registry.Filter{}) {
		if err != nil {
			h.Fatal(err)
		}
		if one := h.device(d.MAC); !reflect.DeepEqual(one, d) {
			h.Errorf("listed %+v, alone %+v", d, one)
		}
		live := 0
		for _, a := range d.Admissions {
			if a.Until.IsZero() {
				live++
			}
		}
		if want := map[fleet.State]int{fleet.Active: 1}[d.State]; live != want {
			h.Errorf("%s is %s with %d credentials without an end, want %d", d.MAC, d.State, live, want)
		}
	}
}

func (h *harness) device(mac fleet.MAC) fleet.Device {
	h.Helper()
	d, err := h.Device(h.Context(), mac)
	if err != nil {
		h.Fatal(err)
	}
	return d
}

func (h *harness) ok(err error) {
	h.Helper()
	if err != nil {
		h.Fatal(err)
	}
}

// refused wants an error, and that nothing changed since the stamp before.
func (h *harness) refused(do func() error) error {
	h.Helper()
	before, err := h.Stamp(h.Context())
	h.ok(err)
	refusal := do()
	if refusal == nil {
		h.Fatal("no error")
	}
	after, err := h.Stamp(h.Context())
	h.ok(err)
	if before != after {
		h.Errorf("refused, but the trail went from %d to %d", before, after)
	}
	return refusal
}

// revocations lists the revoked serials with their reasons.
func (h *harness) revocations() map[fleet.Serial]string {
	h.Helper()
	list := make(map[fleet.Serial]string)
	var last fleet.Serial
	for r, err := range h.Revocations(h.Context()) {
		h.ok(err)
		if r.Serial.String() <= last.String() {
			h.Errorf("serial %s after %s", r.Serial, last)
		}
		if r.Time.IsZero() {
			h.Errorf("serial %s: no time", r.Serial)
		}
		last, list[r.Serial] = r.Serial, r.Reason
	}
	return list
}

func as[E error](h *harness, err error) E {
	h.Helper()
	var e E
	if !errors.As(err, &e) {
		h.Fatalf("got %v (%T), want a %T", err, err, e)
	}
	return e
}

func equal[V any](h *harness, what string, got, want V) {
	h.Helper()
	if !reflect.DeepEqual(got, want) {
		h.Errorf("%s: got %+v, want %+v", what, got, want)
	}
}
