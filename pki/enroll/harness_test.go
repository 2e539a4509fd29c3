package enroll

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/tcpboot/tcpboot/pki"
	"github.com/tcpboot/tcpboot/pki/delivery"
	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/registry"
)

// batch is small here, so that lists of several are quick.
const batch = 5

var errInjected = errors.New("injected")

// A memory is an outbox without a disk. Its hooks run before and after each
// call that changes it, and may fail it: after is a call that was carried out
// but never acknowledged.
type memory struct {
	mu                sync.Mutex
	delivered, staged map[fleet.MAC]delivery.Files
	calls             []string
	before, after     func(call string) error
	handed            func([]delivery.Handout)
}

func (m *memory) do(call string, act func()) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls = append(m.calls, call)
	if err := m.before(call); err != nil {
		return err
	}
	act()
	return m.after(call)
}

func (m *memory) Deliver(batch []delivery.Handout) (func(fleet.MAC) string, error) {
	return fleet.MAC.String, m.do("deliver", func() {
		if m.handed != nil {
			m.handed(batch)
		}
		for _, h := range batch {
			m.delivered[h.MAC] = h.Files
		}
	})
}

func (m *memory) Stage(mac fleet.MAC, f delivery.Files) error {
	return m.do("stage", func() { m.staged[mac] = f })
}

func (m *memory) Promote(mac fleet.MAC) error {
	return m.do("promote", func() {
		m.delivered[mac] = m.staged[mac]
		delete(m.staged, mac)
	})
}

func (m *memory) Discard(mac fleet.MAC) error {
	return m.do("discard", func() { delete(m.staged, mac) })
}

func (m *memory) Staged(mac fleet.MAC) (fleet.Serial, bool, error) {
	f, ok := m.staged[mac]
	return serialIn(f), ok, nil
}

func serialIn(f delivery.Files) (s fleet.Serial) {
	copy(s[:], f["serial"])
	return s
}

func works(string) error { return nil }

// at fails the call of that name, once.
func at(name string) func(string) error {
	failed := false
	return func(call string) error {
		if call != name || failed {
			return nil
		}
		failed = true
		return errInjected
	}
}

// A harness is an Enroller with a real registry and an outbox in memory.
type harness struct {
	*testing.T
	*Enroller
	box *memory
	url string
}

func newHarness(t *testing.T) *harness {
	t.Helper()
	h := &harness{T: t, url: "sqlite:" + filepath.Join(t.TempDir(), "x.db")}
	f, err := registry.Create(t.Context(), h.url, registry.Options{Who: "test"})
	h.ok(err)
	t.Cleanup(func() { f.Close() })
	h.box = &memory{delivered: map[fleet.MAC]delivery.Files{}, staged: map[fleet.MAC]delivery.Files{}, before: works, after: works}
	h.Enroller = &Enroller{
		Fleet: f, Boards: boards(t), Outbox: h.box, Now: time.Now,
		Defaults: fleet.Device{Hardware: "esp32", Channel: "stable", EAP: fleet.TLS},
		Files:    filesOf,
		batch:    batch,
	}
	return h
}

func filesOf(c *pki.Credential, _ fleet.Device) (delivery.Files, error) {
	s := pki.SerialOf(c.Certificate)
	return delivery.Files{"serial": s[:]}, nil
}

func boards(t *testing.T) *pki.Authority {
	t.Helper()
	key := func() *ecdsa.PrivateKey {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	a, err := pki.NewAuthority(pki.Boards, "test", key(), key(), pki.DefaultTemplates())
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func (h *harness) ok(err error) {
	h.Helper()
	if err != nil {
		h.Fatal(err)
	}
}

func mac(i int) fleet.MAC { return fleet.MAC{0x24, 0x6f, 0x28, byte(i >> 16), byte(i >> 8), byte(i)} }

// ask asks for boards 1 … n.
func ask(n int) (asked []Request) {
	for i := 1; i <= n; i++ {
		asked = append(asked, Request{Where: Place{"list:", i + 1}, MAC: mac(i), Name: fmt.Sprintf("door %d", i)})
	}
	return asked
}

func (h *harness) enroll(asked ...Request) {
	h.Helper()
	_, _, err := h.Enroll(h.Context(), asked)
	h.ok(err)
}

// check is what must be true at every moment, power cut or not: an active board
// has a delivery whose credential admits it, or one staged that does.
func (h *harness) check() (active int) {
	h.Helper()
	for d, err := range h.Fleet.Devices(h.Context(), registry.Filter{}) {
		h.ok(err)
		if d.State != fleet.Active {
			continue
		}
		active++
		admits := func(f delivery.Files) bool {
			return f != nil && slices.ContainsFunc(d.Admissions, func(a fleet.Admission) bool { return a.Serial == serialIn(f) })
		}
		if !admits(h.box.delivered[d.MAC]) && !admits(h.box.staged[d.MAC]) {
			h.Errorf("%s is active, and what it was handed does not admit it", d.MAC)
		}
	}
	_, err := h.Fleet.VerifyAudit(h.Context())
	h.ok(err)
	return active
}

// whole checks that n boards are active, each with its delivery, and that nothing
// is left over.
func (h *harness) whole(n int) {
	h.Helper()
	if active := h.check(); active != n || len(h.box.delivered) != n || len(h.box.staged) != 0 {
		h.Errorf("%d active, %d delivered, %d staged; want %d, %d, 0", active, len(h.box.delivered), len(h.box.staged), n, n)
	}
	for m, f := range h.box.delivered {
		if d := h.device(m); d.Admissions[0].Serial != serialIn(f) {
			h.Errorf("%s was handed another credential than its newest", m)
		}
	}
}

func (h *harness) device(m fleet.MAC) fleet.Device {
	h.Helper()
	d, err := h.Fleet.Device(context.Background(), m)
	h.ok(err)
	return d
}

// other is somebody else at the same registry.
func (h *harness) other() *registry.Fleet {
	h.Helper()
	f, err := registry.Open(h.Context(), h.url, registry.Options{Who: "other"})
	h.ok(err)
	h.Cleanup(func() { f.Close() })
	return f
}
