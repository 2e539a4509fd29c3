package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/tcpboot/tcpboot/pki/enroll"
	"github.com/tcpboot/tcpboot/pki/fleet"
)

var rotateVerb = &cli.Command{
	Name:         "rotate",
	Usage:        "give boards new credentials; the old ones die",
	ArgsUsage:    "MAC... | --older-than AGE",
	BashComplete: completeMACs,
	Flags: []cli.Flag{
		&cli.DurationFlag{Name: "grace", Usage: "keep the old credential good for `DURATION` too (24h)"},
		&cli.StringFlag{Name: "older-than", Usage: "rotate every board whose credential is older than `AGE` (720d, 36h)"},
		&cli.StringFlag{Name: "reason", Usage: "`WHY`, for the audit trail: lost, stolen, routine", Value: enroll.Routine},
		disconnectFlag,
		&cli.PathFlag{Name: "out", Usage: "deliver to `DIR` instead of the site's boards/"},
	},
	Action: withSite(rotateBoards),
}

var revokeVerb = &cli.Command{
	Name:         "revoke",
	Usage:        "end boards' credentials for good",
	ArgsUsage:    "MAC...",
	Description:  "Final: a revoked board stays revoked. Its successor is enrolled under its own MAC.",
	BashComplete: completeMACs,
	Flags: []cli.Flag{
		&cli.StringFlag{Name: "reason", Usage: "`WHY`: lost, stolen, retired, …", Value: "unspecified"},
		disconnectFlag,
	},
	Action: withSite(revokeBoards),
}

// maxGrace bounds how long an old credential may live beside the new one.
const maxGrace = 90 * 24 * time.Hour

func rotateBoards(s *session) error {
	macs, err := s.toRotate()
	if err != nil {
		return err
	}
	reason, grace := s.cli.String("reason"), s.cli.Duration("grace")
	if err := checkReason(reason); err != nil {
		return err
	}
	switch {
	case grace < 0 || grace > maxGrace:
		return usagef("--grace %s: want 0 to %s", grace, maxGrace)
	case grace > 0 && !enroll.IsRoutine(reason):
		return usagef("--grace with --reason %s: what others may hold dies at once", reason)
	case grace > 0 && s.cli.Bool("disconnect"):
		return usagef("--grace with --disconnect: a session by a credential that is still good is not ended")
	}
	if len(macs) == 0 {
		return answer(s.cli, map[string]any{"rotated": []fleet.MAC{}}, func(io.Writer) {})
	}
	if grace > 0 {
		if err := s.noGrace(); err != nil {
			return err
		}
	}
	points, err := s.toDisconnect()
	if err != nil {
		return err
	}
	e, err := s.enroller()
	if err != nil {
		return err
	}
	if err := s.allActive(macs); err != nil {
		return err
	}
	var done []string
	for i, m := range macs {
		finished, rotateErr := e.Rotate(s.ctx(), m, reason, grace)
		if rotateErr != nil {
			// what was rotated before it is in force: it must be rendered, and told
			for _, line := range done {
				say(s.cli, "%s", line)
			}
			cuts, err := s.settle(points, macs[:i+1]) // it may have failed behind its moment
			return errors.Join(rotateErr, err, goingOn(cuts))
		}
		what := "has new credentials"
		if finished {
			what = "has the credentials of a rotation that was cut off"
		}
		done = append(done, fmt.Sprintf("%s %s, delivery in %s", m, what, s.outbox().place(m)))
	}
	cuts, err := s.settle(points, macs)
	if err != nil {
		return err
	}
	return s.answerCut(cuts, map[string]any{"rotated": macs, "grace": grace.String()}, func(w io.Writer) {
		fmt.Fprintln(w, strings.Join(done, "\n"))
	})
}

// revokeBoards revokes what is not revoked yet. Running it again renders again,
// and ends sessions again: that finishes a run that was cut off after its moment.
func revokeBoards(s *session) error {
	macs, err := s.macs()
	if err != nil {
		return err
	}
	reason := s.cli.String("reason")
	if err := checkReason(reason); err != nil {
		return err
	}
	points, err := s.toDisconnect()
	if err != nil {
		return err
	}
	todo, already, err := s.notYetRevoked(macs)
	if err != nil {
		return err
	}
	if len(todo) > 0 {
		if err := s.fleet.Revoke(s.ctx(), todo, reason); err != nil { // the moment
			return err
		}
	}
	cuts, err := s.settle(points, macs)
	if err != nil {
		return err
	}
	return s.answerCut(cuts, map[string]any{"revoked": todo, "already": already}, func(w io.Writer) {
		for _, m := range todo {
			fmt.Fprintf(w, "%s revoked\n", m)
		}
		for _, d := range already {
			fmt.Fprintf(w, "%s is revoked already (%s)\n", d.MAC, d.Reason)
		}
	})
}

// notYetRevoked parts the boards that are to be revoked from those that are.
func (s *session) notYetRevoked(macs []fleet.MAC) (todo []fleet.MAC, already []fleet.Device, err error) {
	todo, already = []fleet.MAC{}, []fleet.Device{}
	for _, m := range macs {
		d, err := s.fleet.Device(s.ctx(), m)
		switch {
		case err != nil:
			return nil, nil, err
		case d.State == fleet.Revoked:
			already = append(already, d)
		default:
			todo = append(todo, m)
		}
	}
	return todo, already, nil
}

func checkReason(reason string) error {
	if err := fleet.CheckLabel(reason); err != nil {
		return usageError{fmt.Errorf("--reason: %w", err)}
	}
	return nil
}

// macs reads all arguments as MACs, none twice.
func (s *session) macs() (macs []fleet.MAC, err error) {
	if s.cli.NArg() == 0 {
		return nil, usagef("%s: want one MAC or more", verbName(s.cli))
	}
	for _, arg := range s.cli.Args().Slice() {
		m, err := fleet.ParseMAC(arg)
		if err != nil {
			return nil, usageError{err}
		}
		if slices.Contains(macs, m) {
			return nil, usagef("%s: stands twice", m)
		}
		macs = append(macs, m)
	}
	return macs, nil
}

// allActive refuses a list of which one board cannot be rotated, before any is.
func (s *session) allActive(macs []fleet.MAC) error {
	for _, m := range macs {
		d, err := s.fleet.Device(s.ctx(), m)
		switch {
		case err != nil:
			return err
		case d.State != fleet.Active:
			return &notActiveError{d}
		}
	}
	return nil
}

type notActiveError struct{ fleet.Device }

func (e *notActiveError) Error() string { return fmt.Sprintf("%s: is %s", e.MAC, e.State) }
