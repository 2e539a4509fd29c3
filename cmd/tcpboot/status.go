package main

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/registry"
)

var statusVerb = &cli.Command{
	Name:        "status",
	Usage:       "what wants attention: unproved recovery, expiry, boards that cannot refuse",
	Description: "Exit status 1 when something wants attention, for cron.",
	Action:      readingSite(status),
}

// warnBefore is how long before its end a certificate wants attention.
const warnBefore = 90 * 24 * time.Hour

// A siteStatus is what status answers.
type siteStatus struct {
	Boards    map[fleet.State]int  `json:"boards"`
	Levels    map[string]int       `json:"levels"` // active boards by level of their loader
	Expires   map[string]time.Time `json:"expires"`
	Attention []string             `json:"attention"`
}

var errAttention = errors.New("something wants attention")

func status(s *session) error {
	st := siteStatus{Boards: map[fleet.State]int{}, Levels: map[string]int{}, Expires: map[string]time.Time{}, Attention: []string{}}
	for _, look := range []func(*session, *siteStatus) error{countBoards, lookAtCertificates, lookAtRecovery, lookAtDeliveries} {
		if err := look(s, &st); err != nil {
			return err
		}
	}
	if err := answer(s.cli, st, func(w io.Writer) { statusText(w, st) }); err != nil {
		return err
	}
	if len(st.Attention) > 0 {
		return errAttention
	}
	return nil
}

func statusText(w io.Writer, st siteStatus) {
	fmt.Fprintf(w, "boards: %d active, %d pending, %d revoked\n", st.Boards[fleet.Active], st.Boards[fleet.Pending], st.Boards[fleet.Revoked])
	fmt.Fprintf(w, "active boards that check no signature (level 0): %d; that refuse unsigned updates (level 1): %d\n", st.Levels["0"], st.Levels["1"])
	for _, name := range []string{"radius", "server"} {
		fmt.Fprintf(w, "certificate %s: until %s\n", name, st.Expires[name].UTC().Format(time.DateOnly))
	}
	for _, a := range st.Attention {
		fmt.Fprintf(w, "! %s\n", a)
	}
}

func countBoards(s *session, st *siteStatus) error {
	for d, err := range s.fleet.Devices(s.ctx(), registry.Filter{}) {
		if err != nil {
			return err
		}
		st.Boards[d.State]++
		if d.State == fleet.Active {
			st.Levels[fmt.Sprint(d.Loader.Level)]++
		}
	}
	if n := st.Boards[fleet.Pending]; n > 0 {
		st.Attention = append(st.Attention, fmt.Sprintf("%d boards are pending: an enrolment was cut off; run it again", n))
	}
	return nil
}

func lookAtCertificates(s *session, st *siteStatus) error {
	for _, name := range []string{"radius-ca", "radius", "servers-ca", "server"} {
		text, err := os.ReadFile(s.site.Path("certs", name+".pem"))
		if err != nil {
			return err
		}
		block, _ := pem.Decode(text)
		if block == nil {
			return fmt.Errorf("certs/%s.pem: no PEM in it", name)
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return fmt.Errorf("certs/%s.pem: %w", name, err)
		}
		st.Expires[name] = c.NotAfter
		if time.Until(c.NotAfter) < warnBefore {
			st.Attention = append(st.Attention, fmt.Sprintf("certificate %s ends on %s", name, c.NotAfter.UTC().Format(time.DateOnly)))
		}
	}
	return nil
}

func lookAtRecovery(s *session, st *siteStatus) error {
	copied, copyErr := os.ReadFile(s.site.Path(recoveryFile))
	proof, err := os.ReadFile(s.site.Path(recoveryDone))
	if err != nil || copyErr == nil && fleet.Sum(copied).String() != strings.TrimSpace(string(proof)) {
		st.Attention = append(st.Attention, "the recovery copy is not proved: tcpboot key check --recovery")
	}
	if _, err := os.Stat(s.site.Path(recoveryCode)); err == nil {
		st.Attention = append(st.Attention, "the recovery code lies beside the site: move "+recoveryCode+" to a safe place")
	}
	return nil
}

// deliveryAge is how long secrets may wait in boards/ for their boards.
const deliveryAge = 7 * 24 * time.Hour

func lookAtDeliveries(s *session, st *siteStatus) error {
	old, err := s.outbox().older(time.Now().Add(-deliveryAge))
	if len(old) > 0 {
		st.Attention = append(st.Attention, fmt.Sprintf("%d deliveries are older than 7 days: flash them, then tcpboot device purge --all --older-than 7d", len(old)))
	}
	return err
}
