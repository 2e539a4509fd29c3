package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/registry"
	"github.com/tcpboot/tcpboot/release/server"
)

var serveVerb = &cli.Command{
	Name:  "serve",
	Usage: "answer boards over TCP",
	Description: "Serves the unmodified loader of 2017. Boards that are unknown, revoked or have\n" +
		"nothing published are kept waiting in silence: a closed connection would make\n" +
		"them erase their flash again and again. Ctrl-C lets running downloads finish.",
	Flags: []cli.Flag{
		&cli.StringFlag{Name: "listen", Usage: "listen on `ADDR:PORT` (default: listen of tcpboot.yaml)"},
		&cli.DurationFlag{Name: "drain", Usage: "after Ctrl-C let downloads run for `DURATION`", Value: 5 * time.Minute},
	},
	Action: readingSite(serve),
}

// poll is how often the site is asked whether it changed: a query of a counter
// and a stat of a file.
const poll = time.Second

func serve(s *session) error {
	log := slog.New(slog.NewTextHandler(s.cli.App.ErrWriter, nil))
	if s.cli.Bool("json") {
		log = slog.New(slog.NewJSONHandler(s.cli.App.ErrWriter, nil))
	}
	shelf, err := s.shelf()
	if err != nil {
		return err
	}
	if _, err := shelf.refresh(s.ctx()); err != nil {
		log.Error("cannot read every release", "error", err)
	}
	visits, err := registry.OpenVisits(s.ctx(), s.site.Path("visits.db"))
	if err != nil {
		return err
	}
	book := newVisitBook(visits, log)
	srv := &server.Server{Registry: s.fleet, Shelf: shelf, Log: log, Visits: book.add}
	err = s.listen(srv, shelf, log)
	return errors.Join(err, book.close(), visits.Close())
}

// listen serves until the verb is interrupted, then drains.
func (s *session) listen(srv *server.Server, shelf *shelf, log *slog.Logger) error {
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
	log.Info("listening", "address", ln.Addr().String())
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(lasting, ln) }()
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for {
		select {
		case err := <-failed:
			return err
		case <-tick.C:
			if changed, err := shelf.refresh(lasting); err != nil {
				log.Error("cannot read every release", "error", err)
			} else if changed {
				srv.Recheck()
			}
		case <-s.ctx().Done():
			log.Info("draining", "downloads", srv.Status().Downloads)
			patience, cancel := context.WithTimeout(lasting, s.cli.Duration("drain"))
			defer cancel()
			return srv.Shutdown(patience)
		}
	}
}

// A visitBook writes visits in batches, so that no board waits for the disk.
type visitBook struct {
	visits *registry.Visits
	log    *slog.Logger
	in     chan fleet.Visit
	done   chan struct{}
}

// backlog is how many visits may wait for the disk; more are dropped and said so.
const backlog = 4096

func newVisitBook(v *registry.Visits, log *slog.Logger) *visitBook {
	b := &visitBook{visits: v, log: log, in: make(chan fleet.Visit, backlog), done: make(chan struct{})}
	go b.write()
	return b
}

func (b *visitBook) add(v fleet.Visit) {
	select {
	case b.in <- v:
	default:
		b.log.Warn("visit not recorded: the disk does not keep up", "mac", v.MAC.String())
	}
}

func (b *visitBook) write() {
	defer close(b.done)
	for first := range b.in {
		batch := []fleet.Visit{first}
		for len(b.in) > 0 && len(batch) < backlog {
			batch = append(batch, <-b.in)
		}
		if err := b.visits.Append(context.Background(), batch); err != nil {
			b.log.Error("visits not recorded", "count", len(batch), "error", err)
		}
	}
}

func (b *visitBook) close() error {
	close(b.in)
	<-b.done
	return nil
}
