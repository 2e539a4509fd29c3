package main

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/radius"
)

// disconnectFlag is for the verbs that end credentials: what is dead at RADIUS
// still has the session that it began before.
var disconnectFlag = &cli.BoolFlag{Name: "disconnect", Usage: "end running sessions too, at the access points that tcpboot.yaml names"}

var radiusDisconnectVerb = &cli.Command{
	Name:  "disconnect",
	Usage: "end the running sessions of boards (RFC 5176)",
	Description: "Asks every access point that tcpboot.yaml names (radius.clients, disconnect). A board\n" +
		"whose credential is good logs in again at once. Exit status 1 when one is silent or\n" +
		"does not end a session.",
	ArgsUsage:    "MAC...",
	BashComplete: completeMACs,
	Action:       readingSite(disconnectBoards),
}

var errNoDisconnect = errors.New("no access point is named that ends sessions")

func disconnectBoards(s *session) error {
	macs, err := s.macs()
	if err != nil {
		return err
	}
	for _, m := range macs {
		if _, err := s.fleet.Device(s.ctx(), m); err != nil {
			return err
		}
	}
	points, err := s.accessPoints()
	if err != nil {
		return err
	}
	cuts := radius.DisconnectAll(s.ctx(), points, macs, time.Now)
	if err := answer(s.cli, map[string]any{"sessions": sessionsOf(cuts)}, func(w io.Writer) { printCuts(w, cuts) }); err != nil {
		return err
	}
	return goingOn(cuts)
}

// accessPoints are those at which sessions can be ended.
func (s *session) accessPoints() (points []radius.AccessPoint, err error) {
	clients, err := s.radiusClients()
	if err != nil {
		return nil, err
	}
	for i, c := range s.site.Settings.RADIUS.Clients {
		for _, at := range c.DisconnectAt() {
			points = append(points, radius.AccessPoint{Name: c.Name, Address: at, Secret: clients[i].Secret})
		}
	}
	if points == nil {
		return nil, errNoDisconnect
	}
	return points, nil
}

// toDisconnect are the access points that a verb will ask, none without
// --disconnect. It is called before anything is changed.
func (s *session) toDisconnect() ([]radius.AccessPoint, error) {
	if !s.cli.Bool("disconnect") {
		return nil, nil
	}
	points, err := s.accessPoints()
	if err != nil {
		return nil, err
	}
	all, err := s.exports()
	if err != nil {
		return nil, err
	}
	for _, e := range all {
		if !e.reloads() && !formats[e.Format].asks {
			say(s.cli, "note: the server on %s is not reloaded: who is cut off logs in again there until it is restarted", e.Dir)
		}
	}
	return points, nil
}

// settle puts into force what the registry says since a change, and then ends the
// sessions of the boards: before, they would log in again.
func (s *session) settle(points []radius.AccessPoint, macs []fleet.MAC) ([]radius.Cut, error) {
	err := s.renderAll()
	if err != nil && points != nil {
		err = fmt.Errorf("%w; no session was ended", err)
	}
	if err != nil {
		return nil, err
	}
	return radius.DisconnectAll(s.ctx(), points, macs, time.Now), nil
}

// answerCut is answer for verbs with --disconnect.
func (s *session) answerCut(cuts []radius.Cut, v map[string]any, text func(io.Writer)) error {
	if s.cli.Bool("disconnect") {
		v["sessions"] = sessionsOf(cuts)
	}
	if err := answer(s.cli, v, func(w io.Writer) { text(w); printCuts(w, cuts) }); err != nil {
		return err
	}
	if err := goingOn(cuts); err != nil {
		return fmt.Errorf("the old credentials are dead, but %w", err)
	}
	return nil
}

// A boardSession is a radius.Cut as answers have it.
type boardSession struct {
	MAC         fleet.MAC      `json:"mac"`
	AccessPoint string         `json:"access_point"`
	Address     netip.AddrPort `json:"address"`
	Result      string         `json:"result"`
	Why         string         `json:"why,omitempty"`
}

func sessionsOf(cuts []radius.Cut) []boardSession {
	all := make([]boardSession, len(cuts))
	for i, c := range cuts {
		all[i] = boardSession{MAC: c.MAC, AccessPoint: c.Name, Address: c.Address, Result: c.Result()}
		if c.Result() == radius.Refused || c.Result() == radius.Silent {
			all[i].Why = c.Err.Error()
		}
	}
	return all
}

func printCuts(w io.Writer, cuts []radius.Cut) {
	for _, c := range cuts {
		fmt.Fprintf(w, "%s at %s %s: %s\n", c.MAC, c.Name, c.Address, c.Result())
	}
}

// A sessionsError says where sessions may go on.
type sessionsError struct{ cuts []radius.Cut }

func (e *sessionsError) Error() string {
	var where []string
	var silent netip.AddrPort
	for _, c := range e.cuts {
		if c.Result() == radius.Silent {
			if c.Address != silent { // it is so for every board
				where = append(where, fmt.Sprintf("%s: %v", c.Name, c.Err))
			}
			silent = c.Address
			continue
		}
		where = append(where, fmt.Sprintf("%s at %s: %v", c.MAC, c.Name, c.Err))
	}
	return "sessions may go on: " + strings.Join(where, "; ")
}

// goingOn is an error where a session was not ended, or nobody said that there was
// none; nil elsewhere.
func goingOn(cuts []radius.Cut) error {
	e := &sessionsError{}
	for _, c := range cuts {
		if r := c.Result(); r == radius.Refused || r == radius.Silent {
			e.cuts = append(e.cuts, c)
		}
	}
	if e.cuts == nil {
		return nil
	}
	return e
}
