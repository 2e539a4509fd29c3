package main

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/tcpboot/tcpboot/pki"
	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/registry"
	"github.com/tcpboot/tcpboot/pki/site"
)

var crlVerb = &cli.Command{
	Name:  "crl",
	Usage: "issue the next list of dead certificates: certs/boards.crl",
	Description: "For other relying parties: what tcpboot exports for RADIUS lists the living instead.\n" +
		"While certificates of a boards CA before the present one live, its list stands\n" +
		"behind that of the present one, and its key is needed too.",
	Action: withSite(func(s *session) error {
		if err := s.renderCRL(); err != nil {
			return err
		}
		out := s.site.Path(crlFile)
		return answer(s.cli, map[string]string{"out": out}, func(w io.Writer) { fmt.Fprintf(w, "CRL in %s\n", out) })
	}),
}

// crlFile holds a list by each boards CA, one behind the other.
const crlFile = "certs/boards.crl"

// renderCRL issues the next CRL into certs/boards.crl.
func (s *session) renderCRL() error {
	unlock, err := s.site.Lock("render")
	if err != nil {
		return err
	}
	defer unlock()
	return s.issueCRL()
}

// auditURI names a place in the audit trail, so that a CRL, of which others keep
// copies, bears witness to it:  tcpboot-audit:12:sha256:9f…
func auditURI(h registry.Head) string { return fmt.Sprintf("tcpboot-audit:%d:%s", h.Sequence, h.Hash) }

// A crlSigner signs the list of one boards CA; or it is a CA whose last list is
// out, because all that it issued is dead: its key is needed no more.
type crlSigner struct {
	ca   *pki.Authority // with its key; nil: last stays
	last *x509.RevocationList
}

// issueCRL is renderCRL for those who hold the lock. All lists of one time bear
// one number.
func (s *session) issueCRL() error {
	cas, err := s.boardsCAs()
	if err != nil {
		return err
	}
	signers, err := s.crlSigners(cas)
	if err != nil {
		return err
	}
	ders := make([][]byte, len(signers)) // nil: a CA without any list
	err = s.fleet.CRLNumber(s.ctx(), func(number uint64, previous time.Time) (thisUpdate time.Time, err error) {
		dead, err := s.deadBy(cas)
		if err != nil {
			return time.Time{}, err
		}
		head, err := s.fleet.Head(s.ctx())
		if err != nil {
			return time.Time{}, err
		}
		now := time.Now()
		for i, by := range signers {
			if by.ca == nil {
				if by.last != nil {
					ders[i] = by.last.Raw
				}
				continue
			}
			if ders[i], thisUpdate, err = by.ca.CRL(dead[i], number, previous, now, auditURI(head)); err != nil {
				return time.Time{}, err
			}
		}
		return thisUpdate, nil
	})
	if err != nil {
		return err
	}
	return site.WriteFile(s.site.Path(crlFile), crlPEM(ders), 0o644)
}

// crlSigners opens the keys that the next lists need.
func (s *session) crlSigners(cas []boardsCA) ([]crlSigner, error) {
	published, err := s.publishedCRLs()
	if err != nil {
		return nil, err
	}
	dead, err := s.deadBy(cas)
	if err != nil {
		return nil, err
	}
	signers := make([]crlSigner, len(cas))
	for i, ca := range cas {
		last, over := listOf(ca, published), i > 0 && ca.live == 0
		whole := lists(last, dead[i])
		if over && (whole || !s.keys.here(s.keys.uri(ca.key))) {
			if !whole {
				say(s.cli, "%s: lacks dead certificates of boards CA %d, whose key is away", crlFile, ca.Number())
			}
			signers[i].last = last
		} else if signers[i].ca, err = s.withKey(ca); err != nil {
			return nil, err
		}
	}
	return signers, nil
}

func (s *session) withKey(ca boardsCA) (*pki.Authority, error) {
	key, err := s.keys.open(ca.key)
	if err != nil {
		return nil, err
	}
	return s.loadAuthority(pki.Boards, ca.key, key)
}

// deadBy is what each of the CAs has issued that is dead.
func (s *session) deadBy(cas []boardsCA) ([][]pki.Revocation, error) {
	dead := make([][]pki.Revocation, len(cas))
	for r, err := range s.fleet.Revocations(s.ctx()) {
		if err != nil {
			return nil, err
		}
		if i := issuedBy(cas, r.Issuer); i >= 0 {
			dead[i] = append(dead[i], r)
		}
	}
	return dead, nil
}

// publishedCRLs are the lists as they lie in certs/; none yet, none.
func (s *session) publishedCRLs() (lists []*x509.RevocationList, err error) {
	text, err := os.ReadFile(s.site.Path(crlFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		l, err := x509.ParseRevocationList(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", crlFile, err)
		}
		lists = append(lists, l)
	}
	return lists, nil
}

// listOf is the list by ca; nil when there is none.
func listOf(ca boardsCA, all []*x509.RevocationList) *x509.RevocationList {
	for _, l := range all {
		if bytes.Equal(l.RawIssuer, ca.CA.RawSubject) && l.CheckSignatureFrom(ca.CA) == nil {
			return l
		}
	}
	return nil
}

// lists reports whether all of dead stand in l.
func lists(l *x509.RevocationList, dead []pki.Revocation) bool {
	if l == nil {
		return false
	}
	listed := make(map[fleet.Serial]bool)
	for _, e := range l.RevokedCertificateEntries {
		listed[pki.SerialOf(&x509.Certificate{SerialNumber: e.SerialNumber})] = true
	}
	for _, r := range dead {
		if !listed[r.Serial] {
			return false
		}
	}
	return true
}

// crlsInUse are the published lists of the CAs in use, in PEM, and what must stand
// in them.
func (s *session) crlsInUse() (text []byte, dead func(func(pki.Revocation, error) bool), err error) {
	all, err := s.boardsCAs()
	if err != nil {
		return nil, nil, err
	}
	published, err := s.publishedCRLs()
	if err != nil {
		return nil, nil, err
	}
	cas := inUse(all)
	var some [][]byte
	for _, ca := range cas {
		if l := listOf(ca, published); l != nil {
			some = append(some, l.Raw)
		}
	}
	return crlPEM(some), ofThese(cas, s.fleet.Revocations(s.ctx())), nil
}

func crlPEM(ders [][]byte) (text []byte) {
	for _, der := range ders {
		if der != nil {
			text = append(text, pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der})...)
		}
	}
	return text
}
