package radius

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"time"

	"github.com/tcpboot/tcpboot/pki/fleet"
)

// An AccessPoint is where sessions run: an access point, a switch, or what
// controls some of them.
type AccessPoint struct {
	Name    string // of its client, for people
	Address netip.AddrPort
	Secret  string
}

// A Cut is what came of ending one board's session at one access point.
type Cut struct {
	AccessPoint
	MAC fleet.MAC
	Err error // as Disconnect returns it; nil: a session was there, and is gone
}

// The results of a Cut.
const (
	Ended     = "ended"
	NoSession = "no session" // nobody was logged in there
	Refused   = "refused"    // by whom it was asked; a session may go on
	Silent    = "silent"     // no answer that is one; a session may go on
)

// Result says in a word what came of it.
func (c Cut) Result() string {
	switch {
	case c.Err == nil:
		return Ended
	case errors.Is(c.Err, ErrNoSession):
		return NoSession
	case errors.As(c.Err, new(*NAKError)):
		return Refused
	}
	return Silent
}

// atOnce is how many access points are asked at the same time.
const atOnce = 64

// DisconnectAll ends the sessions of boards at every access point, by Disconnect,
// and returns what came of each, in the order of points and boards. An access
// point that was silent once is not asked about the boards that follow, so that a
// dead one takes some seconds and not some for each board.
func DisconnectAll(ctx context.Context, points []AccessPoint, macs []fleet.MAC, now func() time.Time) []Cut {
	cuts := make([]Cut, 0, len(points)*len(macs))
	for _, p := range points {
		for _, mac := range macs {
			cuts = append(cuts, Cut{AccessPoint: p, MAC: mac})
		}
	}
	slots := make(chan bool, atOnce)
	var wait sync.WaitGroup
	for i := range points {
		slots <- true
		wait.Go(func() {
			disconnectAt(ctx, cuts[i*len(macs):(i+1)*len(macs)], now)
			<-slots
		})
	}
	wait.Wait()
	return cuts
}

// disconnectAt fills in what came of the boards at one access point.
func disconnectAt(ctx context.Context, cuts []Cut, now func() time.Time) {
	var silent error
	for i := range cuts {
		c := &cuts[i]
		if c.Err = silent; silent == nil {
			c.Err = Disconnect(ctx, c.Address, c.Secret, c.MAC, now())
		}
		if c.Result() == Silent {
			silent = c.Err
		}
	}
}
