package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/urfave/cli/v2"

	"github.com/tcpboot/tcpboot/pki/enroll"
	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/registry"
)

var replaceVerb = &cli.Command{
	Name:         "replace",
	Usage:        "revoke a board and enrol its successor in its place",
	ArgsUsage:    "OLD NEW",
	Description:  "NEW gets the name, hardware, channel, VLAN and EAP methods of OLD. Running it\nagain finishes what was cut off.",
	BashComplete: completeMACs,
	Flags: []cli.Flag{
		&cli.StringFlag{Name: "reason", Usage: "`WHY`: lost, stolen, broken, …", Value: "replaced"},
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
	old, err := s.fleet.Device(s.ctx(), macs[0])
	if err != nil {
		return err
	}
	e, err := s.enroller()
	if err != nil {
		return err
	}
	heir := enroll.Request{Where: "successor", MAC: macs[1], Name: old.Name, Hardware: old.Hardware, Channel: old.Channel, VLAN: old.VLAN, EAP: old.EAP}
	if err := s.mayEnrol(heir.MAC); err != nil {
		return err
	}
	if old.State != fleet.Revoked {
		if err := s.fleet.Revoke(s.ctx(), macs[:1], s.cli.String("reason")); err != nil { // the old one is dead
			return err
		}
	}
	_, _, enrolErr := e.Enroll(s.ctx(), []enroll.Request{heir})
	if err := errors.Join(enrolErr, s.renderAll()); err != nil {
		return err
	}
	return answer(s.cli, map[string]any{"revoked": macs[0], "enrolled": macs[1], "delivery": s.outbox().place(macs[1])}, func(w io.Writer) {
		fmt.Fprintf(w, "%s revoked\n%s enrolled in its place, delivery in %s\n", macs[0], macs[1], s.outbox().place(macs[1]))
	})
}

// mayEnrol refuses a successor that cannot be enrolled, before the old board is
// revoked for it.
func (s *session) mayEnrol(m fleet.MAC) error {
	d, err := s.fleet.Device(s.ctx(), m)
	switch {
	case errors.Is(err, fleet.ErrUnknown):
		return nil
	case err != nil:
		return err
	case d.State == fleet.Revoked:
		return &registry.RevokedError{MAC: m, Time: d.Changed, Reason: d.Reason}
	}
	return nil
}
