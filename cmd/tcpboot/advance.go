package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/release"
)

var advanceVerb = &cli.Command{
	Name:  "advance",
	Usage: "let offers go on, or stop them, by what boards reported",
	Description: "Goes through the offers that were published with --advance or --stop, once or, with\n" +
		"--watch, until it is interrupted. Servers stop an offer by themselves; here the\n" +
		"stop gets into the audit trail. To go further is for somebody who may publish:\n" +
		"run this from cron, or as a service of its own.",
	Flags: []cli.Flag{hardwareFlag, visitsFlag, cacheFlag,
		&cli.BoolFlag{Name: "watch", Usage: "look again every 10 s, and tell what is new"},
	},
	Action: withSite(releaseAdvance),
}

const advanceAgain = 10 * time.Second

// A rolloutStep is what was done, or is next, for one offer.
type rolloutStep struct {
	Hardware string      `json:"hardware"`
	Channel  string      `json:"channel"`
	Version  string      `json:"version"`
	Reach    string      `json:"reach"`
	Tally    fleet.Tally `json:"tally"` // since the wave began, or was resumed
	release.Step
}

func (r rolloutStep) text(w io.Writer) {
	fmt.Fprintf(w, "%s for %s on %s, %s: %s (%s)\n", r.Version, r.Hardware, r.Channel, r.Reach, r.Kind, r.Reason)
}

func releaseAdvance(s *session) error {
	for last := []rolloutStep(nil); ; {
		steps, err := s.advance(time.Now())
		if err != nil {
			return err
		}
		if last == nil || !slices.Equal(steps, last) {
			err = answer(s.cli, emptyNotNull(steps), func(w io.Writer) {
				for _, r := range steps {
					r.text(w)
				}
			})
		}
		if last = emptyNotNull(steps); err != nil || !s.cli.Bool("watch") {
			return err
		}
		select {
		case <-s.ctx().Done():
			return nil
		case <-time.After(advanceAgain):
		}
	}
}

// advance takes each offer that goes by reports its next step.
func (s *session) advance(now time.Time) (steps []rolloutStep, err error) {
	l, err := s.readLedger()
	if err != nil {
		return nil, err
	}
	defer l.close()
	have, err := s.goods()
	if err != nil {
		return nil, err
	}
	for _, o := range have.offers {
		if hw := s.cli.String("hardware"); o.Plan.Advance == 0 && !release.Stops(o.Plan) || hw != "" && o.Hardware != hw {
			continue
		}
		step, err := s.step(s.ctx(), l, o, have.catalog, now)
		if err != nil {
			return nil, err
		}
		if o, err = s.take(o, step.Step, now); err != nil {
			return nil, err
		}
		step.Reach = release.ReachText(o)
		steps = append(steps, step)
	}
	return steps, nil
}

// recordStops writes down with the offers which of them boards have stopped. Servers
// know what they stopped by its manifest alone, and under another it would go on.
func (s *session) recordStops(now time.Time) error {
	l, err := s.readLedger()
	if err != nil || l == nil {
		return err
	}
	defer l.close()
	have, err := s.goods()
	if err != nil {
		return err
	}
	for _, o := range have.offers {
		step, err := s.step(s.ctx(), l, o, have.catalog, now)
		if err != nil {
			return err
		}
		if step.Kind != release.Halt && o.Plan.Stopped == "" {
			continue
		}
		if _, err := s.take(o, step.Step, now); err != nil {
			return err
		}
	}
	return nil
}

// step says what is next for an offer, as servers go by it.
func (s *session) step(ctx context.Context, l *ledger, o fleet.Offer, c *release.Catalog, now time.Time) (rolloutStep, error) {
	t, err := l.tally(ctx, o, c, o.Plan.Since, now)
	if err != nil {
		return rolloutStep{}, err
	}
	step := rolloutStep{Hardware: o.Hardware, Channel: o.Channel, Version: o.Version, Reach: release.ReachText(o), Tally: t, Step: release.Next(o, t)}
	if step.Kind != release.Wait {
		return step, nil
	}
	if reporting, _, err := s.reporting(o); err != nil || reporting > 0 {
		return step, err
	}
	step.Step = release.Step{Kind: release.Approve, Reason: "none of its boards reports, as they are of the old protocol; waits to be approved"}
	return step, nil
}

// reporting counts the boards that an offer is for, and those of them that report.
func (s *session) reporting(o fleet.Offer) (reporting, boards int, err error) {
	loaders, err := s.fleet.Loaders(s.ctx(), o.Hardware, followers(o.Channel))
	for l, n := range loaders {
		boards += n
		if l.Level >= 2 {
			reporting += n
		}
	}
	return reporting, boards, err
}

// take makes a step true: unless the offer became another one meanwhile, which the
// next look will judge.
func (s *session) take(o fleet.Offer, step release.Step, now time.Time) (fleet.Offer, error) {
	change := func(action string, do func(*fleet.Offer) error) (fleet.Offer, error) {
		return s.fleet.ChangeOffer(s.ctx(), action, o.Hardware, o.Channel, func(is *fleet.Offer) error {
			if is.Manifest != o.Manifest || is.Plan.Wave != o.Plan.Wave || !is.Plan.Since.Equal(o.Plan.Since) || is.Paused {
				return nil
			}
			return do(is)
		})
	}
	switch {
	case step.Kind == release.Advance:
		return change("release.advance", func(o *fleet.Offer) error { return nextWave(o, now) })
	case step.Kind == release.Halt:
		return change("release.stop", func(o *fleet.Offer) error { o.Paused, o.Plan.Stopped = true, step.Reason; return nil })
	case o.Plan.Stopped != "": // by a server
		return change("release.stop", func(is *fleet.Offer) error { is.Paused, is.Plan.Stopped = true, o.Plan.Stopped; return nil })
	}
	return o, nil
}
