package main

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"time"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/registry"
	"github.com/tcpboot/tcpboot/pki/site"
	"github.com/tcpboot/tcpboot/release"
	"github.com/tcpboot/tcpboot/release/server"
)

// A ledger is what boards reported, as offers and boards are judged by it. A server
// may hold back by itself what goes wrong; to go further takes somebody who may
// publish, and is in the audit trail. The nil ledger has no reports.
type ledger struct {
	visits    *registry.Visits
	settings  *settings
	log       *slog.Logger
	notBefore time.Time // are reports counted again
}

// readLedger is the ledger for verbs that only look; nil when no server has written
// any reports.
func (s *session) readLedger() (*ledger, error) {
	visits, err := registry.ReadVisits(s.ctx(), s.visits())
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, registry.ErrOlder) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &ledger{visits: visits, settings: newSettings(s.site), log: slog.New(slog.DiscardHandler)}, nil
}

func (l *ledger) close() error {
	if l == nil {
		return nil
	}
	return l.visits.Close()
}

// A reported is what one board reported: what it last said of each release, and when each
// failed.
type reported struct {
	reports  []fleet.Report
	failures map[fleet.Digest][]time.Time
}

// said is what the board reported. Only loaders of version 2 report. Reports that
// cannot be read keep nothing from a board.
func (l *ledger) said(ctx context.Context, d fleet.Device) (s reported) {
	if l == nil || server.SpeaksV1(d) {
		return reported{}
	}
	var err error
	if s.reports, s.failures, err = l.visits.Reports(ctx, d.MAC); err != nil {
		l.log.Error("cannot read what a board reported", "mac", d.MAC.String(), "error", err)
		return reported{}
	}
	return s
}

// boxed is what the board is not offered for now.
func (l *ledger) boxed(s reported, c *release.Catalog, now time.Time) release.Boxed {
	if l == nil || len(s.failures) == 0 {
		return nil
	}
	return penalty(l.settings.now.Load()).Box(c, s.reports, s.failures, now)
}

// penalty is that of the site: the default, and what its settings say otherwise.
func penalty(s *site.Site) release.Penalty {
	p := release.DefaultPenalty
	s.Settings.Penalty.Change(&p.Failures, &p.Burst, &p.Within, &p.Lasts)
	return p
}

func (l *ledger) stops(ctx context.Context) ([]fleet.Stop, error) {
	if l == nil {
		return nil, nil
	}
	return l.visits.Stops(ctx)
}

// tally counts what boards reported of an offer since its plan began to count.
func (l *ledger) tally(ctx context.Context, o fleet.Offer, c *release.Catalog, since, now time.Time) (fleet.Tally, error) {
	if l == nil {
		return fleet.Tally{}, nil
	}
	return l.visits.Tally(ctx, c.Statements(o), since, now, time.Duration(o.Plan.Within)*time.Second)
}

// judge stops offers of which boards reported too much amiss. Counting takes a tenth
// of the time at most.
func (l *ledger) judge(ctx context.Context, offered []fleet.Offer, c *release.Catalog, now time.Time) error {
	if l == nil || now.Before(l.notBefore) {
		return nil
	}
	began := time.Now()
	defer func() { l.notBefore = now.Add(10 * time.Since(began)) }()
	stops, err := l.visits.Stops(ctx)
	if err != nil {
		return err
	}
	for _, o := range release.Held(offered, stops) {
		if !release.Stops(o.Plan) || o.Paused {
			continue
		}
		t, err := l.tally(ctx, o, c, o.Plan.Since, now)
		if err != nil {
			return err
		}
		step := release.Next(o, t)
		if step.Kind != release.Halt {
			continue
		}
		if err := l.visits.Stop(ctx, fleet.Stop{Manifest: o.Manifest, Time: now, Reason: step.Reason}); err != nil {
			return err
		}
		l.log.Warn("rollout stopped", "version", o.Version, "hardware", o.Hardware, "channel", o.Channel, "reason", step.Reason)
	}
	return nil
}
