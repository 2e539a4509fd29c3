// Package registrytest is the contract of the registry as tests, to be run on
// each kind of database, and a small fleet for the tests of other packages.
package registrytest

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/registry"
)

// A Clock stands still until it is moved. Many goroutines may use it.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock returns a clock that stands at the same time in every test.
func NewClock() *Clock {
	return &Clock{now: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)}
}

// Now returns the time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Add moves the clock, back as well.
func (c *Clock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// New returns an empty registry that lives as long as the test, and its clock.
func New(t testing.TB) (*registry.Fleet, *Clock) {
	t.Helper()
	clock := NewClock()
	url := "sqlite:" + filepath.Join(t.TempDir(), "tcpboot.db")
	f, err := registry.Create(context.Background(), url, registry.Options{Who: "test", Now: clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f, clock
}

// MAC returns the address of the n-th board.
func MAC(n int) fleet.MAC {
	m := fleet.MAC{0x24, 0x0a}
	binary.BigEndian.PutUint32(m[2:], uint32(n))
	return m
}

// Admission returns the k-th credential of the n-th board, without a password.
func Admission(n, k int) fleet.Admission {
	a := fleet.Admission{
		Certificate: fleet.Sum(fmt.Appendf(nil, "certificate %d %d", n, k)),
		Issued:      NewClock().Now(),
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "serial %d %d", n, k))
	copy(a.Serial[:], sum[:])
	a.Serial[0] |= 0x40
	return a
}

// WithPassword returns a with an NT hash.
func WithPassword(a fleet.Admission) fleet.Admission {
	sum := sha256.Sum256(a.Serial[:])
	copy(a.NTHash[:], sum[:])
	return a
}

// Entry returns the n-th board, which logs in by TLS alone, with its first
// credential.
func Entry(n int) registry.Entry {
	return registry.Entry{
		Device:    fleet.Device{MAC: MAC(n), Hardware: "esp32", Channel: "stable", EAP: fleet.TLS},
		Admission: Admission(n, 0),
	}
}

// Enrol adds boards and activates them.
func Enrol(t testing.TB, f *registry.Fleet, entries ...registry.Entry) {
	t.Helper()
	var macs []fleet.MAC
	for _, e := range entries {
		macs = append(macs, e.Device.MAC)
	}
	if err := f.Add(context.Background(), entries); err != nil {
		t.Fatal(err)
	}
	if err := f.Activate(context.Background(), macs); err != nil {
		t.Fatal(err)
	}
}
