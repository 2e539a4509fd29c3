package main

import (
	"slices"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/release"
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

// variantsOf are the variants that a cut for hardware h has.
func (s *session) variantsOf(h release.Hardware) (variants []variantOf, err error) {
	older, err := s.olderGenerations(h)
	for _, g := range older {
		variants = append(variants, variantOf{Key: g.key, Boards: g.boards})
	}
	return variants, err
}

// formerName is the app key from before that has signed r; "" where it is a present
// one, or not known.
func (s *session) formerName(r *release.Release) string {
	if s.formerDigests()[r.AppKey] == 0 {
		return ""
	}
	return s.appName(r.AppKey)
}

// shownVariants are the variants of r for older loaders, as they lie there.
func (s *session) shownVariants(r *release.Release, found []*release.Release) (variants []variantOf, err error) {
	for _, v := range release.NewCatalog(found...).Variants(r) {
		name := s.formerName(v)
		if name == "" || v.Digest == r.Digest {
			continue
		}
		boards, err := s.boardsOf(name)
		if err != nil {
			return nil, err
		}
		variants = append(variants, variantOf{name, boards, v.Digest.String()})
	}
	return variants, nil
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
