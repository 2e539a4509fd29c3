package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/registry"
	"github.com/tcpboot/tcpboot/release"
	"github.com/tcpboot/tcpboot/release/client"
	"github.com/tcpboot/tcpboot/release/server"
)

// A first TERM lets downloads finish; a second ends them, and by a reset: a board
// whose server ended in any other way might wait until its power is cut.
func TestSecondSignalEndsDownloads(t *testing.T) {
	h := newServed(t)
	h.run("enroll", "246f28aa1002")
	h.cut("3.0", "esp32", 3_000_000)
	h.run("release", "publish", "3.0")
	visits := filepath.Join(t.TempDir(), "visits")
	cmd := exec.Command("tcpboot", "serve", "--listen", "127.0.0.1:0", "--visits", visits)
	cmd.Env = h.env
	said := h.listenTo(cmd)
	address := said("address=")

	conn, err := net.Dial("tcp4", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.(*net.TCPConn).SetReadBuffer(4096)
	io.WriteString(conn, "246f28aa1002")
	if _, err := io.ReadFull(conn, make([]byte, 24)); err != nil {
		t.Fatal(err)
	}
	cmd.Process.Signal(syscall.SIGTERM)
	if n := said("downloads="); n != "1" {
		t.Errorf("%s downloads while it drains, want 1", n)
	}
	cmd.Process.Signal(syscall.SIGTERM)
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != exitFailed {
		t.Errorf("it ended with %v, want exit status %d", err, exitFailed)
	}
	if _, err := io.Copy(io.Discard, conn); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the board sees %v, want a reset", err)
	}
	if _, err := os.Stat(visits); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(h.dir, "visits.db")); err == nil {
		t.Error("visits were written to the site")
	}
}

// A server that is killed, or runs out of memory, resets its boards of version 1: one
// that waits, or is in the middle of its image, would hang after a FIN.
func TestServeThatIsKilled(t *testing.T) {
	h := newServed(t)
	h.run("enroll", "246f28aa1002")
	h.run("enroll", "246f28aa1003", "--channel", "beta")
	h.cut("3.0", "esp32", 3_000_000)
	h.run("release", "publish", "3.0")
	cmd := exec.Command("tcpboot", "serve", "--listen", "127.0.0.1:0")
	cmd.Env = h.env
	said := h.listenTo(cmd)
	address := said("address=")
	call := func(mac string) net.Conn {
		conn, err := net.Dial("tcp4", address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		conn.(*net.TCPConn).SetReadBuffer(4096)
		io.WriteString(conn, mac)
		return conn
	}
	waiting := call("246f28aa1003")
	if verdict := said("verdict="); verdict != "nothing" {
		t.Fatalf("the board that waits is told of as %s", verdict)
	}
	loading := call("246f28aa1002")
	if _, err := io.ReadFull(loading, make([]byte, 24)); err != nil {
		t.Fatal(err)
	}
	cmd.Process.Kill()
	for name, conn := range map[string]net.Conn{"waits": waiting, "downloads": loading} {
		conn.SetReadDeadline(time.Now().Add(patience))
		if _, err := io.Copy(io.Discard, conn); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("the board that %s sees %v, want a reset", name, err)
		}
	}
}

// listenTo starts cmd. The answer waits for the next line of its log that has an
// attribute, and returns the value.
func (h *served) listenTo(cmd *exec.Cmd) (said func(attribute string) string) {
	h.Helper()
	log, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		h.Fatal(err)
	}
	h.Cleanup(func() { cmd.Process.Kill() })
	lines := bufio.NewScanner(log)
	return func(attribute string) string {
		for lines.Scan() {
			if _, value, ok := strings.Cut(lines.Text(), " "+attribute); ok {
				value, _, _ = strings.Cut(value, " ")
				return value
			}
		}
		h.Fatalf("the server never says %s", attribute)
		return ""
	}
}

// A crowd is a served site with a server in this process, and boards that fetch.
type crowd struct {
	*served
	address string
	images  map[string][]byte // by version, as they were cut
	fetched atomic.Int64      // images
	tried   atomic.Int64      // fetches, silence included
	looks   atomic.Int64      // at the site
}

const (
	crowdLooks = 10 * time.Millisecond
	crowdWaits = 150 * time.Millisecond // until silence is an answer
	patience   = 30 * time.Second       // for what must happen
)

// start serves until the test is over; it must not have stopped before.
func (c *crowd) start() {
	c.again = 5 * crowdLooks
	srv := &server.Server{
		Registry: c.fleet, Shelf: c.shelf, Log: slog.New(slog.DiscardHandler),
		Limits: server.Limits{Connections: 1000, Retry: 5 * crowdLooks, QuickReturns: 1 << 30},
	}
	c.shelf.arrived = srv.Recheck
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		c.Fatal(err)
	}
	c.address = ln.Addr().String()
	over := make(chan error, 2)
	ctx, stop := context.WithCancel(context.Background())
	go func() { over <- srv.Serve(context.Background(), ln) }()
	go func() { over <- c.watch(ctx, srv) }()
	c.Cleanup(func() {
		stop()
		if err := errors.Join(srv.Shutdown(context.Background()), <-over, <-over); err != nil {
			c.Error(err)
		}
	})
}

// watch looks at the site as serve does, only more often.
func (c *crowd) watch(ctx context.Context, srv *server.Server) error {
	w := &watch{shelf: c.shelf, log: slog.New(slog.DiscardHandler)}
	tick := time.NewTicker(crowdLooks)
	defer tick.Stop()
	for ctx.Err() == nil {
		if w.look(context.Background(), <-tick.C) {
			srv.Recheck()
		}
		c.looks.Add(1)
	}
	return nil
}

