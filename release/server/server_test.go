package server_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/release/server"
	"github.com/tcpboot/tcpboot/release/wire"
)

// boots lets a loader of 2017 judge the answer on conn.
func boots(t *testing.T, conn net.Conn, want []byte) {
	t.Helper()
	l := &loader2017{conn: conn}
	if got := l.boot(); got != booted {
		t.Fatalf("the loader %s", got)
	}
	if !bytes.Equal(l.flash, want) {
		t.Fatalf("the loader has %d other bytes", len(l.flash))
	}
}

func TestBoardIsServed(t *testing.T) {
	whole := mac(1).String()
	for _, row := range []struct {
		name string
		size int
		said []string // a segment each
	}{
		{"the MAC in one piece", 1 << 20, []string{whole}},
		{"upper case", 1 << 20, []string{strings.ToUpper(whole)}},
		{"the MAC in two pieces", 1 << 20, []string{whole[:5], whole[5:]}},
		{"the MAC byte by byte", 1 << 20, strings.Split(whole, "")},
		{"input after the MAC", 1 << 20, []string{whole + "\r\n", strings.Repeat("x", 200)}},
		{"the MAC twice", 1 << 20, []string{whole, whole}},
		{"one byte", 1, []string{whole}},
		{"one segment", 1000, []string{whole}},
		{"the whole slot", wire.Slot2017, []string{whole}},
	} {
		t.Run(row.name, func(t *testing.T) {
			h := open(t, server.Limits{}, nil)
			h.enrol(stable(1))
			h.publish(t, "stable", image(row.size))
			conn := h.dial(1)
			conn.SetNoDelay(true)
			for _, s := range row.said {
				if _, err := io.WriteString(conn, s); err != nil {
					t.Fatal(err)
				}
			}
			boots(t, conn, image(row.size))
			h.expect("served")
			v := <-h.kept
			if v.MAC != mac(1) || v.Version != "vstable" || v.Protocol != "v1" || v.Sent != int64(row.size)+wire.HeaderSize || v.Verdict != "served" {
				t.Errorf("visit %+v", v)
			}
		})
	}
}

func TestServerDoesNotCloseFirst(t *testing.T) {
	h := open(t, server.Limits{}, nil)
	h.enrol(stable(1))
	h.publish(t, "stable", image(5000))
	conn := h.call(mac(1).String())
	if _, err := io.CopyN(io.Discard, conn, wire.HeaderSize+5000); err != nil {
		t.Fatal(err)
	}
	silent(t, conn) // nothing after the payload either
	conn.CloseWrite()
	h.expect("served")
	if n, err := conn.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("after our FIN: %d bytes, %v; want a FIN", n, err)
	}
}

