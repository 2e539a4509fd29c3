package main

import (
	"slices"

	"github.com/tcpboot/tcpboot/release"
	"github.com/tcpboot/tcpboot/release/bundle"
	"github.com/tcpboot/tcpboot/release/sitedoc"
)

// A statement that the site document of its day let count stays where releases are
// kept, also when its key or its counter counts no more. It is listed, so that it
// keeps its place, and never served; where there is another statement of the same
// release that counts, verbs go by that.

// documents are the site documents from the first to the newest, each proved as the
// successor of the one before.
func (s *session) documents() (all []*sitedoc.Doc, err error) {
	first, err := s.firstRoots()
	if err != nil {
		return nil, err
	}
	signed, err := s.siteDocuments()
	if err != nil {
		return nil, err
	}
	d, err := sitedoc.Chain(first, signed[0])
	for _, next := range signed[1:] {
		if err != nil {
			return nil, err
		}
		all = append(all, d)
		d, err = d.Follow(next)
	}
	return append(all, d), err
}

// counted says why a statement does not count and never did.
func (s *session) counted(r *release.Release) error {
	now := s.proves(r)
	if now == nil {
		return nil
	}
	all, err := s.documents()
	if err != nil {
		return err
	}
	for _, doc := range slices.Backward(all) {
		if _, err := release.Verify(r, release.Trust{Site: doc}); err == nil {
			return nil
		}
	}
	return now
}

// ended reports whether a statement counted once, and does so no more.
func (s *session) ended(r *release.Release) bool { return s.proves(r) != nil && s.counted(r) == nil }

// counting are the statements of a version but those that have ended; where a hardware has no
// other, they stay, so that somebody says why.
func (s *session) counting(all []*release.Release) (some []*release.Release) {
	for _, group := range byHardware(all) {
		var going []*release.Release
		for _, r := range group {
			if !s.ended(r) {
				going = append(going, r)
			}
		}
		if going == nil {
			going = group
		}
		some = append(some, going...)
	}
	return some
}

// countingPacked is counting for what is packed.
func (s *session) countingPacked(all []*bundle.Packed) []*bundle.Packed {
	var releases []*release.Release
	for _, p := range all {
		releases = append(releases, p.Release)
	}
	some := s.counting(releases)
	return slices.DeleteFunc(all, func(p *bundle.Packed) bool { return !slices.Contains(some, p.Release) })
}
