package pki

import (
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	"github.com/tcpboot/tcpboot/pki/fleet"
)

// A List is what a CRL says.
type List struct {
	Number     uint64
	ThisUpdate time.Time
	Dead       []Revocation
	About      []string // the URIs that CRL was given
}

// ReadCRL reads a CRL that Authority.CRL has made, in PEM, after proving that one
// of the issuers signed it. Words for reasons come back as far as RFC 5280 has
// codes for them; of "lost" and "stolen" both becomes "compromised".
func ReadCRL(text []byte, issuers ...*x509.Certificate) (*List, error) {
	block, rest := pem.Decode(text)
	if block == nil || block.Type != "X509 CRL" || len(rest) > 0 {
		return nil, errors.New("CRL: want one PEM block \"X509 CRL\"")
	}
	crl, err := x509.ParseRevocationList(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("CRL: %w", err)
	}
	for _, ca := range issuers {
		if crl.CheckSignatureFrom(ca) == nil {
			return listOf(crl, IssuerOf(ca))
		}
	}
	return nil, errors.New("CRL: not signed by a boards CA of this site")
}

func listOf(crl *x509.RevocationList, issuer fleet.Digest) (*List, error) {
	if crl.Number == nil || !crl.Number.IsUint64() {
		return nil, fmt.Errorf("CRL: number %v is none of ours", crl.Number)
	}
	l := &List{Number: crl.Number.Uint64(), ThisUpdate: crl.ThisUpdate, Dead: make([]Revocation, len(crl.RevokedCertificateEntries))}
	var err error
	for i, e := range crl.RevokedCertificateEntries {
		if l.Dead[i], err = revocationOf(e); err != nil {
			return nil, fmt.Errorf("CRL %d: %w", l.Number, err)
		}
		l.Dead[i].Issuer = issuer
	}
	for _, e := range crl.Extensions {
		if e.Id.Equal(issuerAltName) {
			if l.About, err = uris(e.Value); err != nil {
				return nil, fmt.Errorf("CRL %d: names of its issuer: %w", l.Number, err)
			}
		}
	}
	return l, nil
}

// uris reads what issuerNames has written.
func uris(value []byte) (all []string, err error) {
	var names []asn1.RawValue
	if rest, err := asn1.Unmarshal(value, &names); err != nil || len(rest) > 0 {
		return nil, errors.New("not a list of names")
	}
	for _, n := range names {
		if n.Class == asn1.ClassContextSpecific && n.Tag == 6 {
			all = append(all, string(n.Bytes))
		}
	}
	return all, nil
}
