package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"

	"github.com/tcpboot/tcpboot/pki/custody"
	"github.com/tcpboot/tcpboot/release/cose"
	"github.com/tcpboot/tcpboot/release/sign"
	"github.com/tcpboot/tcpboot/release/sitedoc"
)

// The release roots are the keys release-root, release-root-2 and release-root-3:
// as many as the site has. Their public halves lie in certs/ as they are now; those
// that the chain of site documents begins with, as boards were built with, lie in
// firstRootsFile, and never change.
const firstRootsFile = "certs/release-roots.json"

var otherRoot = regexp.MustCompile(`^release-root-[23]$`)

// rootName is the n-th root, counted from 1.
func rootName(n int) string {
	if n == 1 {
		return "release-root"
	}
	return fmt.Sprintf("release-root-%d", n)
}

// rootKey is the key of a root beside the first.
func rootKey(name string) siteKey {
	return siteKey{name, custody.ReleaseRoot, custody.P256, "signs site documents, with release-root"}
}

// roots are the names of the roots that the site has now.
func (s *session) roots() (names []string) {
	for n := range sitedoc.MaxRoots {
		if name := rootName(n + 1); exists(s.site.Path("certs", name+".pub.pem")) {
			names = append(names, name)
		}
	}
	return names
}

// otherRoots are the keys of the roots beside the first.
func (s *session) otherRoots() (keys []siteKey) {
	for _, name := range s.roots() {
		if otherRoot.MatchString(name) {
			keys = append(keys, rootKey(name))
		}
	}
	return keys
}

// firstRoots are those by which the chain of site documents is proved. A site from
// before there could be more than one has no file of them, until it changes them.
func (s *session) firstRoots() (r sitedoc.Roots, err error) {
	text, err := os.ReadFile(s.site.Path(firstRootsFile))
	if err == nil {
		if err := strictJSON(text, &r); err != nil {
			return r, fmt.Errorf("%s: %w", firstRootsFile, err)
		}
		return r, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return r, err
	}
	key, err := s.rootPublic("release-root")
	return sitedoc.Roots{Keys: []cose.Key{key}, Threshold: 1}, err
}

// rootPublic is the public half of a root as it is now.
func (s *session) rootPublic(name string) (k cose.Key, err error) {
	public, err := s.public(name)
	if err != nil {
		return k, err
	}
	return cose.KeyOf(public)
}

// root opens the root of that name, to sign with.
func (s *session) root(name string) (sign.Root, error) {
	signer, err := s.keys.open(name)
	if err != nil {
		return sign.Root{}, err
	}
	root, err := sign.NewRoot(signer)
	if err != nil {
		return root, err
	}
	if public, err := s.rootPublic(name); err != nil || public != root.Key() {
		return root, errors.Join(err, fmt.Errorf("key %s: %w", name, errNotOurs))
	}
	return root, nil
}

// held reports whether k is a root that somebody else has, of several. Nobody keeps
// a copy of what never was here.
func (s *session) held(k siteKey) bool {
	return k.role == custody.ReleaseRoot && len(s.roots()) > 1 && !s.keys.here(s.keys.uri(k.name))
}
