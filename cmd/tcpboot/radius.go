package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/radius"
	"github.com/tcpboot/tcpboot/pki/registry"
	"github.com/tcpboot/tcpboot/pki/site"
)

var radiusVerb = &cli.Command{
	Name:  "radius",
	Usage: "what admits the boards to the network",
	Subcommands: []*cli.Command{{
		Name:  "export",
		Usage: "write a complete FreeRADIUS 3.2 configuration folder",
		Description: "Start a server on it as it lies:  freeradius -f -d DIR -n radiusd\n" +
			"The site's own radius/ is rendered again at every change; another DIR is not.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "format", Usage: "`F`: freeradius, or authorize: the boards alone, for a server you have", Value: "freeradius"},
			&cli.PathFlag{Name: "out", Usage: "write into `DIR` (default: the site's radius/)"},
		},
		Action: readingSite(radiusExport),
	}},
}

func radiusExport(s *session) error {
	if err := wantArgs(s.cli, 0, "no arguments"); err != nil {
		return err
	}
	dir := s.cli.Path("out")
	if dir == "" {
		dir = s.site.Path("radius")
	}
	switch format := s.cli.String("format"); format {
	case "freeradius":
		key, err := s.radiusKey()
		if err != nil {
			return err
		}
		unlock, err := s.site.Lock("render")
		if err != nil {
			return err
		}
		defer unlock()
		if err := s.exportRADIUS(dir, key); err != nil {
			return err
		}
	case "authorize":
		if err := s.exportAuthorize(dir); err != nil {
			return err
		}
	default:
		return usagef("--format %q: want freeradius or authorize", format)
	}
	return answer(s.cli, map[string]string{"out": dir}, func(w io.Writer) {
		fmt.Fprintf(w, "RADIUS configuration in %s\n", dir)
	})
}

// exportAuthorize writes the boards alone.
func (s *session) exportAuthorize(dir string) error {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	f, err := site.NewFile(filepath.Join(dir, "authorize"), 0o640)
	if err != nil {
		return err
	}
	defer f.Abort()
	w := bufio.NewWriter(f)
	active := s.fleet.Devices(s.ctx(), registry.Filter{States: []fleet.State{fleet.Active}})
	if err := radius.Authorize(w, active); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Commit()
}

// A bufferedFile is written in large pieces; Close flushes, and commits nothing.
type bufferedFile struct{ *bufio.Writer }

func (b bufferedFile) Close() error { return b.Flush() }

func buffered(w io.Writer) io.WriteCloser { return bufferedFile{bufio.NewWriterSize(w, 64<<10)} }
