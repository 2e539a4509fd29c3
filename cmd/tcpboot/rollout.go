package main

import (
	"fmt"
	"io"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/release"
)

var rolloutVerb = &cli.Command{
	Name:         "progress",
	Usage:        "how far a release has gone, what its boards report, and what is next",
	ArgsUsage:    "VERSION",
	BashComplete: completeVersions,
	Flags:        []cli.Flag{channelFlag, hardwareFlag, visitsFlag, cacheFlag},
	Action:       readingSite(releaseProgress),
}

// A rolloutRow is how far one offer has gone.
type rolloutRow struct {
	rolloutStep
	Plan     fleet.Plan  `json:"plan,omitzero"`
	Boards   int         `json:"boards"`   // that the channel has
	Offered  int         `json:"offered"`  // that get it now, or got it before
	Reported fleet.Tally `json:"reported"` // ever
}

func releaseProgress(s *session) error {
	if err := wantArgs(s.cli, 1, "a version"); err != nil {
		return err
	}
	l, err := s.readLedger()
	if err != nil {
		return err
	}
	defer l.close()
	have, err := s.goods()
	if err != nil {
		return err
	}
	version, channel, hardware := s.cli.Args().First(), s.cli.String("channel"), s.cli.String("hardware")
	var rows []rolloutRow
	for _, o := range have.offers {
		if o.Version != version || channel != "" && o.Channel != channel || hardware != "" && o.Hardware != hardware {
			continue
		}
		row, err := s.rolloutRow(l, o, have, time.Now())
		if err != nil {
			return err
		}
		rows = append(rows, row)
	}
	if len(rows) == 0 {
		return fmt.Errorf("no channel offers %s%s", version, forHardware(hardware))
	}
	return answer(s.cli, rows, func(w io.Writer) {
		for _, r := range rows {
			r.text(w)
		}
	})
}

func (s *session) rolloutRow(l *ledger, o fleet.Offer, have *goods, now time.Time) (r rolloutRow, err error) {
	if r.rolloutStep, err = s.step(s.ctx(), l, o, have.catalog, now); err != nil {
		return r, err
	}
	r.Plan = o.Plan
	if r.Reported, err = l.tally(s.ctx(), o, have.catalog, time.Time{}, now); err != nil {
		return r, err
	}
	reach := release.RolloutOf(o)
	for m, err := range s.members(o.Hardware, o.Channel) {
		if err != nil {
			return r, err
		}
		r.Boards++
		if reach.Includes(m) {
			r.Offered++
		}
	}
	return r, nil
}

func (r rolloutRow) text(w io.Writer) {
	line := func(what, format string, a ...any) { fmt.Fprintf(w, "%-10s %s\n", what, fmt.Sprintf(format, a...)) }
	line("version", "%s for %s on %s", r.Version, r.Hardware, r.Channel)
	line("reach", "%s: %d of %d boards", r.Reach, r.Offered, r.Boards)
	for i, wave := range r.Plan.Waves {
		line("wave", "%d  %s%s", i+1, release.WaveText(wave), map[bool]string{true: "  now"}[i == r.Plan.Wave])
	}
	if !r.Plan.Since.IsZero() {
		line("since", "%s, %s", r.Plan.Since.UTC().Format(time.DateTime), tallyText(r.Tally))
	}
	line("reported", "%s", tallyText(r.Reported))
	line("next", "%s: %s", r.Kind, printable(r.Reason))
}

func tallyText(t fleet.Tally) string {
	return fmt.Sprintf("%d activated, %d confirmed, %d failed, %d silent", t.Activated, t.Confirmed, t.Failed, t.Silent)
}
