package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/urfave/cli/v2"

	"github.com/tcpboot/tcpboot/pki/enroll"
	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/radius"
)

var replaceVerb = &cli.Command{
	Name:         "replace",
	Usage:        "revoke a board and enrol its successor in its place",
	ArgsUsage:    "OLD NEW",
	Description:  "NEW gets the name, hardware, channel, VLAN and EAP methods of OLD. Running it\nagain finishes what was cut off.",
	BashComplete: completeMACs,
	Flags: []cli.Flag{
		&cli.StringFlag{Name: "reason", Usage: "`WHY`: lost, stolen, broken, …", Value: "replaced"},
		disconnectFlag,
		&cli.PathFlag{Name: "out", Usage: "deliver to `DIR` instead of the site's boards/"},
	},
	Action: withSite(replaceBoard),
}

func replaceBoard(s *session) error {
	if err := wantArgs(s.cli, 2, "OLD and NEW"); err != nil {
		return err
	}
	macs, err := s.macs()
	if err != nil {
		return err
	}
	reason := s.cli.String("reason")
	if err := checkReason(reason); err != nil {
		return err
	}
	old, err := s.fleet.Device(s.ctx(), macs[0])
	if err != nil {
		return err
	}
	points, err := s.toDisconnect()
	if err != nil {
		return err
	}
	e, err := s.enroller()
	if err != nil {
		return err
	}
	heir := enroll.Request{Where: enroll.Place{List: "successor"}, MAC: macs[1], Name: old.Name, Hardware: old.Hardware, Channel: old.Channel, VLAN: old.VLAN, EAP: old.EAP}
	if err := e.CheckHeir(s.ctx(), old.MAC, heir); err != nil {
		return err
	}
	if old.State != fleet.Revoked {
		if err := s.fleet.Revoke(s.ctx(), macs[:1], reason); err != nil { // the old one is dead
			return err
		}
	}
	_, skipped, err := e.Enroll(s.ctx(), []enroll.Request{heir})
	if err != nil {
		err = fmt.Errorf("%s is revoked, but %s is not in its place yet: %w", old.MAC, heir.MAC, err)
	}
	cuts, settleErr := s.settle(points, macs[:1])
	if err := errors.Join(err, settleErr); err != nil {
		return errors.Join(err, goingOn(cuts))
	}
	return s.printReplaced(old, heir.MAC, len(skipped) > 0, cuts)
}

// printReplaced tells what was done, and what an earlier run had done already.
func (s *session) printReplaced(old fleet.Device, heir fleet.MAC, before bool, cuts []radius.Cut) error {
	place := s.outbox().place(heir)
	return s.answerCut(cuts, map[string]any{"revoked": old.MAC, "enrolled": heir, "delivery": place}, func(w io.Writer) {
		if old.State == fleet.Revoked {
			fmt.Fprintf(w, "%s is revoked already (%s)\n", old.MAC, old.Reason)
		} else {
			fmt.Fprintf(w, "%s revoked\n", old.MAC)
		}
		if before {
			fmt.Fprintf(w, "%s is enrolled already, as asked\n", heir)
		} else {
			fmt.Fprintf(w, "%s enrolled in its place, delivery in %s\n", heir, place)
		}
	})
}
