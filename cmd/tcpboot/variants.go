package main

import (
	"fmt"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/release"
	"github.com/tcpboot/tcpboot/release/sign"
)

// A variantOf is a variant of a release for the boards with older loaders.
type variantOf struct {
	Key      string `json:"key"`    // app key, by its name
	Boards   int    `json:"boards"` // active ones whose loader trusts it
	Manifest string `json:"manifest"`
}

// cutVariants signs what was asked for once more with each app key from before that
// loaders in use trust.
func (s *session) cutVariants(q *release.Request) (variants []*release.Release, told []variantOf, err error) {
	generations, err := s.appGenerations(appKeyFor(q.Hardware.Scheme), q.Hardware.Name)
	if err != nil {
		return nil, nil, err
	}
	for _, g := range generations[1:] {
		if g.boards == 0 {
			continue
		}
		r, err := s.cutVariant(*q, g.key)
		if err != nil {
			return nil, nil, fmt.Errorf("for %d boards whose loader trusts %s: %w", g.boards, g.key, err)
		}
		variants = append(variants, r)
		told = append(told, variantOf{g.key, g.boards, r.Digest.String()})
	}
	return variants, told, nil
}

func (s *session) cutVariant(q release.Request, key string) (*release.Release, error) {
	signer, err := s.keys.open(key)
	if err != nil {
		return nil, err
	}
	app, err := sign.NewApp(signer)
	if err != nil {
		return nil, err
	}
	q.App = []sign.App{app}
	r, err := release.Cut(q)
	if err != nil {
		return nil, err
	}
	return r, s.verifyWhole(r)
}

// formerDigests has a 1 for each app key from before.
func (s *session) formerDigests() map[fleet.Digest]int {
	former := map[fleet.Digest]int{}
	for _, name := range s.appNames() {
		if d, err := s.appDigest(name); err == nil && formerApp.MatchString(name) {
			former[d] = 1
		}
	}
	return former
}

// variantKeysAtHand refuses a cut whose variants could not be signed, before it is
// given numbers.
func (s *session) variantKeysAtHand(q *release.Request) error {
	generations, err := s.appGenerations(appKeyFor(q.Hardware.Scheme), q.Hardware.Name)
	if err != nil {
		return err
	}
	for _, g := range generations[1:] {
		if g.boards == 0 {
			continue
		}
		if _, err := s.keys.open(g.key); err != nil {
			return fmt.Errorf("the loaders of %d active boards trust it: %w", g.boards, err)
		}
	}
	return nil
}
