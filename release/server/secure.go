package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/release/wire"
)

// A Secure is what version 2 needs beside a Registry. A Server without one speaks
// version 1 alone, and closes on who speaks TLS.
type Secure struct {
	Identity Identity
	Library  Library
	Reports  func(fleet.Report) error      // keeps what a board says of a release; after an error it says so again; nil: nobody does
	Renew    func(Renewal) ([]byte, error) // the certificate in DER, or ErrNotYet; nil: boards cannot renew
	Latches  Latches                       // nil: none but what the registry knows

	// Stale says whether d is to renew the certificate by which it asks; nil: it never is.
	Stale func(d fleet.Device, proved fleet.Digest) bool
}

// An Identity proves the server to boards, and says who vouches for boards. It is
// asked at each handshake, for both are renewed under the feet of a server.
type Identity interface {
	Certificate() (*tls.Certificate, error)
	Boards() (*x509.CertPool, error)
}

// A Library knows the releases, like a Shelf, and the site documents.
type Library interface {
	// Documents returns the signed site documents behind epoch, the oldest
	// first, and the newest epoch.
	Documents(ctx context.Context, epoch uint64) (signed [][]byte, newest uint64, err error)
	// Goods returns the release that d is to have now, or ErrNothing: of firmware,
	// or where hello says that an application asks, of a newer loader.
	Goods(ctx context.Context, d fleet.Device, hello wire.Hello) (Goods, error)
	// Part returns a part of one of these releases by its digest. ErrGone is said of a
	// part of another release for d's hardware, ErrNothing of anything else;
	// ErrNotYet when it must be fetched first.
	Part(ctx context.Context, d fleet.Device, digest fleet.Digest) (*Blob, error)
	// Known reports whether d may speak of that manifest.
	Known(ctx context.Context, d fleet.Device, manifest fleet.Digest) bool
}

// Goods are a release as a board learns of it.
type Goods struct {
	Version    string
	Generation uint32 // of its counter
	Sequence   uint64 // its place in the board's channel
	Manifest   []byte // signed
}

// ErrGone says that a board may not have any more what it once might.
var ErrGone = errors.New("not offered any more")

// A Renewal is a board's wish for a certificate.
type Renewal struct {
	Device  fleet.Device
	Proved  fleet.Digest             // of the certificate by which it asks
	Request *x509.CertificateRequest // signed by the new key, for the device's MAC
}

// Latches remember who has spoken version 2, and with which certificate. Whoever
// has, never speaks version 1 again: that is somebody else, on the network with
// that MAC.
type Latches interface {
	Latch(m fleet.MAC, certificate []byte)
	Latched(context.Context, fleet.MAC) (bool, error)
}

// idleLimit is how long a connection may be kept between two requests.
const idleLimit = time.Minute

// A lobby hands connections from the callers to an HTTP server.
type lobby struct {
	conns chan net.Conn
	once  sync.Once
	over  chan struct{}
}

func newLobby() *lobby { return &lobby{conns: make(chan net.Conn), over: make(chan struct{})} }

func (l *lobby) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.over:
		return nil, net.ErrClosed
	}
}

func (l *lobby) Close() error {
	l.once.Do(func() { close(l.over) })
	return nil
}

func (l *lobby) Addr() net.Addr { return &net.TCPAddr{} }

// enter hands conn over, or reports that nobody takes it any more.
func (l *lobby) enter(conn net.Conn) bool {
	select {
	case l.conns <- conn:
		return true
	case <-l.over:
		return false
	}
}

// A guest is a connection whose first bytes were read already. It gives its place
// back when it is closed.
type guest struct {
	net.Conn
	heard []byte
	pool  *pool
	place *place
	once  sync.Once
}

func (g *guest) Read(b []byte) (int, error) {
	if n := copy(b, g.heard); n > 0 {
		g.heard = g.heard[n:]
		return n, nil
	}
	return g.Conn.Read(b)
}

func (g *guest) Close() error {
	err := g.Conn.Close()
	g.once.Do(func() { g.pool.leave(g.place) })
	return err
}

// openLobby starts the server of version 2.
func (s *Server) openLobby() {
	s.lobby = newLobby()
	s.web = &http.Server{
		Handler:           http.HandlerFunc(s.answer),
		ReadHeaderTimeout: s.Limits.Handshake,
		IdleTimeout:       idleLimit,
		MaxHeaderBytes:    wire.HeaderLimit,
		ErrorLog:          slog.NewLogLogger(s.Log.Handler(), slog.LevelDebug),
	}
	s.tls = &tls.Config{MinVersion: tls.VersionTLS12, GetConfigForClient: s.terms}
	go s.web.Serve(s.lobby)
}