// fetch is one board that asks once. It may be kept waiting, and nothing else
// than a whole image may happen to it.
func (c *crowd) fetch(b boardOf, silence time.Duration) error {
	conn, err := net.Dial("tcp4", c.address)
	if err != nil {
		return err
	}
	_, err = client.Image(context.Background(), conn, b.mac, client.Limits{Silence: silence}, func(image []byte) error {
		for _, version := range b.versions {
			if bytes.Equal(image, c.images[version]) {
				return nil
			}
		}
		return fmt.Errorf("%d bytes that are none of %v", len(image), b.versions)
	})
	c.tried.Add(1)
	if err == nil {
		c.fetched.Add(1)
	}
	return err
}

// A boardOf is a board and the releases that it may get.
type boardOf struct {
	mac      fleet.MAC
	versions []string
}

// Whatever befalls the site while boards fetch, no board gets a wrong image or is
// cut off, and those that wait are served when all is well again.
func TestServeThroughTroubles(t *testing.T) {
	c := &crowd{served: newServed(t), images: map[string][]byte{}}
	boards := c.populate()
	c.start()
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, len(boards))
	for _, b := range boards {
		go func() {
			for ctx.Err() == nil {
				if err := c.fetch(b, crowdWaits); err != nil && !errors.Is(err, client.ErrSilent) {
					ended <- fmt.Errorf("board %s: %w", b.mac, err)
					return
				}
			}
			ended <- nil
		}()
	}
	c.troubles(boards[0])
	stop()
	for range boards {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	for _, b := range boards {
		if err := c.fetch(b, patience); err != nil {
			t.Errorf("all is well again, and board %s: %v", b.mac, err)
		}
	}
	if c.fetched.Load() < int64(3*len(boards)) {
		t.Errorf("only %d images in %d fetches", c.fetched.Load(), c.tried.Load())
	}
}

// populate enrols boards and notes what the releases are.
func (c *crowd) populate() []boardOf {
	c.run("enroll", "246f28aa1002", "246f28aa1003", "246f28aa1004", "246f28aa1005")
	c.run("enroll", "246f28aa1006", "--hardware", "esp32c3", "--chip", "esp32c3")
	c.run("device", "set", "246f28aa1005", "--pin", "1.0")
	c.cut("3.0", "esp32c3", 300_000)
	c.run("release", "publish", "3.0")
	all, err := c.layout.Releases(context.Background())
	if err != nil {
		c.Fatal(err)
	}
	for _, r := range all {
		whole, err := c.layout.Load(context.Background(), r.Digest)
		if err != nil {
			c.Fatal(err)
		}
		c.images[r.Manifest.Version] = whole.Images[release.AppComponent]
	}
	mac := func(n byte) fleet.MAC { return fleet.MAC{0x24, 0x6f, 0x28, 0xaa, 0x10, n} }
	stable := []string{"1.0", "2.0"}
	return []boardOf{{mac(2), stable}, {mac(3), stable}, {mac(4), stable}, {mac(5), []string{"1.0"}}, {mac(6), []string{"3.0"}}}
}

// troubles befall the site one after the other; each lasts while boards ask.
func (c *crowd) troubles(b boardOf) {
	blob := func(version string) string {
		return "releases/blobs/sha256/" + fleet.Sum(c.images[version]).Hex()
	}
	for range 3 {
		for _, fault := range []func() func(){
			func() func() { return c.spoil("releases/index.json") },
			func() func() { return c.hide("releases/index.json") },
			func() func() { return c.hide("releases/blobs") },
			func() func() { return c.spoil("tcpboot.yaml") },
			func() func() { return c.spoil(blob("1.0")) },
			func() func() { return c.hide(blob("3.0")) },
			c.withdrawn,
		} {
			restore := fault()
			c.touch("tcpboot.yaml") // every image is read again
			c.touch("releases/index.json")
			c.lasts()
			waiting := make(chan error, 1)
			go func() { waiting <- c.fetch(b, patience) }()
			restore()
			if err := <-waiting; err != nil {
				c.Errorf("a board that was kept waiting: %v", err)
			}
		}
	}
}

// withdrawn takes the offer off the channel; it comes back as 2.0.
func (c *crowd) withdrawn() func() {
	c.withdraw()
	return func() {
		if err := c.publish("2.0"); err != nil {
			c.Fatal(err)
		}
	}
}

func (c *crowd) withdraw() {
	w, err := registry.Open(context.Background(), databaseURL(c.settings.now.Load()), registry.Options{Who: "test"})
	if err != nil {
		c.Fatal(err)
	}
	last, err := onStable(w)
	if err := errors.Join(err, w.Withdraw(context.Background(), last, ""), w.Close()); err != nil {
		c.Fatal(err)
	}
}

func (c *crowd) touch(name string) {
	now := time.Now()
	if err := os.Chtimes(filepath.Join(c.dir, name), now, now); err != nil && !errors.Is(err, os.ErrNotExist) {
		c.Fatal(err)
	}
}

// lasts waits until the server has seen it and boards have asked since.
func (c *crowd) lasts() {
	tried, looks := c.tried.Load()+12, c.looks.Load()+3
	deadline := time.After(patience)
	tick := time.NewTicker(crowdLooks)
	defer tick.Stop()
	for c.tried.Load() < tried || c.looks.Load() < looks {
		select {
		case <-tick.C:
		case <-deadline:
			c.Fatal("boards ask no more")
		}
	}
}
