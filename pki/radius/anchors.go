package radius

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/tcpboot/tcpboot/pki"
	"github.com/tcpboot/tcpboot/pki/fleet"
)

// anchors returns what hostapd judges board certificates by, as PEM of our own
// making: the root, the CAs that issue, and their CRLs.
func (s HostapdServer) anchors() ([]byte, error) {
	if _, err := s.issuers(); err != nil {
		return nil, err
	}
	cas, err := parse(s.BoardsCA)
	if err != nil {
		return nil, err
	}
	roots, err := parse(s.BoardsRoot)
	if err != nil {
		return nil, fmt.Errorf("boards root: %w", err)
	}
	for _, ca := range cas {
		if len(roots) != 1 || ca.CheckSignatureFrom(roots[0]) != nil {
			return nil, fmt.Errorf("boards root: want the one that signed %q", ca.Subject.CommonName)
		}
	}
	lists, err := parseCRLs(s.CRLs, cas)
	if err != nil {
		return nil, fmt.Errorf("CRL of the boards: %w", err)
	}
	if err := s.checkDead(lists); err != nil {
		return nil, fmt.Errorf("CRL of the boards: %w", err)
	}
	text := pki.CertificatePEM(append(roots, cas...)...)
	for _, l := range lists {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: l.Raw})...)
	}
	return text, nil
}

// parseCRLs reads CRLs in PEM: each by one of the CAs, and one or more by each.
// A CA without would have all its boards refused.
func parseCRLs(text []byte, cas []*x509.Certificate) (lists []*x509.RevocationList, err error) {
	signed := make(map[*x509.Certificate]bool)
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "X509 CRL" {
			continue
		}
		l, err := x509.ParseRevocationList(block.Bytes)
		if err != nil {
			return nil, err
		}
		ca := signer(l, cas)
		if ca == nil {
			return nil, errors.New("by none of the boards CAs")
		}
		signed[ca] = true
		lists = append(lists, l)
	}
	for _, ca := range cas {
		if !signed[ca] {
			return nil, fmt.Errorf("none by %q", ca.Subject.CommonName)
		}
	}
	return lists, nil
}

// signer returns the CA that issued l, or nil.
func signer(l *x509.RevocationList, cas []*x509.Certificate) *x509.Certificate {
	for _, ca := range cas {
		if bytes.Equal(l.RawIssuer, ca.RawSubject) && l.CheckSignatureFrom(ca) == nil {
			return ca
		}
	}
	return nil
}

// checkDead says which dead serial the lists do not hold.
func (s HostapdServer) checkDead(lists []*x509.RevocationList) error {
	listed := make(map[fleet.Serial]bool)
	for _, l := range lists {
		for _, e := range l.RevokedCertificateEntries {
			listed[pki.SerialOf(&x509.Certificate{SerialNumber: e.SerialNumber})] = true
		}
	}
	if s.Dead == nil {
		return errors.New("nobody says which serials it must list")
	}
	for r, err := range s.Dead {
		switch {
		case err != nil:
			return err
		case !listed[r.Serial]:
			return fmt.Errorf("certificate %s is dead and not listed: issue the next list first", r.Serial)
		}
	}
	return nil
}