// terms are those of one handshake.
func (s *Server) terms(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	certificate, err := s.Secure.Identity.Certificate()
	if err != nil {
		return nil, s.unfit("certificate", err)
	}
	boards, err := s.Secure.Identity.Boards()
	if err != nil {
		return nil, s.unfit("boards CA", err)
	}
	// Also when a session is resumed: a ticket outlives no revocation. The connection
	// keeps what this refers to, which is why it is not the hello.
	ctx, from := hello.Context(), hello.Conn.RemoteAddr()
	admits := func(state tls.ConnectionState) error {
		_, err := s.identify(ctx, from, &state)
		return err
	}
	return &tls.Config{
		MinVersion:       tls.VersionTLS12,
		Certificates:     []tls.Certificate{*certificate},
		ClientAuth:       tls.RequireAndVerifyClientCert,
		ClientCAs:        boards,
		VerifyConnection: admits,
	}, nil
}

func (s *Server) unfit(what string, err error) error {
	s.Log.Error("cannot speak version 2", "asked", what, "error", err)
	return err
}

// A strangerError says why a certificate is not in force.
type strangerError struct {
	mac fleet.MAC
	why string
}

func (e *strangerError) Error() string { return fmt.Sprintf("board %s: %s", e.mac, e.why) }

// identify returns the board that a connection proved to be. Its certificate must
// be one that the registry admits at this moment, not merely one that the boards
// CA has signed.
func (s *Server) identify(ctx context.Context, from net.Addr, state *tls.ConnectionState) (d fleet.Device, err error) {
	leaf := state.PeerCertificates[0] // there is one: the client was verified
	m, err := fleet.ParseMAC(leaf.Subject.CommonName)
	if err != nil {
		return d, s.turnedAway(from, &strangerError{why: "a certificate without a MAC"})
	}
	s.asking.aside(func() { d, err = s.Registry.Device(ctx, m) })
	switch {
	case errors.Is(err, fleet.ErrUnknown):
		return d, s.turnedAway(from, &strangerError{m, "unknown"})
	case err != nil:
		s.Log.Error("cannot answer", "mac", m.String(), "asked", "registry", "error", err)
		return d, err
	case d.State != fleet.Active:
		return d, s.turnedAway(from, &strangerError{m, string(d.State)})
	case !inForce(d, fleet.Sum(leaf.Raw), s.Now()):
		return d, s.turnedAway(from, &strangerError{m, "replaced"})
	}
	return d, nil
}

// inForce reports whether d has a live credential with that certificate.
func inForce(d fleet.Device, certificate fleet.Digest, now time.Time) bool {
	for _, a := range d.Admissions {
		if a.Certificate == certificate && (a.Until.IsZero() || now.Before(a.Until)) {
			return true
		}
	}
	return false
}

// turnedAway tells of a client that proved to be nobody who is served. Of an
// enrolled board it is a visit.
func (s *Server) turnedAway(from net.Addr, e *strangerError) error {
	s.tell(e.mac, from, told{protocol: "tls", verdict: e.why, known: e.why != "unknown" && e.mac != fleet.MAC{}})
	return e
}

// secure lets the client prove who it is, and then hands the connection to the
// server of version 2: the deep stack of a handshake ends with this goroutine. A
// board of ours comes back later where one of 2017 would erase its flash, so who
// finds no room is reset.
func (c *caller) secure() {
	endInOrder(c.conn, true)
	c.conn.SetDeadline(time.Now().Add(c.Limits.Handshake))
	if !c.pool.prove(c.place) {
		reset(c.conn)
		return
	}
	g := &guest{Conn: c.conn, heard: c.request.Heard(), pool: c.pool, place: c.place}
	conn := tls.Server(g, c.tls)
	c.handed = true
	if err := conn.HandshakeContext(c.ctx); err != nil {
		c.Log.Debug("no TLS handshake", "remote", c.conn.RemoteAddr().String(), "error", err)
		g.Close()
		return
	}
	c.conn.SetDeadline(time.Time{})
	if !c.pool.download(c.place) || !c.lobby.enter(conn) {
		reset(c.conn)
		g.Close()
	}
}
