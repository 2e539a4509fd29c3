//go:build linux

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime/debug"
	"strings"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/release/server"
	"github.com/tcpboot/tcpboot/release/wire"
)

// everybody is a registry and a shelf: it knows every MAC and has one image.
type everybody struct{ blob *server.Blob }

func (everybody) Device(_ context.Context, m fleet.MAC) (fleet.Device, error) {
	return fleet.Device{MAC: m, Hardware: "esp32", Channel: "stable", State: fleet.Active}, nil
}

func (e everybody) Pick(context.Context, fleet.Device) (*server.Blob, error) { return e.blob, nil }

// serveChild is the server under test, in a process of its own. It prints its
// address and ends with its standard input.
func serveChild(args []string) error {
	flags := flag.NewFlagSet("-serve-v1", flag.ContinueOnError)
	path := flags.String("image", "", "file to serve")
	clients := flags.Int("clients", 64, "downloads at a time")
	if err := flags.Parse(args); err != nil {
		return err
	}
	image, err := os.ReadFile(*path)
	if err != nil {
		return err
	}
	blob, err := server.NewBlob(image, "bench", wire.Slot2017)
	if err != nil {
		return err
	}
	all := everybody{blob}
	return serveUntilEOF(&server.Server{Registry: all, Shelf: all, Limits: server.Limits{
		Connections: *clients + 128, Downloads: *clients + 64, PerSource: *clients + 64, Parked: 64,
	}})
}

// serveUntilEOF prints the address of s, and ends with the standard input.
func serveUntilEOF(s *server.Server) error {
	debug.SetGCPercent(server.GCPercent)     // as tcpboot serve has it
	quiet := net.ListenConfig{KeepAlive: -1} // the server arms it itself
	ln, err := quiet.Listen(context.Background(), "tcp4", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go func() {
		io.Copy(io.Discard, os.Stdin)
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		s.Shutdown(ctx)
	}()
	fmt.Println(ln.Addr())
	return s.Serve(context.Background(), ln)
}

// A child is a process of ours that ends when stop is called.
type child struct {
	*exec.Cmd
	input io.WriteCloser
	said  *bufio.Reader
}

func start(args ...string) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := &child{Cmd: exec.Command(self, args...)}
	c.Stderr = os.Stderr
	if c.input, err = c.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.said = bufio.NewReader(out)
	return c, c.Start()
}

// line returns the next line that the child prints.
func (c *child) line() (string, error) {
	s, err := c.said.ReadString('\n')
	return strings.TrimSpace(s), err
}

func (c *child) stop() error {
	c.input.Close()
	return c.Wait()
}

// runLoad runs a load generator to its end.
func runLoad(args ...string) (l load, err error) {
	c, err := start(append([]string{"-load"}, args...)...)
	if err != nil {
		return l, err
	}
	said, err := c.line()
	if err2 := c.stop(); err == nil {
		err = err2
	}
	if err != nil {
		return l, fmt.Errorf("load generator: %w", err)
	}
	return l, json.Unmarshal([]byte(said), &l)
}
