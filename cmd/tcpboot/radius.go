package main

import (
	"bufio"
	"fmt"
	"io"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/radius"
)

var radiusVerb = &cli.Command{
	Name:  "radius",
	Usage: "what admits the boards to the network",
	Subcommands: []*cli.Command{{
		Name:  "export",
		Usage: "write what a RADIUS server reads, and keep it up to date",
		Description: "Formats:\n" +
			"  freeradius  a complete FreeRADIUS 3.2 folder; as it lies: freeradius -f -d DIR -n radiusd\n" +
			"  hostapd     hostapd as the RADIUS server of a small site; within DIR: hostapd hostapd.conf\n" +
			"  authorize   the boards alone, for a FreeRADIUS that you have\n" +
			"Every DIR is remembered, and rendered again whenever a board changes.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "format", Usage: "write as `F`", DefaultText: "radius.kind of tcpboot.yaml"},
			&cli.PathFlag{Name: "out", Usage: "write into `DIR` (default: the site's radius/)"},
			&cli.StringFlag{Name: "group", Usage: "the server runs in group `G`, which may read the files"},
			&cli.PathFlag{Name: "pid-file", Usage: "revoke and rotate send a HUP to the FreeRADIUS whose number is in `FILE`"},
			&cli.StringFlag{Name: "reload", Usage: "revoke and rotate run the shell `COMMAND` that reloads (FreeRADIUS) or restarts (hostapd) the server"},
		},
		Action: withSite(radiusExport),
	}, radiusReloadVerb},
}

func radiusExport(s *session) error {
	e, err := s.askedExport()
	if err != nil {
		return err
	}
	if err := s.fleet.Expire(s.ctx()); err != nil { // graces that are over: their hashes go now
		return err
	}
	if err := s.newExport(e, s.cli.String("group")); err != nil {
		return err
	}
	if err := s.fleet.Record(s.ctx(), "radius.export", e.Dir, jsonText(e)); err != nil {
		return err
	}
	if e.Format == "hostapd" {
		eap, err := fleet.ParseEAP(s.site.Settings.RADIUS.EAP)
		if err != nil {
			return err
		}
		for _, limit := range radius.HostapdLimits(eap) {
			say(s.cli, "note: %s", limit)
		}
	}
	return answer(s.cli, e, func(w io.Writer) {
		fmt.Fprintf(w, "RADIUS configuration in %s\n", e.Dir)
	})
}

func (s *session) askedExport() (e export, err error) {
	if e.Format = s.cli.String("format"); e.Format == "" {
		e.Format = s.site.Settings.RADIUS.Kind
	}
	if _, known := formats[e.Format]; !known {
		return e, usagef("--format %q: want freeradius, hostapd or authorize", e.Format)
	}
	out := s.cli.Path("out")
	switch {
	case out == "" && e.Format == "authorize":
		return e, usagef("radius export: --format authorize goes into a server's folder: --out DIR")
	case out == "":
		out = s.site.Path("radius")
	}
	if e.Command = s.cli.String("reload"); s.cli.IsSet("pid-file") {
		if e.Command != "" || e.Format == "hostapd" {
			return e, usagef("radius export: --pid-file is for FreeRADIUS, and without --reload")
		}
		if e.PIDFile, err = filepath.Abs(s.cli.Path("pid-file")); err != nil {
			return e, err
		}
	}
	e.Dir, err = filepath.Abs(out)
	return e, err
}

// A bufferedFile is written in large pieces; Close flushes, and commits nothing.
type bufferedFile struct{ *bufio.Writer }

func (b bufferedFile) Close() error { return b.Flush() }

func buffered(w io.Writer) io.WriteCloser { return bufferedFile{bufio.NewWriterSize(w, 64<<10)} }
