package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/tcpboot/tcpboot/pki/fleet"
)

var purgeVerb = &cli.Command{
	Name:         "purge",
	Usage:        "remove boards' deliveries, with the secrets in them, once they are flashed",
	ArgsUsage:    "MAC... | --all",
	BashComplete: completeMACs,
	Flags: []cli.Flag{
		&cli.BoolFlag{Name: "all", Usage: "the deliveries of every board"},
		&cli.StringFlag{Name: "older-than", Usage: "with --all: only those older than `AGE` (7d)", Value: "0s"},
	},
	Action: withSite(devicePurge),
}

func devicePurge(s *session) error {
	macs, err := s.toPurge()
	if err != nil {
		return err
	}
	purged := []fleet.MAC{}
	for _, m := range macs {
		was, err := s.purge(m)
		if err != nil {
			return err
		}
		if was {
			purged = append(purged, m)
		}
	}
	return answer(s.cli, map[string]any{"purged": purged}, func(w io.Writer) {
		fmt.Fprintf(w, "%d deliveries purged\n", len(purged))
	})
}

func (s *session) toPurge() ([]fleet.MAC, error) {
	if !s.cli.Bool("all") {
		return s.macs()
	}
	if s.cli.NArg() > 0 {
		return nil, usagef("device purge: want MACs or --all, not both")
	}
	age, err := parseAge(s.cli.String("older-than"))
	if err != nil {
		return nil, usageError{fmt.Errorf("--older-than: %w", err)}
	}
	return s.outbox().older(time.Now().Add(-age))
}

// purge removes one delivery. Its files are moved aside first, so that nobody
// finds half of one.
func (s *session) purge(m fleet.MAC) (was bool, err error) {
	unlock, err := s.lockDeliveries()
	if err != nil {
		return false, err
	}
	defer unlock()
	place := s.outbox().place(m)
	aside := filepath.Join(filepath.Dir(place), "."+m.String()+".purged")
	if err := os.Rename(place, aside); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	if _, err := os.Lstat(aside); errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err := os.RemoveAll(aside); err != nil {
		return false, err
	}
	return true, s.fleet.Record(s.ctx(), "delivery.purge", m.String(), "{}")
}

// older lists the boards whose delivery was written before a time.
func (o outbox) older(than time.Time) (macs []fleet.MAC, err error) {
	folders, err := filepath.Glob(filepath.Join(o.dir, "??", "????????????"))
	if err != nil {
		return nil, err
	}
	for _, f := range folders {
		info, err := os.Stat(f)
		if err != nil {
			return nil, err
		}
		m, err := fleet.ParseMAC(filepath.Base(f))
		if err == nil && info.ModTime().Before(than) {
			macs = append(macs, m)
		}
	}
	return macs, nil
}
