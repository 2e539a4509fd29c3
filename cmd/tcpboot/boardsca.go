package main

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"

	"github.com/tcpboot/tcpboot/pki"
	"github.com/tcpboot/tcpboot/pki/custody"
	"github.com/tcpboot/tcpboot/pki/fleet"
)

// A boardsCA is a CA of the boards: the present one, or one before it, whose
// certificates live until their boards have others.
type boardsCA struct {
	*pki.Authority // without its key
	key            string
	live           int // certificates by it that admit; of the present one nobody counts them
}

// A former boards CA keeps its number: certs/boards-ca-1.pem, and its key, which
// signs its list of dead certificates, is the one called boards-ca-1.
var formerName = regexp.MustCompile(`^boards-ca-[1-9][0-9]*$`)

func formerCA(number int) string { return fmt.Sprintf("boards-ca-%d", number) }

func formerKey(name string) siteKey {
	return siteKey{name: name, role: custody.Boards, kind: custody.P256}
}

// boardsCAs loads the boards CAs that there are certificates of, the present one
// first, then the newest.
func (s *session) boardsCAs() ([]boardsCA, error) {
	present, err := s.authority(pki.Boards, false)
	if err != nil {
		return nil, err
	}
	all := []boardsCA{{Authority: present, key: "boards-ca"}}
	for n := present.Number() - 1; n > 0; n-- {
		former, err := s.loadAuthority(pki.Boards, formerCA(n), nil)
		if errors.Is(err, fs.ErrNotExist) { // somebody put it away, as one may when nothing it issued is live
			continue
		}
		if err != nil {
			return nil, err
		}
		ca := boardsCA{Authority: former, key: formerCA(n)}
		if ca.live, err = s.fleet.Live(s.ctx(), ca.names()...); err != nil {
			return nil, err
		}
		all = append(all, ca)
	}
	return all, nil
}

// names are what the registry calls ca. It names no CA where there was only one.
func (ca boardsCA) names() []fleet.Digest {
	names := []fleet.Digest{pki.IssuerOf(ca.CA)}
	if ca.Number() == 1 {
		names = append(names, fleet.Digest{})
	}
	return names
}

// inUse are the CAs by which somebody may log in: the present one, and those
// before it of whose certificates some are live.
func inUse(all []boardsCA) (some []boardsCA) {
	for i, ca := range all {
		if i == 0 || ca.live > 0 {
			some = append(some, ca)
		}
	}
	return some
}

// boardsPEM is what RADIUS holds the certificates of boards against.
func boardsPEM(cas []boardsCA) (text []byte) {
	for _, ca := range cas {
		text = append(text, pki.CertificatePEM(ca.CA)...)
	}
	return text
}

// ofThese yields of list what the CAs have issued.
func ofThese(cas []boardsCA, list func(func(pki.Revocation, error) bool)) func(func(pki.Revocation, error) bool) {
	return func(yield func(pki.Revocation, error) bool) {
		for r, err := range list {
			if err != nil || issuedBy(cas, r.Issuer) >= 0 {
				if !yield(r, err) {
					return
				}
			}
		}
	}
}

// issuedBy is the index of the CA that the registry means by issuer; -1 when it is
// none of them.
func issuedBy(cas []boardsCA, issuer fleet.Digest) int {
	for i, ca := range cas {
		if slices.Contains(ca.names(), issuer) {
			return i
		}
	}
	return -1
}
