package main

import (
	"cmp"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/release/espimage"
)

// A loader that checks images trusts one app key for ever: the one that signed the
// loader itself. So an app key that was replaced goes on, as app-p256-1, for the
// boards whose loader is of its generation, and what is cut has a variant for them.
var formerApp = regexp.MustCompile(`^(app-(?:rsa3072|p256|p384))-([1-9][0-9]*)$`)

// formerAppKey is the key of that name, which a newer one has replaced.
func formerAppKey(name string) (k siteKey, ok bool) {
	part := formerApp.FindStringSubmatch(name)
	if part == nil {
		return k, false
	}
	k, _ = siteKeyNamed(part[1])
	return siteKey{name, k.role, k.kind, "signs variants of images for older loaders"}, true
}

// formerAppName is the name under which the n-th key called name goes on.
func formerAppName(name string, n int) string { return name + "-" + strconv.Itoa(n) }

// formerApps are the keys that were called name before, the newest first.
func (s *session) formerApps(name string) (names []string) {
	for n := 1; exists(s.site.Path("certs", formerAppName(name, n)+".pub.pem")); n++ {
		names = append([]string{formerAppName(name, n)}, names...)
	}
	return names
}

// An appGeneration is an app key and how many active boards have a loader that
// trusts it.
type appGeneration struct {
	key    string
	digest fleet.Digest
	boards int
}

// appGenerations are the generations of one app key, the present one first. hardware
// "" counts boards of any.
func (s *session) appGenerations(name, hardware string) (all []appGeneration, err error) {
	groups, err := s.fleet.Groups(s.ctx())
	if err != nil {
		return nil, err
	}
	for _, key := range append([]string{name}, s.formerApps(name)...) {
		g := appGeneration{key: key}
		if g.digest, err = s.appDigest(key); err != nil {
			return nil, err
		}
		for _, b := range groups {
			if b.Loader.Level > 0 && b.Loader.Key == g.digest && (hardware == "" || b.Hardware == hardware) {
				g.boards += b.Boards
			}
		}
		all = append(all, g)
	}
	return all, nil
}

// appDigest is what loaders know an app key by.
func (s *session) appDigest(name string) (fleet.Digest, error) {
	public, err := s.public(name)
	if err != nil {
		return fleet.Digest{}, err
	}
	return espimage.KeyDigest(public)
}

// appNames are the names of all app keys, those before the present ones included.
func (s *session) appNames() (names []string) {
	for _, k := range s.appKeys() {
		names = append(names, k.name)
	}
	return names
}

// appName is what the site calls the app key with that digest, for people.
func (s *session) appName(d fleet.Digest) string {
	return cmp.Or(s.appKeyWith(d), fmt.Sprintf("an app key that is not the site's, %.16s", d.Hex()))
}

// withAppNames is a text of package release with the site's names for app keys, of
// which that knows the digests alone.
func (s *session) withAppNames(text string) string {
	for _, name := range s.appNames() {
		if d, err := s.appDigest(name); err == nil {
			text = strings.ReplaceAll(text, d.Hex()[:16], name)
		}
	}
	return text
}

// formerAppKeys are the app keys from before that are needed still, or here.
func (s *session) formerAppKeys() (keys []siteKey, err error) {
	for _, name := range s.appNames() {
		k, former := formerAppKey(name)
		if !former {
			continue
		}
		boards, err := s.boardsOf(name)
		if err != nil {
			return nil, err
		}
		if boards > 0 || s.keys.here(s.keys.uri(name)) {
			k.use = fmt.Sprintf("signs variants of images for the loaders of %d active boards", boards)
			keys = append(keys, k)
		}
	}
	return keys, nil
}

// boardsOf counts the active boards whose loader trusts the app key of that name.
func (s *session) boardsOf(name string) (int, error) {
	present := name
	if part := formerApp.FindStringSubmatch(name); part != nil {
		present = part[1]
	}
	all, err := s.appGenerations(present, "")
	for _, g := range all {
		if g.key == name {
			return g.boards, err
		}
	}
	return 0, err
}

// loaderText is a board's loader as people see it.
func (s *session) loaderText(l fleet.Loader) string {
	text := strings.TrimSpace(fmt.Sprintf("level %d %s", l.Level, l.Version))
	if l.Key != (fleet.Digest{}) {
		text += ", trusts " + s.appName(l.Key)
	}
	return text
}
