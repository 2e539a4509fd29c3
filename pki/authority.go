package pki

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"sync"
	"time"

	"github.com/tcpboot/tcpboot/pki/custody"
	"github.com/tcpboot/tcpboot/pki/fleet"
)

// An Authority is one hierarchy of one site: its root, and its issuing CA with
// the key, if it was given. An Authority without a key issues nothing. Its
// methods may be called from several goroutines at once.
type Authority struct {
	Root, CA *x509.Certificate

	hierarchy Hierarchy
	site      string
	key       crypto.Signer // of CA; nil: issues nothing
	templates Templates
	mold      func() (*mold, error) // of board certificates, made at the first
}

// NewAuthority makes a hierarchy: a root for rootKey, and an issuing CA for
// caKey that it signs. rootKey is not kept.
func NewAuthority(h Hierarchy, site string, rootKey, caKey crypto.Signer, t Templates) (*Authority, error) {
	a, err := newAuthority(h, site, caKey, t)
	if err != nil {
		return nil, err
	}
	if samePublic(rootKey.Public(), caKey.Public()) {
		return nil, a.errorf("the root and the CA have the same key")
	}
	if a.Root, err = a.issue(t.Root, rootShape(h, site), rootKey.Public(), nil, rootKey); err != nil {
		return nil, err
	}
	if a.CA, err = a.issue(t.CA, caShape(h, site), caKey.Public(), a.Root, rootKey); err != nil {
		return nil, err
	}
	return a, nil
}

// LoadAuthority takes up a hierarchy that NewAuthority made. It refuses
// certificates of another site or hierarchy, a CA that the root did not sign,
// and a key that is not the CA's. caKey may be nil.
func LoadAuthority(h Hierarchy, site string, rootPEM, caPEM []byte, caKey crypto.Signer, t Templates) (*Authority, error) {
	a, err := newAuthority(h, site, caKey, t)
	if err != nil {
		return nil, err
	}
	if a.Root, err = a.load(rootPEM, rootShape(h, site)); err != nil {
		return nil, err
	}
	if a.CA, err = a.load(caPEM, caShape(h, site)); err != nil {
		return nil, err
	}
	if err := a.checkChain(); err != nil {
		return nil, err
	}
	return a, nil
}

func newAuthority(h Hierarchy, site string, caKey crypto.Signer, t Templates) (*Authority, error) {
	if err := errors.Join(h.check(), CheckSite(site)); err != nil {
		return nil, err
	}
	a := &Authority{hierarchy: h, site: site, key: caKey, templates: t}
	a.mold = sync.OnceValues(a.makeMold)
	return a, nil
}

func (a *Authority) load(text []byte, s shape) (*x509.Certificate, error) {
	block, rest := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE" || len(bytes.TrimSpace(rest)) != 0 {
		return nil, a.errorf("%s: want one PEM certificate", s.kind)
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, a.errorf("%s: %w", s.kind, err)
	}
	if err := s.checkIssued(c); err != nil {
		return nil, a.errorf("%s: %w", s.kind, err)
	}
	return c, nil
}

// checkChain says why key, CA and root do not belong together.
func (a *Authority) checkChain() error {
	if err := a.Root.CheckSignatureFrom(a.Root); err != nil {
		return a.errorf("the root is not signed by itself: %w", err)
	}
	if err := a.CA.CheckSignatureFrom(a.Root); err != nil {
		return a.errorf("the CA is not signed by the root: %w", err)
	}
	if a.key != nil && !samePublic(a.key.Public(), a.CA.PublicKey) {
		return a.errorf("the key is not that of the CA")
	}
	return nil
}

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
	return a.issue(a.templates.Server, serverShape(name, end), pub, a.CA, a.key)
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

func (a *Authority) errorf(format string, args ...any) error {
	return fmt.Errorf(string(a.hierarchy)+" authority: "+format, args...)
}

// newSerial draws a serial number. Its first byte is never zero, so that all
// programs print it alike.
func newSerial() (s fleet.Serial) {
	for s[0] == 0 {
		rand.Read(s[:])
	}
	return s
}

func samePublic(a, b crypto.PublicKey) bool {
	key, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && key.Equal(b)
}
