package pki

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"math/big"
	"time"

	"github.com/tcpboot/tcpboot/pki/custody"
	"github.com/tcpboot/tcpboot/pki/fleet"
)

// issue renders a template, signs what comes out as a certificate of pub, and
// compares the result with s. A nil parent makes a root.
func (a *Authority) issue(template string, s shape, pub crypto.PublicKey, parent *x509.Certificate, key crypto.Signer) (*x509.Certificate, error) {
	if _, err := custody.KindOf(pub); err != nil {
		return nil, a.errorf("%s: %w", s.kind, err)
	}
	c, err := a.render(template, s, pub)
	if err != nil {
		return nil, a.errorf("%w", err)
	}
	serial := newSerial()
	c.SerialNumber = new(big.Int).SetBytes(serial[:])
	c.NotBefore, c.NotAfter = notBefore, s.notAfter
	if parent == nil {
		parent = c
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, pub, key)
	if err != nil {
		return nil, a.errorf("%s: %w", s.kind, err)
	}
	issued, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, a.errorf("%s: %w", s.kind, err)
	}
	if err := s.checkIssued(issued); err != nil {
		return nil, a.errorf("%s: %w", s.kind, err)
	}
	return issued, nil
}

// IssueServer certifies pub as the server that boards know by name, for ten
// years from now on. The boards hierarchy has no servers.
func (a *Authority) IssueServer(name string, pub crypto.PublicKey, now time.Time) (*x509.Certificate, error) {
	if a.hierarchy == Boards {
		return nil, a.errorf("issues no server certificates")
	}
	if err := a.ready(now); err != nil {
		return nil, err
	}
	if err := checkDNSName(name); err != nil {
		return nil, a.errorf("%w", err)
	}
	if err := a.checkMix(pub); err != nil {
		return nil, err
	}
	end := now.UTC().AddDate(serverYears, 0, 0).Truncate(time.Second)
	s := serverShape(name, end)
	if a.hierarchy == RADIUS {
		s = radiusShape(name, pub, end)
	}
	return a.issue(a.templates.Server, s, pub, a.CA, a.key)
}

// checkMix keeps boards from being locked out: ESP-IDF's EAP client with a root
// of more than 2048 bits RSA offers RSA cipher suites only.
func (a *Authority) checkMix(pub crypto.PublicKey) error {
	_, rsaRoot := a.Root.PublicKey.(*rsa.PublicKey)
	if _, rsaServer := pub.(*rsa.PublicKey); a.hierarchy == RADIUS && rsaRoot && !rsaServer {
		return a.errorf("the root is RSA, so boards accept only a server with an RSA key")
	}
	return nil
}

var errNoKey = errors.New("the key of the CA is not here")

// ready says why nothing that bears a date can be signed at the time now.
func (a *Authority) ready(now time.Time) error {
	if a.key == nil {
		return a.errorf("%w", errNoKey)
	}
	if now.Before(written) {
		return a.errorf("the clock says %s, which is in the past", now.UTC().Format(time.DateTime))
	}
	return nil
}

// newSerial draws a serial number. Its first byte is never zero, so that all
// programs print it alike.
func newSerial() (s fleet.Serial) {
	for s[0] == 0 {
		rand.Read(s[:])
	}
	return s
}
