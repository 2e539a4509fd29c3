package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/release/sitedoc"
)

// resetAction is the audit row of a new generation of counters.
const resetAction = "release.reset"

var resetVerb = &cli.Command{
	Name:  "reset-counters",
	Usage: "begin a new generation of anti-rollback counters",
	Description: "For boards that were locked out: whoever stole a release key can state the highest\n" +
		"count and sequence, and boards refuse every lower one. The next site document, which\n" +
		"takes the release roots, begins a generation above all of those before. What was cut\n" +
		"before for that hardware is not served any more: cut it again.",
	Flags: []cli.Flag{
		&cli.StringSliceFlag{Name: "hardware", Usage: "of hardware `H` (may be repeated)"},
		&cli.StringFlag{Name: "reason", Usage: "`WHY`, for the audit trail"},
		withFlag, toSignFlag,
	},
	Action: withSite(resetCounters),
}

func resetCounters(s *session) error {
	hardware := s.cli.StringSlice("hardware")
	if len(hardware) == 0 || s.cli.String("reason") == "" {
		return usagef("%s: --hardware and --reason are needed", verbName(s.cli))
	}
	for _, h := range hardware {
		if err := s.knownHardware(h); err != nil {
			return err
		}
	}
	p := newKeyPlan(s, certified{siteKey: siteKey{name: "counters"}}, resetAction)
	return p.run(func() error { return p.planReset(hardware) })
}

func (p *keyPlan) planReset(hardware []string) error {
	if err := p.rootsAtHand(); err != nil {
		return err
	}
	mark, err := p.fleet.Mark(p.ctx())
	if err != nil {
		return err
	}
	detail := changeDetail{Reason: p.cli.String("reason"), Floors: map[string]fleet.Counter{}}
	return p.documented(&detail, func(doc *sitedoc.Doc) error {
		doc.Generation++
		detail.Generation = doc.Generation
		doc.Floors = maps.Clone(doc.Floors)
		if doc.Floors == nil {
			doc.Floors = map[string]fleet.Counter{}
		}
		for _, h := range hardware {
			detail.Floors[h] = fleet.Counter{Generation: doc.Generation, Count: mark.Counters[h]}
			doc.Floors[h] = detail.Floors[h]
		}
		return nil
	})
}

// resetText tells of a new generation.
func (d changeDetail) resetText() string {
	return fmt.Sprintf("generation %d of counters begins for hardware %s: what was cut before is not served any more",
		d.Generation, strings.Join(slices.Sorted(maps.Keys(d.Floors)), ", "))
}
