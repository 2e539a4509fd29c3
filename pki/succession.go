package pki

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"strconv"
	"strings"

	"github.com/tcpboot/tcpboot/pki/fleet"
)

// IssuerOf names a CA by its key, as site documents and the registry do: the
// SHA-256 of its SubjectPublicKeyInfo. A new certificate of the same key is by the
// same issuer.
func IssuerOf(ca *x509.Certificate) fleet.Digest { return fleet.Sum(ca.RawSubjectPublicKeyInfo) }

// Number says the how-manieth CA of its hierarchy this one is. Each has a key and
// a name of its own, "lab boards CA", "lab boards CA 2", so that a list of dead
// certificates is about the certificates of one CA (RFC 5280, 5).
func (a *Authority) Number() int { return a.number }

// Succeed returns the authority that follows a: its CA has a new certificate,
// signed by rootKey. With the key that the CA has it stays the same CA, and every
// certificate that it issued is as good as before. With another key it is the
// next CA of the hierarchy; certificates of the one before need that one's
// certificate, which the root vouches for as before. rootKey is not kept.
func (a *Authority) Succeed(rootKey, caKey crypto.Signer) (*Authority, error) {
	next, err := newAuthority(a.hierarchy, a.site, caKey, a.templates)
	if err != nil {
		return nil, err
	}
	switch {
	case !samePublic(rootKey.Public(), a.Root.PublicKey):
		return nil, a.errorf("the key is not that of the root")
	case samePublic(caKey.Public(), a.Root.PublicKey):
		return nil, a.errorf("the root and the CA have the same key")
	}
	same := samePublic(caKey.Public(), a.CA.PublicKey)
	next.Root, next.number = a.Root, a.number
	if !same {
		next.number++
	}
	shape := caShape(a.hierarchy, a.site, next.number)
	if next.CA, err = next.issue(a.templates.CA, shape, caKey.Public(), a.Root, rootKey); err != nil {
		return nil, err
	}
	if same && !bytes.Equal(next.CA.RawSubject, a.CA.RawSubject) {
		return nil, a.errorf("CA template: gives the CA another subject, by which what it issued would not find it: make a new key")
	}
	return next, nil
}

// numberOf reads the number in the name of a CA; 1 for a name that has none, and
// for whatever is not the name of a CA of h.
func (h Hierarchy) numberOf(site, name string) int {
	digits, ok := strings.CutPrefix(name, h.caName(site, 1)+" ")
	n, err := strconv.Atoi(digits)
	if !ok || err != nil || n < 2 || h.caName(site, n) != name {
		return 1
	}
	return n
}
