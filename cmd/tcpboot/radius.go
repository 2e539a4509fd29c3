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
			"  sql         the same for a server that looks each board up in the registry on PostgreSQL,\n" +
			"              or in radius.db beside a registry in SQLite: a change counts from the next\n" +
			"              login on, and nothing is done to the server\n" +
			"  hostapd     hostapd as the RADIUS server of a small site; within DIR: hostapd hostapd.conf\n" +
			"  authorize   the boards alone, for a FreeRADIUS that you have\n" +
			"Every DIR is remembered, and rendered again whenever a board changes.\n\n" +
			"A grace ends when its time is over. On PostgreSQL, with format sql, it ends as soon as the\n" +
			"board has logged in with its new credential.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "format", Usage: "write as `F`", DefaultText: "radius.kind of tcpboot.yaml; sql, where it has radius.database"},
			&cli.PathFlag{Name: "out", Usage: "write into `DIR` (default: the site's radius/)"},
			&cli.StringFlag{Name: "group", Usage: "the server runs in group `G`, which may read the files"},
			&cli.StringFlag{Name: "database", Usage: "sql: the server reads from `URL`: postgres://ROLE@HOST/NAME?passfile=FILE, or sqlite:FILE; kept as radius.database"},
			&cli.PathFlag{Name: "pid-file", Usage: "revoke and rotate send a HUP to the FreeRADIUS whose number is in `FILE`"},
			&cli.StringFlag{Name: "reload", Usage: "revoke and rotate run the shell `COMMAND` that reloads (FreeRADIUS) or restarts (hostapd) the server"},
		},
		Action: withSite(radiusExport),
	}, radiusReloadVerb, radiusDisconnectVerb},
}

func radiusExport(s *session) error {
	e, err := s.askedExport()
	if err != nil {
		return err
	}
	if formats[e.Format].asks {
		if err := s.toSQL(s.cli.String("database")); err != nil {
			return err
		}
		if mirrorFile(s.site) != "" { // whatever happened to it meanwhile
			if err := s.fleet.SyncRADIUS(s.ctx()); err != nil {
				return err
			}
		}
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
		e.Format = s.usualFormat()
	}
	f, known := formats[e.Format]
	switch {
	case !known:
		return e, usagef("--format %q: want freeradius, sql, hostapd or authorize", e.Format)
	case s.cli.IsSet("database") && !f.asks:
		return e, usagef("radius export: --database is for --format sql")
	case f.asks && (s.cli.IsSet("pid-file") || s.cli.IsSet("reload")):
		return e, usagef("radius export: --format sql has nothing to reload: the server asks the database at each login")
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

// usualFormat is that of an export for which nobody says another one.
func (s *session) usualFormat() string {
	if s.site.Settings.RADIUS.Database != "" {
		return "sql"
	}
	return s.site.Settings.RADIUS.Kind
}

// A bufferedFile is written in large pieces; Close flushes, and commits nothing.
type bufferedFile struct{ *bufio.Writer }

func (b bufferedFile) Close() error { return b.Flush() }

func buffered(w io.Writer) io.WriteCloser { return bufferedFile{bufio.NewWriterSize(w, 64<<10)} }
