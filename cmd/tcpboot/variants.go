package main

import (
	"fmt"
	"slices"

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

// olderGenerations are the app keys from before that loaders of hardware h in use
// trust.
func (s *session) olderGenerations(h release.Hardware) ([]appGeneration, error) {
	all, err := s.appGenerations(appKeyFor(h.Scheme), h.Name)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all[1:], func(g appGeneration) bool { return g.boards == 0 }), nil
}

// cutVariants signs what was asked for once more with each of those keys.
func (s *session) cutVariants(q *release.Request) (variants []*release.Release, told []variantOf, err error) {
	older, err := s.olderGenerations(q.Hardware)
	if err != nil {
		return nil, nil, err
	}
	for _, g := range older {
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
func (s *session) variantKeysAtHand(h release.Hardware) error {
	older, err := s.olderGenerations(h)
	if err != nil {
		return err
	}
	for _, g := range older {
		if _, err := s.keys.open(g.key); err != nil {
			return fmt.Errorf("the loaders of %d active boards trust it: %w", g.boards, err)
		}
	}
	return nil
}
