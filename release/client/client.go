// Package client is a board without the board: it asks an image server, as a
// given MAC, for what that board would get, and checks it. It speaks version 1
// of the boot protocol, which package wire describes.
//
// The answer comes from whoever runs the server, so nothing of it is believed:
// sizes are bounded before a byte is taken, waiting is bounded, and Image calls
// an image good only after the caller's check.
//
//	conn, err := dialer.DialContext(ctx, "tcp", "update.example:8123")
//	…
//	image, err := client.Image(ctx, conn, mac, client.Limits{}, check)
package client

import (
	"bytes"
	"context"
	"crypto/sha1" // fixed by the protocol; it guards against accidents only
	"errors"
	"fmt"
	"hash"
	"io"
	"net"
	"os"
	"time"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/release/wire"
)

// ErrSilent says that the server took the MAC and did not answer: it has parked
// the connection. It does so with boards that are unknown, revoked, not yet
// active or looping, and with those for which nothing is published.
var ErrSilent = errors.New("the server is silent: unknown, revoked, or nothing published")

// Limits bound what a server may do. A field that is zero takes its default.
type Limits struct {
	Slot    int64         // largest image; default: wire.Slot2017
	Silence time.Duration // until the first byte of the answer; default: 10 s
	Idle    time.Duration // without progress after that; default: 30 s
	Total   time.Duration // for everything; default: 10 min
}

func (l Limits) orDefaults() Limits {
	if l.Slot == 0 {
		l.Slot = wire.Slot2017
	}
	or := func(d *time.Duration, value time.Duration) {
		if *d == 0 {
			*d = value
		}
	}
	or(&l.Silence, 10*time.Second)
	or(&l.Idle, 30*time.Second)
	or(&l.Total, 10*time.Minute)
	return l
}

// Image fetches the image for mac into memory and hands it to check. It returns
// the image only if check finds no fault with it.
func Image(ctx context.Context, conn net.Conn, mac fleet.MAC, l Limits, check func([]byte) error) ([]byte, error) {
	var image bytes.Buffer
	if _, err := Fetch(ctx, conn, mac, &image, l); err != nil {
		return nil, err
	}
	if err := check(image.Bytes()); err != nil {
		return nil, fmt.Errorf("image for %v: %w", mac, err)
	}
	return image.Bytes(), nil
}

// Fetch asks for mac's image over conn, writes it to w as it comes, and compares
// its SHA-1. It closes conn. After an error what was written to w is worth
// nothing; ErrSilent means that there was no answer.
func Fetch(ctx context.Context, conn net.Conn, mac fleet.MAC, w io.Writer, l Limits) (wire.Header, error) {
	l = l.orDefaults()
	ctx, cancel := context.WithTimeout(ctx, l.Total)
	defer cancel()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	defer conn.Close()
	h, err := fetch(&patient{Conn: conn, wait: l.Silence}, mac, w, l)
	if err != nil && ctx.Err() != nil {
		err = ctx.Err() // which is why conn was closed
	}
	if err != nil {
		return wire.Header{}, fmt.Errorf("fetch as %v: %w", mac, err)
	}
	return h, nil
}

func fetch(conn *patient, mac fleet.MAC, w io.Writer, l Limits) (wire.Header, error) {
	if _, err := io.WriteString(conn, mac.String()); err != nil {
		return wire.Header{}, err
	}
	h, err := readHeader(conn, l)
	if err != nil {
		return wire.Header{}, err
	}
	if err := readPayload(conn, h, w); err != nil {
		return wire.Header{}, err
	}
	return h, nothingMore(conn)
}

// readHeader waits for the first byte as long as a server may be silent, and no
// longer than usual for the rest.
func readHeader(conn *patient, l Limits) (wire.Header, error) {
	var b [wire.HeaderSize]byte
	n, err := conn.Read(b[:])
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return wire.Header{}, ErrSilent
	case err == io.EOF:
		return wire.Header{}, errors.New("the server closed without an answer: it does not speak version 1")
	case err != nil:
		return wire.Header{}, err
	}
	conn.wait = l.Idle
	if _, err := io.ReadFull(conn, b[n:]); err != nil {
		return wire.Header{}, fmt.Errorf("header: %w", short(err))
	}
	h := wire.ParseHeader(b)
	return h, h.Check(l.Slot)
}

func readPayload(conn io.Reader, h wire.Header, w io.Writer) error {
	sum := sha1.New()
	n, err := io.CopyN(io.MultiWriter(w, sum), conn, int64(h.Size))
	if err != nil {
		return fmt.Errorf("payload: %d of %d bytes: %w", n, h.Size, short(err))
	}
	return compare(sum, h)
}

func compare(sum hash.Hash, h wire.Header) error {
	if got := sum.Sum(nil); !bytes.Equal(got, h.SHA1[:]) {
		return fmt.Errorf("payload: SHA-1 %x, announced was %x", got, h.SHA1)
	}
	return nil
}

// farewell is how long to watch for bytes after the payload. They spoil the
// SHA-1 of a board; most come at once if they come at all.
const farewell = time.Second

// nothingMore ends the exchange as a board does, by closing first, and holds that
// the server had nothing more to say.
func nothingMore(conn *patient) error {
	if half, ok := conn.Conn.(interface{ CloseWrite() error }); ok {
		half.CloseWrite()
	}
	conn.wait = farewell
	if n, _ := conn.Read(make([]byte, 1)); n > 0 {
		return errors.New("payload: the server sent more than it announced")
	}
	return nil
}

func short(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// patient is a connection that waits so long for each read or write.
type patient struct {
	net.Conn
	wait time.Duration
}

func (p *patient) Read(b []byte) (int, error) {
	p.SetReadDeadline(time.Now().Add(p.wait))
	return p.Conn.Read(b)
}

func (p *patient) Write(b []byte) (int, error) {
	p.SetWriteDeadline(time.Now().Add(p.wait))
	return p.Conn.Write(b)
}
