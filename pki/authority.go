package pki

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"sync"
)

// An Authority is one hierarchy of one site: its root, and its issuing CA with
// the key, if it was given. An Authority without a key issues nothing. Its
// methods may be called from several goroutines at once.
type Authority struct {
	Root, CA *x509.Certificate

	hierarchy Hierarchy
	site      string
	number    int           // of CA
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
	if a.CA, err = a.issue(t.CA, caShape(h, site, a.number), caKey.Public(), a.Root, rootKey); err != nil {
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
	if a.Root, err = a.parse(rootPEM, "root"); err != nil {
		return nil, err
	}
	if a.CA, err = a.parse(caPEM, "CA"); err != nil {
		return nil, err
	}
	a.number = h.numberOf(site, a.CA.Subject.CommonName)
	if err := errors.Join(a.check(a.Root, rootShape(h, site)), a.check(a.CA, caShape(h, site, a.number))); err != nil {
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
	a := &Authority{hierarchy: h, site: site, number: 1, key: caKey, templates: t}
	a.mold = sync.OnceValues(a.makeMold)
	return a, nil
}

func (a *Authority) parse(text []byte, kind string) (*x509.Certificate, error) {
	block, rest := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE" || len(bytes.TrimSpace(rest)) != 0 {
		return nil, a.errorf("%s: want one PEM certificate", kind)
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, a.errorf("%s: %w", kind, err)
	}
	return c, nil
}

func (a *Authority) check(c *x509.Certificate, s shape) error {
	if err := s.checkIssued(c); err != nil {
		return a.errorf("%s: %w", s.kind, err)
	}
	return nil
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

func (a *Authority) errorf(format string, args ...any) error {
	return fmt.Errorf(string(a.hierarchy)+" authority: "+format, args...)
}

func samePublic(a, b crypto.PublicKey) bool {
	key, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && key.Equal(b)
}
