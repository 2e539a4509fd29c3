package server

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/release/wire"
)

func TestDefaultLimitsFitTheDescriptors(t *testing.T) {
	for _, files := range []int{1, 64, 256, 1024, 20_000, 1 << 20} {
		l := Limits{}.orDefaults(files)
		switch {
		case l.Connections < 1 || l.Parked < 1 || l.Strangers < 1 || l.Downloads < 1 || l.PerSource < 1:
			t.Errorf("%d files: no room at all: %+v", files, l)
		case files > 256 && l.Connections > files-64:
			t.Errorf("%d files: no reserve: %+v", files, l)
		case files > 256 && l.Parked+l.Downloads > l.Connections:
			t.Errorf("%d files: more than connections: %+v", files, l)
		case l.Idle < wire.IdleLimit:
			t.Errorf("idle limit %v kills healthy boards", l.Idle)
		}
	}
	if l := (Limits{Parked: 7, Idle: 1}).orDefaults(1024); l.Parked != 7 || l.Idle != 1 {
		t.Errorf("set fields changed: %+v", l)
	}
}

func TestSources(t *testing.T) {
	for _, row := range []struct{ name, a, b string }{
		{"mapped and plain IPv4", "192.0.2.1", "::ffff:192.0.2.1"},
		{"one /64", "2001:db8:0:1::1", "2001:db8:0:1:ffff::2"},
		{"one link", "fe80::1%eth0", "fe80::2%eth1"},
	} {
		if a, b := sourceAt(row.a), sourceAt(row.b); a != b {
			t.Errorf("%s: %v and %v differ", row.name, a, b)
		}
	}
	for _, row := range []struct{ name, a, b string }{
		{"two IPv4 neighbours", "192.0.2.1", "192.0.2.2"},
		{"two /64", "2001:db8:0:1::1", "2001:db8:0:2::1"},
	} {
		if a, b := sourceAt(row.a), sourceAt(row.b); a == b {
			t.Errorf("%s: both %v", row.name, a)
		}
	}
}

func sourceAt(s string) source {
	addr, err := net.ResolveTCPAddr("tcp", net.JoinHostPort(s, "1"))
	if err != nil {
		panic(err)
	}
	return sourceOf(addr)
}

// Whatever happens to the bytes a Blob was made of, it stays as it was hashed.
func TestBlobIsImmutable(t *testing.T) {
	image := bytes.Repeat([]byte{wire.ImageMagic}, 10_000)
	want := bytes.Clone(image)
	b, err := NewBlob(image, "v1", wire.Slot2017)
	if err != nil {
		t.Fatal(err)
	}
	clear(image)
	if _, err := b.file.WriteAt(image, 0); err == nil {
		t.Error("its file can be written")
	}
	if err := b.file.Truncate(1); err == nil {
		t.Error("its file can be truncated")
	}
	got, err := io.ReadAll(io.NewSectionReader(b.file, 0, 1<<20))
	if err != nil || !bytes.Equal(got, want) || wire.NewHeader(got) != b.header {
		t.Errorf("it changed: %d bytes, %v", len(got), err)
	}
}

// The record of quick returns cannot be made to grow without bound.
func TestReturnsAreBounded(t *testing.T) {
	r := newReturns(Limits{}.orDefaults(1024), time.Now)
	for i := range maxRecords + 1000 {
		v := visitor{mac: fleet.MAC{0x24, 0, 0, byte(i >> 16), byte(i >> 8), byte(i)}}
		r.given(v, [20]byte{1})
		r.ended(v)
	}
	if len(r.seen) > maxRecords {
		t.Errorf("%d records, want %d at most", len(r.seen), maxRecords)
	}
}

// A board of version 1 whose download fails here is reset: after a FIN it would hang
// until somebody cuts its power.
func TestFailedDownloadIsReset(t *testing.T) {
	b, err := NewBlob(bytes.Repeat([]byte{wire.ImageMagic}, 10_000), "v1", wire.Slot2017)
	if err != nil {
		t.Fatal(err)
	}
	b.header.Size *= 2 // so that its file ends too early
	for name, wrap := range map[string]func(net.Conn) net.Conn{
		"sendfile": func(c net.Conn) net.Conn { return c },
		"copy":     func(c net.Conn) net.Conn { return lingering{c, c.(*net.TCPConn)} },
	} {
		t.Run(name, func(t *testing.T) {
			ln, err := net.Listen("tcp4", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			client, err := net.Dial("tcp4", ln.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			conn, err := ln.Accept()
			if err != nil {
				t.Fatal(err)
			}
			s := &Server{Registry: everybody{}, Shelf: one{b}}
			s.prepare()
			s.welcome(t.Context(), wrap(conn))
			io.WriteString(client, "240ac4000001")
			client.SetReadDeadline(time.Now().Add(10 * time.Second))
			if _, err := io.Copy(io.Discard, client); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("got %v, want a reset", err)
			}
		})
	}
}

// lingering is a connection that sendfile does not know.
type lingering struct {
	net.Conn
	tcp *net.TCPConn
}

func (l lingering) SetLinger(seconds int) error { return l.tcp.SetLinger(seconds) }

// everybody is a registry that says of every MAC that it is an active board's.
type everybody struct{}

func (everybody) Device(_ context.Context, m fleet.MAC) (fleet.Device, error) {
	return fleet.Device{MAC: m, State: fleet.Active}, nil
}

type one struct{ blob *Blob }

func (o one) Pick(context.Context, fleet.Device) (*Blob, error) { return o.blob, nil }
