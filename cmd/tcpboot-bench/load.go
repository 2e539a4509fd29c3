//go:build linux

package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A load is what a load generator has seen.
type load struct {
	Bytes, Downloads, Resets, Errors int64
	Connected                        int64 // slow clients that got their first byte
	Seconds                          float64
	LastError                        string
}

// A generator keeps so many clients busy for so long.
type generator struct {
	address, protocol string
	clients           int
	seconds           float64
	size              int64
	rate              int // bytes per second and client; zero: as fast as they come

	serial, bytes, downloads, resets, errors, connected atomic.Int64
	last                                                atomic.Value
	end                                                 time.Time
}

// loadChild is a load generator in a process of its own. It prints a load.
func loadChild(args []string) error {
	g := &generator{}
	flags := flag.NewFlagSet("-load", flag.ContinueOnError)
	flags.StringVar(&g.address, "address", "", "server")
	flags.StringVar(&g.protocol, "protocol", "v1", "v1 or http")
	flags.IntVar(&g.clients, "clients", 64, "clients at a time")
	flags.Float64Var(&g.seconds, "seconds", 3, "how long")
	flags.Int64Var(&g.size, "size", 1<<20, "bytes of the image")
	flags.IntVar(&g.rate, "rate", 0, "bytes per second of each client")
	if err := flags.Parse(args); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(g.run())
}

func (g *generator) run() load {
	began := time.Now()
	g.end = began.Add(time.Duration(g.seconds * float64(time.Second)))
	var all sync.WaitGroup
	for range g.clients {
		all.Go(g.client)
	}
	all.Wait()
	last, _ := g.last.Load().(string)
	return load{
		Bytes: g.bytes.Load(), Downloads: g.downloads.Load(), Resets: g.resets.Load(),
		Errors: g.errors.Load(), Connected: g.connected.Load(),
		Seconds: time.Since(began).Seconds(), LastError: last,
	}
}

// client downloads again and again until the time is over.
func (g *generator) client() {
	buf := make([]byte, 5000)
	if g.rate == 0 {
		buf = make([]byte, 256<<10)
	}
	for time.Now().Before(g.end) {
		err := g.download(buf)
		switch {
		case err == nil:
			g.downloads.Add(1)
		case errors.Is(err, os.ErrDeadlineExceeded):
			return
		case errors.Is(err, syscall.ECONNRESET):
			g.resets.Add(1)
		default:
			g.errors.Add(1)
			g.last.Store(err.Error())
		}
	}
}

func (g *generator) download(buf []byte) error {
	d := net.Dialer{Deadline: g.end.Add(time.Second), KeepAlive: -1}
	if g.rate > 0 {
		d.Control = asBoard
	}
	conn, err := d.Dial("tcp4", g.address)
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(g.end)
	if _, err := io.WriteString(conn, g.request()); err != nil {
		return err
	}
	return g.read(conn, buf)
}

// asBoard gives a socket the segment size and the receive window of lwIP on an
// ESP32.
func asBoard(_, _ string, raw syscall.RawConn) error {
	return raw.Control(func(fd uintptr) {
		unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_MAXSEG, 1440)
		unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, 4*1436)
	})
}

func (g *generator) request() string {
	if g.protocol == "http" {
		return "GET /image HTTP/1.0\r\n\r\n"
	}
	return fmt.Sprintf("24%010x", g.serial.Add(1)) // a board of its own each time
}

// read reads one answer: v1's 24 bytes and the image, or whatever nginx says
// before the image, to the end.
func (g *generator) read(conn net.Conn, buf []byte) error {
	var got int64
	for began := time.Now(); g.protocol == "http" || got < g.size+24; {
		n, err := conn.Read(buf)
		if got == 0 && n > 0 {
			g.connected.Add(1)
		}
		got += int64(n)
		g.bytes.Add(int64(n))
		if err == io.EOF && g.protocol == "http" && got > g.size {
			return nil
		}
		if err != nil {
			return err
		}
		if g.rate > 0 {
			g.pace(began, got)
		}
	}
	return nil
}

// pace waits until got bytes are due.
func (g *generator) pace(began time.Time, got int64) {
	due := began.Add(time.Duration(got) * time.Second / time.Duration(g.rate))
	<-time.After(min(time.Until(due), time.Until(g.end)))
}
