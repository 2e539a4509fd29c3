package client_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/release/client"
	"github.com/tcpboot/tcpboot/release/wire"
)

var board = fleet.MAC{0x24, 0x0a, 0xc4, 0x01, 0x02, 0x03}

// serve answers one connection with what do sends, and returns the client's end
// of it. When do returns, the server closes.
func serve(t *testing.T, do func(net.Conn)) net.Conn {
	t.Helper()
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		mac := make([]byte, wire.MACDigits)
		if _, err := io.ReadFull(conn, mac); err == nil && string(mac) == board.String() {
			do(conn)
		}
	}()
	conn, err := net.Dial("tcp4", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(); ln.Close(); <-done })
	return conn
}

// answer returns header and payload as they go over the wire.
func answer(h wire.Header, payload []byte) []byte {
	b := h.Bytes()
	return append(b[:], payload...)
}

func TestFetch(t *testing.T) {
	image := bytes.Repeat([]byte{wire.ImageMagic}, 100_000)
	good := answer(wire.NewHeader(image), image)
	wrong := wire.NewHeader(image)
	wrong.SHA1[7] ^= 1
	for _, row := range []struct {
		name  string
		sent  []byte
		close bool // the server closes, instead of waiting for us
		slot  int64
		want  string // in the error
	}{
		{"an image", good, false, 0, ""},
		{"an image, and the server closes", good, true, 0, ""},
		{"an image that fills the slot", good, false, 100_000, ""},
		{"another protocol", nil, true, 0, "does not speak version 1"},
		{"half a header, then the end", good[:10], true, 0, "header: unexpected EOF"},
		{"half a payload, then the end", good[:50_024], true, 0, "payload: 50000 of 100000 bytes: unexpected EOF"},
		{"a wrong SHA-1", answer(wrong, image), false, 0, "payload: SHA-1"},
		{"another payload", answer(wire.NewHeader(image), append([]byte{0}, image[1:]...)), false, 0, "payload: SHA-1"},
		{"bytes after the payload", append(good, "more"...), false, 0, "sent more than it announced"},
		{"size 0", answer(wire.NewHeader(nil), nil), false, 0, "0 bytes"},
		{"the largest claim", answer(wire.Header{Size: 0xffffffff}, image), false, 0, "4294967295 bytes, larger than the slot"},
		{"a byte over the slot", good, false, 99_999, "larger than the slot of 99999"},
		{"a web server", []byte("HTTP/1.1 400 Bad Request\r\n\r\n"), true, 0, "larger than the slot"},
	} {
		t.Run(row.name, func(t *testing.T) {
			conn := serve(t, func(conn net.Conn) {
				conn.Write(row.sent)
				if !row.close {
					io.Copy(io.Discard, conn)
				}
			})
			l := patient
			l.Slot = row.slot
			var got bytes.Buffer
			h, err := client.Fetch(context.Background(), conn, board, &got, l)
			if row.want != "" {
				if err == nil || !strings.Contains(err.Error(), row.want) || !strings.Contains(err.Error(), board.String()) {
					t.Errorf("got %v, want %q", err, row.want)
				}
				return
			}
			if err != nil || h != wire.NewHeader(image) || !bytes.Equal(got.Bytes(), image) {
				t.Errorf("got %+v, %d bytes, %v", h, got.Len(), err)
			}
		})
	}
}

