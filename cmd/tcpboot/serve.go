package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/tcpboot/tcpboot/pki/registry"
	"github.com/tcpboot/tcpboot/release/server"
)

var serveVerb = &cli.Command{
	Name:  "serve",
	Usage: "answer boards over TCP",
	Description: "Serves our loader over mutual TLS, and the unmodified one of 2017, on one port. Of\n" +
		"the latter, boards that are unknown, revoked or have nothing published are kept\n" +
		"waiting in silence: a closed connection would make them erase their flash again and\n" +
		"again. Ctrl-C lets running downloads finish, a second one ends them.\n\n" +
		"A release that is published, a board or a kind of hardware that is added is\n" +
		"served without a restart. What cannot be read for a while leaves what was read\n" +
		"before.\n\n" +
		"The server writes nothing but visits and reports. A user who cannot write to the site may\n" +
		"run it, when the site belongs to root, and the user can read tcpboot.yaml, certs/,\n" +
		"sitedocs/, the releases and the database with its -wal and -shm, and has --visits in\n" +
		"a folder of its own. The one key it needs is the server's; without that, or its\n" +
		"passphrase, boards with our loader are not served. A systemd unit gives the passphrase by\n" +
		"LoadCredential=tcpboot-passphrase:FILE. Images lie without a name in TMPDIR, or in\n" +
		"memory when that is full.\n\n" +
		"On PostgreSQL a role of tcpboot_serve is enough (PGUSER, where the URL names none).",
	Flags: []cli.Flag{
		&cli.StringFlag{Name: "listen", Usage: "listen on `ADDR:PORT` (default: listen of tcpboot.yaml)"},
		visitsFlag, cacheFlag,
		&cli.StringFlag{Name: "renew-after", Usage: "ask boards with our loader to renew certificates older than `AGE`, such as 720d (default: those of a former boards CA alone)"},
		&cli.DurationFlag{Name: "drain", Usage: "after Ctrl-C let downloads run for `DURATION`", Value: 5 * time.Minute},
	},
	Action: readingSite(serve),
}

// visitsFlag is where servers write, and why reads.
var visitsFlag = &cli.PathFlag{Name: "visits", Usage: "the boards' last visits are in `FILE` (default: visits.db of the site, or the registry's own table on PostgreSQL)"}

func (s *session) visits() string {
	if file := s.cli.Path("visits"); file != "" {
		return file
	}
	if _, embedded := databaseFile(s.site); !embedded {
		return databaseURL(s.site)
	}
	return s.site.Path("visits.db")
}

// poll is how often the site is asked whether it changed: a query of a counter
// and a stat of a file.
const poll = time.Second

func serve(s *session) (err error) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(server.GCPercent)
	}
	log := s.log()
	shelf, err := s.shelf()
	if err != nil {
		return err
	}
	visits, err := registry.OpenVisits(s.ctx(), s.visits())
	if err != nil {
		return err
	}
	shelf.ledger = &ledger{visits: visits, settings: shelf.settings, log: log}
	w := &watch{shelf: shelf, log: log}
	w.look(s.ctx(), time.Now())
	shelf.layout.line = nil // progress is not for a log
	go shelf.layout.follow(s.ctx(), log)
	book, seen := newVisitBook(visits, log), newLatches(visits, log)
	defer func() {
		seen.close()
		book.close()
		err = errors.Join(err, visits.Close())
	}()
	srv := &server.Server{Registry: s.fleet, Shelf: shelf, Log: log, Visits: book.add}
	if srv.Secure, err = s.secure(shelf, visits, seen, log); err != nil {
		return err
	}
	shelf.arrived = srv.Recheck
	return s.listen(srv, w)
}

// log is what a server says: lines for people, or JSON.
func (s *session) log() *slog.Logger {
	if s.cli.Bool("json") {
		return slog.New(slog.NewJSONHandler(s.cli.App.ErrWriter, nil))
	}
	return slog.New(slog.NewTextHandler(s.cli.App.ErrWriter, nil))
}

// listen serves until the verb is interrupted, then drains.
func (s *session) listen(srv *server.Server, w *watch) error {
	if err := wantAddress(s.cli, "listen"); err != nil {
		return err
	}
	address := s.cli.String("listen")
	if address == "" {
		address = s.site.Settings.Listen
	}
	// Nobody's end may cut off what the registry is being asked for a board.
	lasting := context.WithoutCancel(s.ctx())
	ln, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	w.log.Info("listening", "address", ln.Addr().String())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(lasting, ln) }()
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for {
		select {
		case err := <-failed:
			return err
		case now := <-tick.C:
			if w.look(lasting, now) {
				srv.Recheck()
			}
		case <-s.ctx().Done():
			w.log.Info("draining", "downloads", srv.Status().Downloads)
			return s.drain(srv, signals)
		}
	}
}

// drain lets downloads finish as long as nobody loses patience. Even then every
// connection is reset: boards whose server just died would wait for ever.
func (s *session) drain(srv *server.Server, signals chan os.Signal) error {
	patience, cancel := context.WithTimeout(context.WithoutCancel(s.ctx()), s.cli.Duration("drain"))
	defer cancel()
	go func() {
		<-signals // the one that began this
		<-signals
		signal.Stop(signals) // the next one kills
		cancel()
	}()
	if err := srv.Shutdown(patience); err != nil {
		return fmt.Errorf("downloads were cut off: %w", err)
	}
	return nil
}
