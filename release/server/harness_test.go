package server_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/release/server"
	"github.com/tcpboot/tcpboot/release/wire"
)

const patience = 10 * time.Second // for what must happen

// A site is a registry and a shelf in one, that a test changes as it goes.
type site struct {
	mu      sync.Mutex
	devices map[fleet.MAC]fleet.Device
	blobs   map[string]*server.Blob // by channel
	down    error
}

func (s *site) Device(_ context.Context, m fleet.MAC) (fleet.Device, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d, ok := s.devices[m]; ok || s.down != nil {
		return d, s.down
	}
	return fleet.Device{}, fleet.ErrUnknown
}

func (s *site) Pick(_ context.Context, d fleet.Device) (*server.Blob, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b := s.blobs[d.Channel]; b != nil {
		return b, nil
	}
	return nil, server.ErrNothing
}

func (s *site) enrol(d fleet.Device) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.devices[d.MAC] = d
}

func (s *site) publish(t *testing.T, channel string, image []byte) {
	t.Helper()
	b, err := server.NewBlob(image, "v"+channel, wire.Slot2017)
	if err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.blobs[channel] = b
}

func (s *site) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = err
}

// A house is a running server, its site, and what it tells.
type house struct {
	*server.Server
	*site
	t    *testing.T
	addr string
	told chan string // verdicts
	kept chan fleet.Visit
	over chan error // what Serve returned
}

// open starts a server on the loopback. wrap may disguise its listener.
func open(t *testing.T, l server.Limits, wrap func(net.Listener) net.Listener) *house {
	t.Helper()
	h := build(t, l)
	h.start(wrap)
	return h
}

func build(t *testing.T, l server.Limits) *house {
	h := &house{
		t:    t,
		site: &site{devices: map[fleet.MAC]fleet.Device{}, blobs: map[string]*server.Blob{}},
		told: make(chan string, 1000), kept: make(chan fleet.Visit, 1000), over: make(chan error, 1),
	}
	h.Server = &server.Server{
		Registry: h.site, Shelf: h.site, Limits: l,
		Log: slog.New(teller{h.told}), Visits: func(v fleet.Visit) { h.kept <- v },
	}
	return h
}

func (h *house) start(wrap func(net.Listener) net.Listener) {
	h.t.Helper()
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		h.t.Fatal(err)
	}
	h.addr = ln.Addr().String()
	if wrap != nil {
		ln = wrap(ln)
	}
	go func() { h.over <- h.Serve(context.Background(), ln) }()
	h.t.Cleanup(h.close)
}

func (h *house) close() {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	h.Shutdown(ctx)
	if err := <-h.over; err != nil {
		h.t.Errorf("Serve returned %v", err)
	}
	if n := h.Status(); n.Open+n.Downloads+n.Boards+n.Strangers+n.Waiting != 0 {
		h.t.Errorf("after the end: %+v", n)
	}
}

// A teller is a log handler that passes on the verdicts.
type teller struct{ verdicts chan string }

func (h teller) Enabled(context.Context, slog.Level) bool { return true }
func (h teller) WithAttrs([]slog.Attr) slog.Handler       { return h }
func (h teller) WithGroup(string) slog.Handler            { return h }
func (h teller) Handle(_ context.Context, r slog.Record) error {
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "verdict" {
			h.verdicts <- a.Value.String()
		}
		return true
	})
	return nil
}

// expect waits for the next verdict.
func (h *house) expect(want string) {
	h.t.Helper()
	select {
	case got := <-h.told:
		if got != want {
			h.t.Fatalf("verdict %q, want %q; %+v", got, want, h.Status())
		}
	case <-time.After(patience):
		h.t.Fatalf("no verdict, want %q; %+v", want, h.Status())
	}
}

// dial connects from the loopback address that ends in from.
func (h *house) dial(from byte) *net.TCPConn {
	h.t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, from)}, Timeout: patience}
	conn, err := d.Dial("tcp4", h.addr)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { conn.Close() })
	return conn.(*net.TCPConn)
}

// call connects and says something.
func (h *house) call(said string) *net.TCPConn {
	h.t.Helper()
	conn := h.dial(1)
	if _, err := io.WriteString(conn, said); err != nil {
		h.t.Fatal(err)
	}
	return conn
}

// silent holds that the server says nothing on conn: no byte, no FIN, no RST.
func silent(t *testing.T, conn net.Conn) {
	t.Helper()
	conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	n, err := conn.Read(make([]byte, 1))
	if n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("got %d bytes, %v; want silence", n, err)
	}
	conn.SetReadDeadline(time.Time{})
}

// wasReset holds that conn ends with an RST.
func wasReset(t *testing.T, conn net.Conn) {
	t.Helper()
	conn.SetReadDeadline(time.Now().Add(patience))
	if _, err := io.Copy(io.Discard, conn); !errors.Is(err, syscall.ECONNRESET) {
		t.Fatalf("got %v, want a reset", err)
	}
}

func mac(n byte) fleet.MAC { return fleet.MAC{0x24, 0x0a, 0xc4, 0, 0, n} }

// stable returns an active board on the channel stable.
func stable(n byte) fleet.Device {
	return fleet.Device{MAC: mac(n), Hardware: "esp32", Channel: "stable", State: fleet.Active}
}

// image returns size bytes that begin like an image.
func image(size int) []byte {
	b := bytes.Repeat([]byte("tcpboot "), size/8+1)[:size]
	b[0] = wire.ImageMagic
	return b
}
