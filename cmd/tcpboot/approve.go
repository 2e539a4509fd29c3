package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/release"
)

var approveVerb = &cli.Command{
	Name: "approve", Usage: "let an offer into its next wave",
	Flags: offerFlags, Action: withSite(releaseApprove),
}

var (
	errHeldBack = errors.New("is held back")
	errLastWave = errors.New("is in its last wave")
)

func releaseApprove(s *session) error {
	return s.eachOffer("release.approve", "approved", func(seen fleet.Offer, o *fleet.Offer) error {
		if err := unchanged(seen, *o); err != nil { // the wave after the one that was seen, and no other
			return err
		}
		o.Reason = s.cli.String("reason")
		return nextWave(o, time.Now())
	})
}

// nextWave lets an offer into its next wave, in which reports are counted anew.
func nextWave(o *fleet.Offer, now time.Time) error {
	name := fmt.Sprintf("%s for %s on %s", o.Version, o.Hardware, o.Channel)
	switch {
	case o.Paused:
		return fmt.Errorf("%s %w", name, errHeldBack)
	case o.Plan.Wave >= len(o.Plan.Waves)-1:
		return fmt.Errorf("%s %w", name, errLastWave)
	}
	o.Plan.Wave++
	o.Plan.Since, o.Percent = now.UTC(), release.WaveOf(*o).Percent
	return nil
}