// A server that stops is waited for as long as the limits say, and no longer.
func TestLimits(t *testing.T) {
	image := bytes.Repeat([]byte{wire.ImageMagic}, 1000)
	good := answer(wire.NewHeader(image), image)
	l := client.Limits{Silence: 10 * time.Second, Idle: 30 * time.Second, Total: 10 * time.Minute}
	for _, row := range []struct {
		name string
		sent []byte
		drip bool // and goes on byte by byte, each in time, for ever
		took time.Duration
		want error
		says string
	}{
		{"silence", nil, false, l.Silence, client.ErrSilent, "the server is silent: unknown, revoked, or nothing published"},
		{"half a header, then nothing", good[:10], false, l.Idle, os.ErrDeadlineExceeded, "header: "},
		{"half a payload, then nothing", good[:524], false, l.Idle, os.ErrDeadlineExceeded, "payload: 500 of 1000 bytes: "},
		{"dripping", answer(wire.Header{Size: wire.Slot2017}, nil), true, l.Total, context.DeadlineExceeded, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ours, theirs := net.Pipe()
				over := make(chan struct{})
				go func() {
					defer close(over)
					io.CopyN(io.Discard, theirs, wire.MACDigits)
					if len(row.sent) > 0 { // a pipe passes on that nothing was written
						theirs.Write(row.sent)
					}
					if row.drip {
						dribble(theirs, l.Idle-time.Second)
					}
					io.Copy(io.Discard, theirs)
				}()
				began := time.Now()
				_, err := client.Fetch(t.Context(), ours, board, io.Discard, l)
				if !errors.Is(err, row.want) || !strings.Contains(err.Error(), row.says) || !strings.Contains(err.Error(), board.String()) {
					t.Errorf("got %v, want %q", err, row.says)
				}
				if took := time.Since(began); took != row.took {
					t.Errorf("took %v, want %v", took, row.took)
				}
				<-over
			})
		})
	}
}

// dribble sends a byte at a time for as long as anybody takes them.
func dribble(conn net.Conn, pause time.Duration) {
	for {
		time.Sleep(pause)
		if _, err := conn.Write([]byte{wire.ImageMagic}); err != nil {
			return
		}
	}
}

func TestFetchIsCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	conn := serve(t, func(conn net.Conn) {
		cancel()
		io.Copy(io.Discard, conn)
	})
	_, err := client.Fetch(ctx, conn, board, io.Discard, client.Limits{})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestFetchThatCannotBeWritten(t *testing.T) {
	full := errors.New("no space left")
	image := bytes.Repeat([]byte{wire.ImageMagic}, 1000)
	conn := serve(t, func(conn net.Conn) { conn.Write(answer(wire.NewHeader(image), image)) })
	_, err := client.Fetch(context.Background(), conn, board, failing{full}, patient)
	if !errors.Is(err, full) {
		t.Errorf("got %v", err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

func TestImage(t *testing.T) {
	image := []byte{wire.ImageMagic, 1, 2, 3}
	unsigned := errors.New("not signed")
	for _, verdict := range []error{nil, unsigned} {
		conn := serve(t, func(conn net.Conn) {
			conn.Write(answer(wire.NewHeader(image), image))
			io.Copy(io.Discard, conn)
		})
		got, err := client.Image(context.Background(), conn, board, patient, func(b []byte) error {
			if !bytes.Equal(b, image) {
				t.Errorf("checked %x", b)
			}
			return verdict
		})
		if !errors.Is(err, verdict) || (verdict == nil) != bytes.Equal(got, image) {
			t.Errorf("got %x, %v; want %v", got, err, verdict)
		}
	}
}

// FuzzFetch holds that no answer is accepted but a well-formed one, and that none
// fills more than the slot.
func FuzzFetch(f *testing.F) {
	image := []byte{wire.ImageMagic, 1, 2, 3}
	f.Add(answer(wire.NewHeader(image), image))
	f.Add(answer(wire.Header{Size: 100}, image))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, sent []byte) {
		ours, theirs := net.Pipe()
		go func() {
			io.CopyN(io.Discard, theirs, wire.MACDigits)
			theirs.Write(sent)
			theirs.Close()
		}()
		var got bytes.Buffer
		h, err := client.Fetch(context.Background(), ours, board, &got, client.Limits{Slot: 64})
		if got.Len() > 64 {
			t.Fatalf("%d bytes for a slot of 64", got.Len())
		}
		if err == nil && !bytes.Equal(sent, answer(h, got.Bytes())) {
			t.Fatalf("accepted %x", sent)
		}
	})
}
