package pki

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"time"

	"github.com/tcpboot/tcpboot/pki/custody"
)

// responderDays is how long the certificate of an OCSP responder holds. Nobody
// can ask whether it was revoked, so it is short.
const responderDays = 90

// ResponderName is the common name of a site's OCSP responder.
func ResponderName(site string) string { return site + " boards OCSP" }

var oidNoCheck = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 5}

// IssueResponder certifies pub as the OCSP responder for the boards' certificates
// (RFC 6960, 4.2.2.2), for ninety days from now on: extended key usage
// OCSPSigning, key usage digitalSignature, and the statement that its own status
// need not be asked for (ocsp-nocheck). It has no template: nothing in it is the
// site's to choose. Whoever holds the key can call a dead certificate good, but
// not log in: the certificate is for signing alone.
func (a *Authority) IssueResponder(pub crypto.PublicKey, now time.Time) (*x509.Certificate, error) {
	if a.hierarchy != Boards {
		return nil, a.errorf("has no OCSP responder")
	}
	if err := a.ready(now); err != nil {
		return nil, err
	}
	if _, err := custody.KindOf(pub); err != nil {
		return nil, a.errorf("OCSP responder: %w", err)
	}
	if samePublic(a.CA.PublicKey, pub) {
		return nil, a.errorf("OCSP responder: the key is that of the CA: want one of its own")
	}
	serial := newSerial()
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber:          new(big.Int).SetBytes(serial[:]),
		Subject:               pkix.Name{CommonName: ResponderName(a.site)},
		NotBefore:             notBefore,
		NotAfter:              now.UTC().AddDate(0, 0, responderDays).Truncate(time.Second),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning},
		BasicConstraintsValid: true,
		ExtraExtensions:       []pkix.Extension{{Id: oidNoCheck, Value: asn1.NullBytes}},
	}, a.CA, pub, a.key)
	if err != nil {
		return nil, a.errorf("OCSP responder: %w", err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, a.errorf("OCSP responder: %w", err)
	}
	return c, nil
}
