package server_test

import (
	"io"
	"sync"
	"testing"
	"time"

	"github.com/tcpboot/tcpboot/release/server"
)

// A clock stands still until it is moved.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func TestQuickReturns(t *testing.T) {
	c := &clock{at: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	h := build(t, server.Limits{QuickReturns: 3})
	h.Now = c.now
	h.start(nil)
	h.enrol(stable(1))
	h.publish(t, "stable", image(1000))
	served := func() {
		t.Helper()
		boots(t, h.call(mac(1).String()), image(1000))
		h.expect("served")
	}
	for range 5 { // a board that comes back now and then is fine
		served()
		c.move(2 * time.Minute)
	}
	served()
	c.move(30 * time.Second)
	served()
	c.move(5 * time.Second)
	served()
	c.move(5 * time.Second)
	parked := h.call(mac(1).String())
	h.expect("looping")
	silent(t, parked)
	c.move(5 * time.Minute)
	h.Recheck()
	silent(t, parked)

	// Elsewhere the same MAC has no such record.
	conn := h.dial(2)
	io.WriteString(conn, mac(1).String())
	boots(t, conn, image(1000))
	h.expect("served")

	// After the decay it has one try, not three.
	c.move(5 * time.Minute)
	h.Recheck()
	boots(t, parked, image(1000))
	h.expect("served")
	c.move(5 * time.Second)
	parked = h.call(mac(1).String())
	h.expect("looping")

	// Another image deserves another chance at once.
	h.publish(t, "stable", image(2000))
	h.Recheck()
	boots(t, parked, image(2000))
	h.expect("served")
}

// A board that reboots in the middle says no farewell: its first connection is
// still running when it is back.
func TestQuickReturnsOfABoardThatPanics(t *testing.T) {
	c := &clock{at: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	h := build(t, server.Limits{QuickReturns: 3})
	h.Now = c.now
	h.start(nil)
	h.enrol(stable(1))
	h.publish(t, "stable", image(3<<20))
	for range 3 {
		conn := h.call(mac(1).String())
		if _, err := io.CopyN(io.Discard, conn, 1000); err != nil {
			t.Fatal(err)
		}
		c.move(2 * time.Minute) // erasing took its time
	}
	silent(t, h.call(mac(1).String()))
	h.expect("looping")
}