func TestClientThatClosesItsSideFirst(t *testing.T) {
	h := open(t, server.Limits{}, nil)
	h.enrol(stable(1))
	h.publish(t, "stable", image(wire.Slot2017))
	conn := h.call(mac(1).String())
	conn.CloseWrite()
	got, err := io.ReadAll(conn)
	if err != nil || len(got) != wire.HeaderSize+wire.Slot2017 {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
	h.expect("served")
}

func TestSilence(t *testing.T) {
	revoked, pending, ours := stable(2), stable(3), stable(4)
	revoked.State, pending.State, ours.Loader.Level = fleet.Revoked, fleet.Pending, 2
	beta := stable(5)
	beta.Channel = "beta"
	for _, row := range []struct{ name, said, verdict string }{
		{"unknown", mac(99).String(), "unknown"},
		{"revoked", mac(2).String(), "revoked"},
		{"not yet active", mac(3).String(), "pending"},
		{"version 1 for a board whose loader has none", mac(4).String(), "imposter"},
		{"nothing published on its channel", mac(5).String(), "nothing"},
		{"four digits", "240a", "incomplete"},
		{"no digit", "", "incomplete"},
		{"not hex", "240ac400000g", "malformed"},
		{"a group address", "ffffffffffff", "malformed"},
		{"a group address and more", "ffffffffffff" + strings.Repeat("f", 1<<20), "malformed"},
	} {
		t.Run(row.name, func(t *testing.T) {
			limits := server.Limits{}
			if row.verdict == "incomplete" {
				limits.Hello = 10 * time.Millisecond
			}
			h := open(t, limits, nil)
			for _, d := range []fleet.Device{revoked, pending, ours, beta} {
				h.enrol(d)
			}
			h.publish(t, "stable", image(1000))
			conn := h.call(row.said)
			h.expect(row.verdict)
			silent(t, conn)
			h.Recheck() // changes nothing, and is not told again
			silent(t, conn)
			conn.Close()
			if got := <-h.told; got != "left" && got != "lost" {
				t.Errorf("verdict %q after the client closed", got)
			}
		})
	}
}

func TestParkedBoardsAreServedWhenTheSiteChanges(t *testing.T) {
	for _, row := range []struct {
		name, verdict string
		before        func(*house)
		change        func(*testing.T, *house)
	}{
		{"published", "nothing",
			func(h *house) { h.enrol(stable(1)) },
			func(t *testing.T, h *house) { h.publish(t, "stable", image(1<<20)) }},
		{"enrolled", "unknown",
			func(h *house) { h.publish(h.t, "stable", image(1<<20)) },
			func(_ *testing.T, h *house) { h.enrol(stable(1)) }},
		{"moved to another channel", "nothing",
			func(h *house) {
				d := stable(1)
				d.Channel = "beta"
				h.enrol(d)
				h.publish(h.t, "stable", image(1<<20))
			},
			func(_ *testing.T, h *house) { h.enrol(stable(1)) }},
	} {
		t.Run(row.name, func(t *testing.T) {
			h := open(t, server.Limits{}, nil)
			row.before(h)
			conn := h.call(mac(1).String())
			h.expect(row.verdict)
			silent(t, conn)
			row.change(t, h)
			h.Recheck()
			boots(t, conn, image(1<<20))
			h.expect("served")
			boots(t, h.call(mac(1).String()), image(1<<20)) // and a new one
			h.expect("served")
		})
	}
}

// late is a shelf that finds nothing, and is overtaken by a release.
type late struct {
	*house
	once sync.Once
}

func (l *late) Pick(ctx context.Context, d fleet.Device) (b *server.Blob, err error) {
	b, err = l.site.Pick(ctx, d)
	l.once.Do(func() {
		l.publish(l.t, "stable", image(1000))
		l.Recheck()
	})
	return b, err
}

func TestReleaseBetweenLookingAndParking(t *testing.T) {
	h := build(t, server.Limits{})
	h.Shelf = &late{house: h}
	h.start(nil)
	h.enrol(stable(1))
	boots(t, h.call(mac(1).String()), image(1000))
}

func TestMACThatIsCompletedLate(t *testing.T) {
	h := open(t, server.Limits{Hello: time.Millisecond}, nil)
	h.enrol(stable(1))
	h.publish(t, "stable", image(1000))
	conn := h.call(mac(1).String()[:4])
	h.expect("incomplete")
	io.WriteString(conn, mac(1).String()[4:])
	boots(t, conn, image(1000))
}

func TestInputWhileParkedIsIgnored(t *testing.T) {
	h := open(t, server.Limits{}, nil)
	h.enrol(stable(1))
	conn := h.call(mac(1).String())
	h.expect("nothing")
	if _, err := conn.Write(make([]byte, 4<<20)); err != nil {
		t.Fatal(err)
	}
	silent(t, conn)
	h.publish(t, "stable", image(1<<20))
	h.Recheck()
	boots(t, conn, image(1<<20))
}

func TestRegistryTrouble(t *testing.T) {
	h := open(t, server.Limits{Retry: 20 * time.Millisecond}, nil)
	h.enrol(stable(1))
	h.publish(t, "stable", image(1000))
	h.fail(errors.New("the disk is on fire"))
	conn := h.call(mac(1).String())
	h.expect("trouble")
	silent(t, conn)
	h.fail(nil) // and nobody says so
	boots(t, conn, image(1000))
}

func TestForeignClientsAreClosedQuietly(t *testing.T) {
	for _, row := range []struct{ name, said string }{
		{"HTTP", "GET / HTTP/1.1\r\nHost: boards\r\n\r\n"},
		{"HTTP with a long body", "POST / HTTP/1.1\r\n\r\n" + strings.Repeat("x", 1<<20)},
		{"a TLS handshake", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + strings.Repeat("\x00", 500)},
		{"NUL", "\x00"},
	} {
		t.Run(row.name, func(t *testing.T) {
			h := open(t, server.Limits{}, nil)
			conn := h.call(row.said)
			conn.SetReadDeadline(time.Now().Add(patience))
			if got, err := io.ReadAll(conn); len(got) != 0 || err != nil {
				t.Errorf("got %q, %v; want a FIN", got, err)
			}
		})
	}
}

func TestConnectionsWithoutSendfile(t *testing.T) {
	h := open(t, server.Limits{}, func(ln net.Listener) net.Listener { return plain{ln} })
	h.enrol(stable(1))
	conn := h.call(mac(1).String())
	h.expect("nothing")
	h.publish(t, "stable", image(wire.Slot2017))
	h.Recheck()
	boots(t, conn, image(wire.Slot2017))
	h.expect("served")
}

// plain disguises TCP connections.
type plain struct{ net.Listener }

func (p plain) Accept() (net.Conn, error) {
	conn, err := p.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return struct{ net.Conn }{conn}, nil
}

func TestShutdown(t *testing.T) {
	h := open(t, server.Limits{}, nil)
	h.enrol(stable(1))
	beta := stable(2)
	beta.Channel = "beta"
	h.enrol(beta)
	h.publish(t, "stable", image(wire.Slot2017))
	parked := h.call(mac(2).String())
	h.expect("nothing")
	running := h.call(mac(1).String())
	head := make([]byte, wire.HeaderSize)
	if _, err := io.ReadFull(running, head); err != nil {
		t.Fatal(err)
	}

	down := make(chan error)
	go func() { down <- h.Shutdown(context.Background()) }()
	if err := <-h.over; err != nil {
		t.Errorf("Serve returned %v", err)
	}
	h.over <- nil
	if conn, err := net.Dial("tcp4", h.addr); err == nil {
		conn.Close()
		t.Error("still accepting")
	}
	silent(t, parked) // as long as a download runs

	if n, err := io.CopyN(io.Discard, running, wire.Slot2017); err != nil {
		t.Fatalf("the running download got %d bytes, %v", n, err)
	}
	running.Close()
	h.expect("served")
	if err := <-down; err != nil {
		t.Errorf("Shutdown returned %v", err)
	}
	wasReset(t, parked)
}

// Boards that wait for a slot when the server stops do not make it last.
func TestShutdownWithWaitingBoards(t *testing.T) {
	h := open(t, server.Limits{Downloads: 1, PerSource: 10}, nil)
	h.enrol(stable(1))
	h.publish(t, "stable", image(wire.Slot2017))
	running := h.call(mac(1).String())
	if _, err := io.CopyN(io.Discard, running, wire.HeaderSize); err != nil {
		t.Fatal(err)
	}
	waiting := h.call(mac(1).String())
	h.expect("waiting")
	down := make(chan error)
	go func() { down <- h.Shutdown(context.Background()) }()
	<-h.over
	h.over <- nil
	running.Close()
	wasReset(t, waiting)
	if err := <-down; err != nil {
		t.Error(err)
	}
}

func TestShutdownThatCannotWait(t *testing.T) {
	h := open(t, server.Limits{}, nil)
	h.enrol(stable(1))
	h.publish(t, "stable", image(wire.Slot2017))
	running := h.call(mac(1).String())
	if _, err := io.CopyN(io.Discard, running, wire.HeaderSize); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := h.Shutdown(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Shutdown returned %v", err)
	}
	wasReset(t, running)
	h.expect("reset by us")
}

func TestServeAfterShutdown(t *testing.T) {
	var s server.Server
	if err := s.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Serve(context.Background(), ln); err != nil {
		t.Errorf("got %v", err)
	}
}

func TestNewBlob(t *testing.T) {
	for _, row := range []struct {
		name  string
		image []byte
		slot  int64
		want  string // in the error; empty: none
	}{
		{"one byte", image(1), wire.Slot2017, ""},
		{"the whole slot", image(wire.Slot2017), wire.Slot2017, ""},
		{"empty", nil, wire.Slot2017, "0 bytes"},
		{"a byte over the slot", image(1001), 1000, "larger than the slot"},
		{"no image", []byte("<html>"), wire.Slot2017, "first byte 0x3c"},
	} {
		t.Run(row.name, func(t *testing.T) {
			b, err := server.NewBlob(row.image, "v1", row.slot)
			if row.want == "" && (err != nil || b.Size() != int64(len(row.image))) {
				t.Errorf("got %v", err)
			}
			if row.want != "" && (err == nil || !strings.Contains(err.Error(), row.want)) {
				t.Errorf("got %v, want %q", err, row.want)
			}
		})
	}
}
