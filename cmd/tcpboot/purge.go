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
	ArgsUsage:    "MAC... | --all | --seen",
	BashComplete: completeMACs,
	Flags: []cli.Flag{
		&cli.BoolFlag{Name: "all", Usage: "the deliveries of every board"},
		&cli.BoolFlag{Name: "seen", Usage: "the deliveries with which boards have logged in: what is known on PostgreSQL in SQL mode"},
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
	all, seen := s.cli.Bool("all"), s.cli.Bool("seen")
	switch {
	case all && seen || (all || seen) && s.cli.NArg() > 0:
		return nil, usagef("device purge: want MACs, --all or --seen, one of them")
	case seen:
		return s.seenDelivered()
	case !all:
		return s.macs()
	}
	age, err := parseAge(s.cli.String("older-than"))
	if err != nil {
		return nil, usageError{fmt.Errorf("--older-than: %w", err)}
	}
	return s.outbox().older(time.Now().Add(-age))
}

var errUnseen = errors.New("nobody tells this registry who logged in: a RADIUS server does that reads it on PostgreSQL")

// seenDelivered are the boards that have logged in with what lies in their delivery:
// it is on them, and needed here no more.
func (s *session) seenDelivered() (macs []fleet.MAC, err error) {
	if _, embedded := databaseFile(s.site); embedded {
		return nil, errUnseen
	}
	for login, err := range s.fleet.Logins(s.ctx()) {
		if err != nil {
			return nil, err
		}
		_, staged, err := s.outbox().Staged(login.MAC)
		if err != nil {
			return nil, err
		}
		serial, ok, err := serialIn(s.outbox().place(login.MAC))
		if err != nil {
			return nil, err
		}
		if ok && !staged && serial == login.Serial {
			macs = append(macs, login.MAC)
		}
	}
	return macs, nil
}

// purge removes a board's delivery, and a staged one that no rotation finished.
func (s *session) purge(m fleet.MAC) (was bool, err error) {
	unlock, err := s.lockDeliveries()
	if err != nil {
		return false, err
	}
	defer unlock()
	for _, folder := range []string{s.outbox().place(m), s.outbox().next(m)} {
		removed, err := removeWhole(folder)
		if err != nil {
			return was, err
		}
		was = was || removed
	}
	if !was {
		return false, nil
	}
	return true, s.fleet.Record(s.ctx(), "delivery.purge", m.String(), "{}")
}

// purgeDead removes a board's delivery when its certificate admits the board no more:
// nobody can flash it to any use, and what it still holds, the password, is on the board.
func (s *session) purgeDead(m fleet.MAC) error {
	unlock, err := s.lockDeliveries()
	if err != nil {
		return err
	}
	defer unlock()
	d, err := s.fleet.Device(s.ctx(), m)
	if err != nil {
		return err
	}
	serial, ok, err := serialIn(s.boards().place(m))
	if err != nil || !ok || admitted(d, serial) {
		return err
	}
	if _, err := removeWhole(s.boards().place(m)); err != nil {
		return err
	}
	return s.fleet.Record(s.ctx(), "delivery.purge", m.String(), "{}")
}

// removeWhole removes a folder. It is moved aside first, so that nobody finds half
// of one; what an earlier run moved aside goes too.
func removeWhole(folder string) (was bool, err error) {
	aside := filepath.Join(filepath.Dir(folder), "."+filepath.Base(folder)+".purged")
	if err := os.Rename(folder, aside); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	if _, err := os.Lstat(aside); errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return true, os.RemoveAll(aside)
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
