package server_test

import (
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/release/server"
	"github.com/tcpboot/tcpboot/release/wire"
)

// say sends s, and does not mind if the server has had enough.
func say(conn net.Conn, s string) net.Conn {
	io.WriteString(conn, s)
	return conn
}

// A stranger who parks as many connections as he can pushes out nobody but
// himself: no board, not even one that he claims to be, and no other stranger.
func TestParkingExhaustion(t *testing.T) {
	for _, row := range []struct {
		name, verdict string
		said          func(i int) string
	}{
		{"made-up MACs", "unknown", func(i int) string { return fmt.Sprintf("24ffff%06x", i) }},
		{"one made-up MAC", "unknown", func(int) string { return "24ffff000000" }},
		{"a revoked MAC", "revoked", func(int) string { return mac(9).String() }},
		{"garbage after hex", "malformed", func(int) string { return "beef!" }},
		{"slowly sent digits", "incomplete", func(int) string { return "24ff" }},
		{"nothing at all", "incomplete", func(int) string { return "" }},
	} {
		t.Run(row.name, func(t *testing.T) {
			const room, attempts = 4, 30
			limits := server.Limits{Connections: 100, Parked: 10, Strangers: room, PerSource: 5}
			if row.verdict == "incomplete" {
				limits.Hello = 50 * time.Millisecond
			}
			h := open(t, limits, nil)
			h.enrol(stable(1))
			revoked := stable(9)
			revoked.State = fleet.Revoked
			h.enrol(revoked)
			board := say(h.dial(1), mac(1).String())
			h.expectLate("nothing")
			visitor := say(h.dial(3), "24eeee000000") // unknown, but innocent
			h.expectLate("unknown")

			for i := range attempts {
				say(h.dial(2), row.said(i))
			}
			for range attempts {
				h.expect2(row.verdict, "reset by us")
			}
			for range attempts - (room - 1) {
				h.expect2(row.verdict, "reset by us")
			}
			if n := h.Status(); n.Boards != 1 || n.Strangers != room || n.Evicted != attempts-(room-1) {
				t.Errorf("%+v", n)
			}
			silent(t, board)
			silent(t, visitor)
			h.publish(t, "stable", image(1000))
			h.Recheck()
			boots(t, board, image(1000))
		})
	}
}

// expectLate waits for a verdict on who may have been too slow at first, for a
// limit that is short.
func (h *house) expectLate(want string) {
	h.t.Helper()
	for {
		select {
		case got := <-h.told:
			if got == want {
				return
			}
			if got != "incomplete" {
				h.t.Fatalf("verdict %q, want %q; %+v", got, want, h.Status())
			}
		case <-time.After(patience):
			h.t.Fatalf("no verdict, want %q; %+v", want, h.Status())
		}
	}
}

// expect2 waits for one of two verdicts.
func (h *house) expect2(a, b string) {
	h.t.Helper()
	select {
	case got := <-h.told:
		if got != a && got != b {
			h.t.Fatalf("verdict %q, want %q or %q", got, a, b)
		}
	case <-time.After(patience):
		h.t.Fatalf("no verdict, want %q or %q; %+v", a, b, h.Status())
	}
}

// Whoever claims the MACs of enrolled boards keeps no more places than one
// source may; the boards themselves are not touched.
func TestClaimsOfKnownMACs(t *testing.T) {
	h := open(t, server.Limits{Connections: 100, Parked: 8, Strangers: 3, PerSource: 4}, nil)
	for n := range byte(20) {
		h.enrol(stable(n))
	}
	board := say(h.dial(1), mac(1).String())
	h.expect("nothing")
	for n := range byte(20) {
		say(h.dial(2), mac(n).String())
	}
	for range 20 + 20 - 4 - 3 {
		h.expect2("nothing", "reset by us")
	}
	if n := h.Status(); n.Boards != 5 || n.Strangers != 3 {
		t.Errorf("%+v", n)
	}
	silent(t, board)
}

// A second connection of the same MAC does not end the first: that would let
// anybody reboot any board.
func TestSameMACTwice(t *testing.T) {
	h := open(t, server.Limits{}, nil)
	h.enrol(stable(1))
	first := say(h.dial(1), mac(1).String())
	h.expect("nothing")
	second := say(h.dial(2), mac(1).String())
	h.expect("nothing")
	silent(t, first)
	silent(t, second)
	h.publish(t, "stable", image(1000))
	h.Recheck()
	boots(t, first, image(1000))
	boots(t, second, image(1000))
}

