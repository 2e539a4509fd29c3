// Package server answers boards: it takes connections from a listener, learns
// which board calls, asks what that board is to have, and sends it.
//
// Two parties know the answers, and the command introduces them: the Registry
// says who a MAC is, the Shelf says which bytes a device gets. Both are asked
// anew at every connection, so an old unit is refused from its next one on.
//
// # What may happen to a connection
//
//	arriving ──► download ──► closed
//	    │            ▲
//	    └──► parked ─┘        (Recheck, a free slot, the last digit of a MAC)
//
// The loaders of 2017 dictate the manners; package wire has their faults. They
// erase flash after each lost connection and hang on an early FIN, so silence is
// the only harmless "no": the connection is parked, without wear, and served
// when there is something to serve. Parked are boards that are unknown, revoked
// or not yet active, those for which nothing is published, those whose image is
// still being fetched, those that come back so quickly that the image must be
// what fails (see Limits.QuickReturns), those that wait for a download slot, and
// clients that never complete a MAC.
//
// # What a client may cost
//
// A MAC of version 1 is a claim that nothing proves, so a claim touches nothing
// but its own connection and its own source address: it ends no other
// connection of the same MAC and spoils no other's record. Images are public to
// the fleet by nature. Descriptors are what can run out:
//
//   - Enrolled boards that are parked are kept. One source address keeps
//     Limits.PerSource of them; more from there are treated as strangers.
//   - Everybody else who is parked is a stranger. When there is no room, the
//     source address with the most strangers loses its newest. It gets an RST:
//     a board reboots after it and erases once more, but a FIN would leave it
//     hanging until somebody cuts its power. The newest goes because those who
//     wait already have stopped wearing out; to end the oldest would keep all of
//     them in turn rebooting.
//   - When the kept ones fill the pool, the server accepts nobody until one
//     leaves: a connection that is not accepted waits in the kernel, or is
//     refused, and a refused board retries without erasing.
//   - Downloads have places of their own. A board that finds none is parked and
//     waits for its turn; one source address holds Limits.PerSource at most.
//   - So have clients in a TLS handshake, which have proved nothing either. When
//     there is no room, the source address with most of them loses its newest.
//
// A stop finishes the downloads, then resets what is parked: the boards reboot
// and find the next server, where a FIN or a silent end would lose them. A process
// that is killed ends them by the same, because their sockets are told so.
//
// # Version 2
//
// Who begins with a TLS handshake is served by Secure. It proves by that which board
// it is, and then holds a download's place for as long as the connection is open;
// who finds none is reset, and comes back. The registry is asked again at every request, every 4 MiB of a
// long answer, and when a TLS session is resumed. So a revocation, or the end of a
// grace, ends whatever is open, and no ticket outlives it. A board that was heard
// on version 2 is not served on version 1 any more: see Latches.
package server

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/tcpboot/tcpboot/pki/fleet"
)

// A Registry knows the devices. An error that is fleet.ErrUnknown means that
// nobody enrolled the MAC; after any other the server asks again later.
type Registry interface {
	Device(context.Context, fleet.MAC) (fleet.Device, error)
}

// A Shelf knows the images. Pick returns what d is to have now; ErrNothing when
// there is nothing for it; ErrNotYet when it must be fetched first; after any
// other error the server asks again later. Pick must not wait for an image: boards
// that want another would wait with it. The same image must be the same Blob: it
// is open once for all boards.
type Shelf interface {
	Pick(ctx context.Context, d fleet.Device) (*Blob, error)
}

// ErrNothing says that a shelf has nothing for a device.
var ErrNothing = errors.New("nothing published")

// ErrNotYet says that a shelf is fetching the image for a device. Whoever owns
// the shelf calls Recheck when it is there.
var ErrNotYet = errors.New("image not at hand yet")

// A Server answers boards. Registry and Shelf are needed; set all fields before
// the first Serve.
type Server struct {
	Registry Registry
	Shelf    Shelf
	Log      *slog.Logger      // a line per visit; nil: none
	Visits   func(fleet.Visit) // gets the visits of enrolled MACs, strangers' never; may be called at any time from anywhere; nil: nobody
	Now      func() time.Time  // nil: time.Now
	Limits   Limits            // zero fields take their defaults
	Secure   *Secure           // what version 2 needs; nil: version 1 alone

	once    sync.Once
	pool    *pool
	returns *returns
	asking  desk
	telling desk // apart, so that a slow log keeps no board from its answer
	lobby   *lobby
	tls     *tls.Config
	web     *http.Server
	pace    pace

	mu        sync.Mutex
	listeners []net.Listener
	warned    time.Time
}

func (s *Server) prepare() {
	s.once.Do(func() {
		s.Limits = s.Limits.orDefaults(descriptors())
		if s.Log == nil {
			s.Log = slog.New(slog.DiscardHandler)
		}
		if s.Now == nil {
			s.Now = time.Now
		}
		s.pool = newPool(s.Limits)
		s.returns = newReturns(s.Limits, s.Now)
		s.asking, s.telling = newDesk(), newDesk()
		if s.Secure != nil {
			s.openLobby()
		}
	})
}

// Serve accepts connections from ln until Shutdown, and then returns nil; the
// connections may outlast it. ctx is what Registry and Shelf are asked with; its
// end stops nothing by itself. Serve closes ln.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	s.prepare()
	defer ln.Close()
	if !s.listen(ln) {
		return nil
	}
	for s.pool.room(s.full) {
		conn, err := ln.Accept()
		switch {
		case err == nil:
			s.welcome(ctx, conn)
		case s.pool.stopping():
			return nil
		case !passing(err):
			return err
		default:
			s.Log.Warn("cannot accept", "error", err)
			s.pool.pause(acceptPause)
		}
	}
	return nil
}

const acceptPause = 100 * time.Millisecond // after an error that may pass, such as no free descriptor

// passing reports whether Accept may succeed when it is tried again.
func passing(err error) bool {
	var e net.Error
	return !errors.Is(err, net.ErrClosed) && errors.As(err, &e)
}

func (s *Server) listen(ln net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listeners = append(s.listeners, ln)
	return !s.pool.stopping()
}

func (s *Server) welcome(ctx context.Context, conn net.Conn) {
	c := &caller{Server: s, ctx: ctx, conn: conn, began: s.Now(), place: s.pool.arrive(conn)}
	go c.serve()
}

// full tells that there is no room, once a minute at most.
func (s *Server) full() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := s.Now(); now.Sub(s.warned) >= time.Minute {
		s.warned = now
		s.Log.Warn("no room for more boards: not accepting", "status", s.pool.status())
	}
}

// Recheck makes the server ask again for every parked board. Call it when the
// site has changed: a release was published, a device enrolled or moved, an image
// fetched.
func (s *Server) Recheck() {
	s.prepare()
	s.pool.recheck()
}

// Shutdown stops accepting, lets running downloads finish, resets what is then
// parked, and returns when every connection has ended. When ctx ends first it
// resets the downloads as well and returns the error of ctx. A server that was
// shut down does not serve again.
func (s *Server) Shutdown(ctx context.Context) error {
	s.prepare()
	s.pool.stop()
	s.mu.Lock()
	for _, ln := range s.listeners {
		ln.Close()
	}
	s.mu.Unlock()
	if s.web != nil {
		go s.web.Shutdown(ctx) // ends who is between two requests
	}
	err := s.pool.drain(ctx)
	s.pool.finish()
	return err
}

// Status counts the connections by what they are doing.
func (s *Server) Status() Status {
	s.prepare()
	return s.pool.status()
}
