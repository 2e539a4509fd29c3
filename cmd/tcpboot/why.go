package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/registry"
	"github.com/tcpboot/tcpboot/release"
	"github.com/tcpboot/tcpboot/release/server"
	"github.com/tcpboot/tcpboot/release/sitedoc"
)

var whyVerb = &cli.Command{
	Name:         "why",
	Usage:        "which release a board would get, and why not the others",
	ArgsUsage:    "MAC",
	BashComplete: completeMACs,
	Flags:        []cli.Flag{visitsFlag, cacheFlag},
	Action:       readingSite(why),
}

// A whyAnswer is what a board would get now, and why.
type whyAnswer struct {
	AppKey   string           `json:"app_key,omitempty"` // that signed the image
	MAC      fleet.MAC        `json:"mac"`
	Version  string           `json:"version,omitempty"`
	Protocol string           `json:"protocol"` // the only one over which it gets that
	Reason   string           `json:"reason"`
	Passed   []release.Passed `json:"passed"`
	Loader   loaderReason     `json:"loader"`
	Seen     *fleet.Visit     `json:"last_visit,omitempty"`

	trust string // what its loader makes of AppKey
}

func why(s *session) error {
	d, err := s.device(0)
	if err != nil {
		return err
	}
	choice, loader, err := s.choicesFor(d)
	if err != nil {
		return err
	}
	d.Loader = loader.Has
	out := whyAnswer{
		MAC: d.MAC, Protocol: protocolOf(d), Reason: s.withAppNames(choice.Reason),
		Passed: emptyNotNull(choice.Passed), Loader: loader, Seen: s.lastVisit(d.MAC),
	}
	for i, p := range out.Passed {
		out.Passed[i].Reason = s.withAppNames(p.Reason)
	}
	if r := choice.Release; r != nil {
		out.Version = r.Manifest.Version
		if r.AppKey != (fleet.Digest{}) {
			out.AppKey, out.trust = s.appName(r.AppKey), trustText(d, r)
		}
		if err := s.proves(r); err != nil { // then a server keeps it back
			out.Version, out.Reason = "", fmt.Sprintf("%s is refused: %v", r.Manifest.Version, err)
		}
	}
	return answer(s.cli, out, out.print)
}

// choicesFor decides as a server does: what the loader gets, and the application that
// asks for a loader.
func (s *session) choicesFor(d fleet.Device) (choice release.Choice, loader loaderReason, err error) {
	shelf, err := s.shelf()
	if err != nil {
		return choice, loader, err
	}
	if shelf.ledger, err = s.readLedger(); err != nil {
		return choice, loader, err
	}
	defer shelf.ledger.close()
	if _, err := shelf.refresh(s.ctx()); err != nil {
		say(s.cli, "cannot read every release: %v", err)
	}
	choice, err = shelf.decide(s.ctx(), sitedoc.Firmware, d, time.Now())
	if err != nil && !errors.Is(err, release.ErrNothing) {
		return choice, loader, err
	}
	loader, err = s.whyLoader(shelf, d)
	return choice, loader, err
}

func (a whyAnswer) print(w io.Writer) {
	if a.Version == "" {
		fmt.Fprintf(w, "%s gets nothing: %s\n", a.MAC, a.Reason)
	} else {
		fmt.Fprintf(w, "%s gets %s: %s\n", a.MAC, a.Version, a.Reason)
	}
	if a.Protocol != "v1" {
		fmt.Fprintf(w, "by %s only: who asks as %s by v1 is no board of ours, and is kept waiting\n", a.Protocol, a.MAC)
	}
	if a.AppKey != "" && a.Version != "" {
		fmt.Fprintf(w, "its image is signed by %s%s\n", a.AppKey, a.trust)
	}
	for _, p := range a.Passed {
		fmt.Fprintf(w, "not %s: %s\n", p.Version, p.Reason)
	}
	if a.Loader.Version != "" {
		fmt.Fprintf(w, "its application gets %s, where it asks for a loader: %s\n", a.Loader.Version, a.Loader.Reason)
	}
	if a.Loader.Reported {
		fmt.Fprintf(w, "its loader is %s, as it reported\n", a.Loader.Has.Version)
	}
	if v := a.Seen; v != nil {
		fmt.Fprintf(w, "last seen %s from %s: %s\n", v.Time.UTC().Format(time.DateTime), v.Remote, printable(v.Verdict))
	}
}

// trustText says what the board's loader makes of the app key.
func trustText(d fleet.Device, r *release.Release) string {
	switch {
	case d.Loader.Level == 0:
		return ": its loader checks nothing"
	case d.Loader.Key == r.AppKey:
		return ", which its loader trusts"
	}
	return ": what its loader trusts is not known"
}

// protocolOf is how the board asks: its loader speaks one version.
func protocolOf(d fleet.Device) string {
	if server.SpeaksV1(d) {
		return "v1"
	}
	return "v2"
}

// lastVisit is when the board was last here; nil when it never was, or when no
// server has written visits yet.
func (s *session) lastVisit(m fleet.MAC) *fleet.Visit {
	visits, err := registry.ReadVisits(s.ctx(), s.visits())
	if err != nil {
		return nil
	}
	defer visits.Close()
	v, err := visits.Last(s.ctx(), m)
	if err != nil {
		return nil
	}
	return &v
}