// When boards fill the pool nobody else is accepted, and nobody is lost.
func TestPoolFullOfBoards(t *testing.T) {
	h := open(t, server.Limits{Connections: 20, Parked: 3, PerSource: 10}, nil)
	var boards []net.Conn
	for n := range byte(6) {
		h.enrol(stable(n))
	}
	for n := range byte(3) {
		boards = append(boards, say(h.dial(1), mac(n).String()))
		h.expect("nothing")
	}
	for n := range byte(3) {
		boards = append(boards, say(h.dial(1), mac(3+n).String()))
	}
	for _, conn := range boards {
		silent(t, conn)
	}
	if n := h.Status(); n.Boards < 3 || n.Boards > 4 { // one may have been at the door
		t.Errorf("%+v", n)
	}
	h.publish(t, "stable", image(1000))
	h.Recheck()
	for _, conn := range boards {
		boots(t, conn, image(1000))
	}
}

func TestDownloadsAreBounded(t *testing.T) {
	for _, row := range []struct {
		name   string
		limits server.Limits
	}{
		{"in total", server.Limits{Downloads: 1, PerSource: 100}},
		{"per source", server.Limits{Downloads: 100, PerSource: 1}},
	} {
		t.Run(row.name, func(t *testing.T) {
			h := open(t, row.limits, nil)
			h.enrol(stable(1))
			h.publish(t, "stable", image(wire.Slot2017))
			hog := h.call(mac(1).String())
			if _, err := io.CopyN(io.Discard, hog, wire.HeaderSize); err != nil {
				t.Fatal(err)
			}
			second := h.call(mac(1).String())
			h.expect("waiting")
			silent(t, second)
			hog.Close()
			h.expect("cut")
			boots(t, second, image(wire.Slot2017))
		})
	}
}

func TestWaitingBoardThatLeaves(t *testing.T) {
	h := open(t, server.Limits{Downloads: 1, PerSource: 100}, nil)
	h.enrol(stable(1))
	h.publish(t, "stable", image(wire.Slot2017))
	hog := h.call(mac(1).String())
	if _, err := io.CopyN(io.Discard, hog, wire.HeaderSize); err != nil {
		t.Fatal(err)
	}
	second, third := h.call(mac(1).String()), h.dial(1)
	h.expect("waiting")
	say(third, mac(1).String())
	h.expect("waiting")
	second.Close()
	h.expect("left")
	hog.Close()
	h.expect("cut")
	boots(t, third, image(wire.Slot2017))
}

// A client that takes nothing is given up, with an RST, after the idle limit.
func TestStalledClient(t *testing.T) {
	for name, wrap := range map[string]func(net.Listener) net.Listener{
		"sendfile": nil,
		"copy":     func(ln net.Listener) net.Listener { return plain{ln} },
	} {
		t.Run(name, func(t *testing.T) {
			h := open(t, server.Limits{Idle: 200 * time.Millisecond}, wrap)
			h.enrol(stable(1))
			h.publish(t, "stable", image(wire.Slot2017))
			conn := h.dial(1)
			conn.SetReadBuffer(4096)
			say(conn, mac(1).String())
			h.expect("stalled")
			if wrap == nil {
				wasReset(t, conn)
			}
		})
	}
}

// A small answer lies in the kernel, unread: that is no progress either.
func TestStalledClientOfASmallImage(t *testing.T) {
	h := open(t, server.Limits{Idle: 100 * time.Millisecond}, nil)
	h.enrol(stable(1))
	h.publish(t, "stable", image(40000))
	conn := h.dial(1)
	conn.SetReadBuffer(4096)
	say(conn, mac(1).String())
	h.expect("stalled")
	wasReset(t, conn)
}

// A slow client may take longer than the idle limit, as long as it goes on; and
// one that erases flash first, with its window shut, is healthy.
func TestSlowClient(t *testing.T) {
	const idle = 2 * time.Second // a busy machine does not stop for so long
	h := open(t, server.Limits{Idle: idle}, nil)
	h.enrol(stable(1))
	h.publish(t, "stable", image(1<<20))
	conn := h.dial(1)
	conn.SetReadBuffer(64 << 10)
	say(conn, mac(1).String())
	tick := time.NewTicker(idle / 16)
	defer tick.Stop()
	began := time.Now()
	for n := int64(0); n < wire.HeaderSize+1<<20; {
		<-tick.C
		k, err := io.CopyN(io.Discard, conn, min(32<<10, wire.HeaderSize+1<<20-n))
		if n += k; err != nil {
			t.Fatalf("after %d bytes and %v: %v", n, time.Since(began), err)
		}
	}
	if d := time.Since(began); d < 2*idle {
		t.Errorf("took %v: not slow", d)
	}
	conn.Close()
	h.expect("served")
}

func TestErasingBoard(t *testing.T) {
	h := open(t, server.Limits{}, nil)
	h.enrol(stable(1))
	h.publish(t, "stable", image(wire.Slot2017))
	conn := h.dial(1)
	conn.SetReadBuffer(64 << 10)
	say(conn, mac(1).String())
	erased := make(chan struct{})
	l := &loader2017{conn: conn, erased: erased}
	outcome := make(chan string)
	go func() { outcome <- l.boot() }()
	time.AfterFunc(300*time.Millisecond, func() { close(erased) })
	if got := <-outcome; got != booted {
		t.Errorf("the loader %s", got)
	}
}
