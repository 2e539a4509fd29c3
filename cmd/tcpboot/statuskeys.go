package main

import (
	"fmt"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/registry"
	"github.com/tcpboot/tcpboot/release"
)

// lookAtStatements finds what boards get that the present release key has not
// stated, and what they do not get because of it.
func lookAtStatements(s *session, st *siteStatus) error {
	given, err := s.given()
	if err != nil {
		st.find(true, finding{Kind: "releases", Text: "not every release can be read: " + err.Error()})
	}
	var former, refused sample
	for _, g := range given {
		switch {
		case g.fault != nil:
			refused.add(g.String())
		case g.former:
			former.add(g.String())
		}
	}
	if refused.n > 0 {
		st.find(true, finding{
			Kind: "refused", Text: fmt.Sprintf("%d releases that boards would get are refused: what states them counts no more", refused.n),
			Hint: "cut them again, as other versions: tcpboot release cut",
		}.about(refused))
	}
	if former.n > 0 {
		st.find(false, finding{
			Kind: "restate", Text: fmt.Sprintf("%d releases that boards get are stated by a release key from before", former.n),
			Hint: "tcpboot release restate",
		}.about(former))
	}
	return nil
}

// lookAtGenerations tells of boards whose loader trusts an app key from before.
func lookAtGenerations(s *session, st *siteStatus) error {
	for _, name := range s.appNames() {
		if !formerApp.MatchString(name) {
			continue
		}
		n, err := s.boardsOf(name)
		if err != nil {
			return err
		}
		if n == 0 {
			continue
		}
		digest, err := s.appDigest(name)
		if err != nil {
			return err
		}
		macs, err := s.fleet.BoardsOfLoader(s.ctx(), digest, examples)
		if err != nil {
			return err
		}
		st.find(false, finding{
			Kind: "older-loaders", Text: fmt.Sprintf("%d active boards have a loader that trusts %s: each release has a variant for them", n, name),
			Hint: "flash a loader that trusts the present key, then tcpboot device set MAC --loader-key",
		}.about(named(macs, n)))
	}
	return nil
}

// lookAtLoaders finds boards whose loader trusts no form of what it is to load. What
// cannot be read lookAtStatements has told.
func lookAtLoaders(s *session, st *siteStatus) error {
	layout, err := s.layout()
	if err != nil {
		return err
	}
	releases, _ := layout.Releases(s.ctx())
	offers, err := s.fleet.Offers(s.ctx())
	if err != nil {
		return err
	}
	groups, err := s.fleet.Groups(s.ctx())
	if err != nil {
		return err
	}
	boards, which := 0, sample{}
	for _, g := range groups {
		if version, reason := untrusted(release.NewCatalog(releases...), offers, g); reason != "" {
			boards += g.Boards
			which.add(fmt.Sprintf("%d of %s on %s: %s %s", g.Boards, g.Hardware, g.Channel, version, s.withAppNames(reason)))
		}
	}
	if boards > 0 {
		st.find(true, finding{
			Kind: "untrusted", Text: fmt.Sprintf("%d active boards do not get what they are offered, or pinned to: their loader trusts another app key", boards),
			Hint: "cut it again: tcpboot release cut signs a variant for each app key that loaders trust",
		}.about(which))
	}
	return nil
}

// untrusted is the release that a group of boards is to get, and why their loader
// trusts no variant of it; "" where it does.
func untrusted(c *release.Catalog, offers []fleet.Offer, g registry.Group) (version, reason string) {
	if g.Pin != (fleet.Pin{}) {
		for _, r := range c.Find(g.Hardware, g.Pin.Version) {
			if reason = c.Untrusted(r, g.Loader); reason == "" {
				break
			}
		}
		return g.Pin.Version, reason
	}
	for _, o := range offers {
		if o.Hardware != g.Hardware || o.Channel != g.Channel {
			continue
		}
		if r, known := c.Release(o.Manifest); known {
			return o.Version, c.Untrusted(r, g.Loader)
		}
	}
	return "", ""
}

// lookAtWaiting tells of a change that waits for release roots.
func lookAtWaiting(s *session, st *siteStatus) error {
	w, err := s.readWaiting()
	if err != nil || w == nil {
		return err
	}
	st.find(true, finding{
		Kind: "waiting", Text: fmt.Sprintf("%s %s waits: site document %d lacks %s", w.Action, w.Key, w.draft.Doc.Epoch, w.lacks()),
		Hint: "tcpboot key attach FILE",
	})
	return nil
}
