package server

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"time"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/release/wire"
)

// A caller is one connection, from accept to close, on one goroutine.
type caller struct {
	*Server
	ctx     context.Context
	conn    net.Conn
	place   *place
	began   time.Time
	request wire.Request
	broken  bool // the request cannot become a MAC
	parked  string
	handed  bool // to somebody who gives the place back
}

func (c *caller) serve() {
	defer c.end()
	endInOrder(c.conn, false)
	c.conn.SetReadDeadline(time.Now().Add(c.Limits.Hello))
	if err := c.request.Fill(c.conn); c.gone(err) {
		return
	}
	for c.step() {
	}
}

// end gives the place back, unless somebody else will.
func (c *caller) end() {
	if !c.handed {
		c.conn.Close()
		c.pool.leave(c.place)
	}
}

// gone reports whether err ended the connection. A timeout does not, nor does a
// request that cannot become a MAC.
func (c *caller) gone(err error) bool {
	if errors.Is(err, wire.ErrMalformed) {
		c.broken = true
		return false
	}
	return err != nil && !errors.Is(err, os.ErrDeadlineExceeded)
}

// step looks once at what the client is to have, and gives it that or parks it.
// It reports whether there is more to do.
func (c *caller) step() bool {
	switch p := c.request.Protocol(); {
	case p == wire.V2 && c.Secure != nil:
		c.secure()
		return false
	case p == wire.V2 || p == wire.Foreign:
		c.turnAway()
		return false
	}
	round := c.pool.now()
	a := c.look()
	if a.blob != nil && c.pool.download(c.place) {
		c.deliver(a)
		return false
	}
	return c.wait(a, round)
}

// turnAway closes on a client that is no board. It must not be left to the
// kernel, which would answer unread input with an RST.
func (c *caller) turnAway() {
	endInOrder(c.conn, true)
	if tcp, ok := c.conn.(*net.TCPConn); ok {
		tcp.CloseWrite()
	}
	c.conn.SetReadDeadline(time.Now().Add(c.Limits.Hello))
	discardAll(c.conn)
}

// An answer is what a client is to have: a blob, or silence and the reason.
type answer struct {
	device fleet.Device
	blob   *Blob
	why    string        // of the silence
	known  bool          // an enrolled, active board
	again  time.Duration // ask again after that; zero: when the site changes
}

// look finds the answer for the client as it is known by now.
func (c *caller) look() (a answer) {
	switch {
	case c.broken:
		return answer{why: "malformed"}
	case !c.request.Complete():
		return answer{why: "incomplete"}
	}
	c.asking.aside(func() { a = c.choose() })
	return a
}

// choose asks the registry and the shelf.
func (c *caller) choose() answer {
	d, err := c.Registry.Device(c.ctx, c.request.MAC())
	switch {
	case errors.Is(err, fleet.ErrUnknown):
		return answer{why: "unknown"}
	case err != nil:
		return c.trouble(answer{}, "registry", err)
	case d.State == fleet.Revoked:
		return answer{device: d, why: "revoked"}
	case d.State != fleet.Active:
		return answer{device: d, why: "pending", known: true}
	case !SpeaksV1(d):
		return answer{device: d, why: "imposter"}
	}
	if c.Secure != nil && c.Secure.Latches != nil {
		latched, err := c.Secure.Latches.Latched(c.ctx, d.MAC)
		if err != nil {
			return c.trouble(answer{device: d, known: true}, "latches", err)
		}
		if latched {
			return answer{device: d, why: "imposter"}
		}
	}
	return c.pick(answer{device: d, known: true})
}

// SpeaksV1 reports whether d's loader asks by version 1, as those did that came
// before ours. Whoever asks so in the name of another board is not that board.
func SpeaksV1(d fleet.Device) bool { return d.Loader.Level < 2 }

func (c *caller) pick(a answer) answer {
	blob, err := c.Shelf.Pick(c.ctx, a.device)
	switch {
	case errors.Is(err, ErrNothing):
		a.why = "nothing"
	case errors.Is(err, ErrNotYet):
		a.why, a.again = "fetching", c.Limits.Retry // in case nobody calls Recheck
	case err != nil:
		return c.trouble(a, "shelf", err)
	default:
		a.again = c.returns.wait(c.visitor(), blob.SHA1())
		if a.why = "looping"; a.again == 0 {
			a.why, a.blob = "waiting", blob
		}
	}
	return a
}

// trouble has the client ask again, and says why once, not at every try.
func (c *caller) trouble(a answer, who string, err error) answer {
	a.why, a.again = "trouble", c.Limits.Retry
	if c.parked != a.why {
		c.Log.Error("cannot answer", "mac", c.request.MAC(), "asked", who, "error", err)
	}
	return a
}

func (c *caller) visitor() visitor {
	return visitor{mac: c.request.MAC(), source: c.place.source}
}

// wait parks the client until there is a reason to look again, and reports
// whether there is.
func (c *caller) wait(a answer, round uint64) bool {
	how := parking{known: a.known, turn: a.blob != nil, until: a.again, round: round}
	if !c.pool.park(c.place, how) {
		return true
	}
	if c.parked != a.why {
		c.parked = a.why
		keepAlive(c.conn)
		c.record(visit{answer: a, verdict: a.why})
	}
	err := c.listen()
	c.pool.unpark(c.place)
	if !c.gone(err) {
		return true
	}
	endInOrder(c.conn, true)
	c.record(visit{answer: a, verdict: c.farewell(err)})
	return false
}

// listen reads until the request is complete or somebody wakes the client.
func (c *caller) listen() error {
	if !c.broken && !c.request.Complete() {
		return c.request.Fill(c.conn)
	}
	return discardAll(c.conn)
}

// farewell names the end of a parked connection.
func (c *caller) farewell(err error) string {
	switch {
	case c.pool.endedByUs(c.place):
		return "reset by us"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "left"
	}
	return "lost"
}

// deliver sends the blob and tells how that ended.
func (c *caller) deliver(a answer) {
	sent, err := c.transfer(a.blob)
	verdict := "served"
	switch {
	case err == nil:
		endInOrder(c.conn, true)
		c.pool.served()
	case c.pool.endedByUs(c.place):
		verdict = "reset by us"
	case errors.Is(err, errStalled):
		verdict = "stalled"
	default:
		verdict = "cut"
	}
	c.record(visit{answer: a, verdict: verdict, sent: sent, err: err})
}

// transfer sends the blob and waits until the client has closed.
func (c *caller) transfer(blob *Blob) (sent int64, err error) {
	c.returns.given(c.visitor(), blob.SHA1())
	defer c.returns.ended(c.visitor())
	if sent, err = send(c.conn, blob, c.Limits.Idle); err != nil {
		return sent, err
	}
	return sent, settle(c.conn, c.Limits.Idle)
}
