package main

import (
	"slices"
	"time"

	"github.com/tcpboot/tcpboot/pki/custody"
	"github.com/tcpboot/tcpboot/pki/fleet"
)

// renewAge reads --renew-after; 0 is no age at all.
func (s *session) renewAge() (time.Duration, error) {
	text := s.cli.String("renew-after")
	if text == "" {
		return 0, nil
	}
	age, err := parseAge(text)
	if err != nil || age == 0 {
		return 0, usagef("--renew-after %s: want an age such as 720d", text)
	}
	return age, nil
}

// stale is server.Secure.Stale. Board certificates have no end: what makes one old is
// its age, where the site sets one, or that its CA issues no more. Our loader makes keys
// on P-256, so where boards have RSA keys nobody is asked.
func (i *identity) stale(d fleet.Device, proved fleet.Digest) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if kind, err := custody.KindOf(i.present.CA.PublicKey); err == nil && kind == custody.RSA2048 {
		return false
	}
	for _, a := range d.Admissions {
		if a.Certificate == proved {
			return i.age > 0 && time.Since(a.Issued) > i.age || !slices.Contains(i.present.names(), a.Issuer)
		}
	}
	return false
}
