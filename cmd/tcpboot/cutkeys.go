package main

import (
	"crypto"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/tcpboot/tcpboot/pki/custody"
	"github.com/tcpboot/tcpboot/release/bundle"
	"github.com/tcpboot/tcpboot/release/detached"
	"github.com/tcpboot/tcpboot/release/espimage"
	"github.com/tcpboot/tcpboot/release/mcuboot"
	"github.com/tcpboot/tcpboot/release/sign"
)

// A keyFinder says who signs with a key of the site; here is nil for a key that is
// elsewhere.
type keyFinder func(name string) (public crypto.PublicKey, here crypto.Signer, err error)

// keyFinder is that of release cut: only with --to-sign a key may be elsewhere.
func (s *session) keyFinder() keyFinder {
	if s.cli.IsSet("to-sign") {
		return s.orElsewhere
	}
	return s.atHand
}

// atHand opens a key. One that the site does not go by signs nothing that counts.
func (s *session) atHand(name string) (crypto.PublicKey, crypto.Signer, error) {
	key, err := s.keys.open(name)
	if err != nil {
		return nil, nil, err
	}
	if err := s.matchesPublic(name, key.Public()); err != nil {
		return nil, nil, fmt.Errorf("key %s: %w", name, err)
	}
	return key.Public(), key, nil
}

// orElsewhere opens a key whose file is there.
func (s *session) orElsewhere(name string) (crypto.PublicKey, crypto.Signer, error) {
	public, key, err := s.atHand(name)
	if errors.As(err, new(*awayError)) {
		return s.elsewhere(name)
	}
	return public, key, err
}

// elsewhere asks nobody to sign.
func (s *session) elsewhere(name string) (crypto.PublicKey, crypto.Signer, error) {
	if name != "release" {
		public, err := s.public(name)
		return public, nil, err
	}
	trust, err := s.trust()
	if err != nil {
		return nil, nil, err
	}
	key, err := s.presentRelease(trust.Site)
	if err != nil {
		return nil, nil, err
	}
	public, err := key.Public()
	return public, nil, err
}

// openCutKeys opens the keys of a cut, each for what it is to sign.
func (s *session) openCutKeys(c *cut, find keyFinder) error {
	c.ledger, c.forms = detached.NewLedger(c.Made), nil
	c.Request.MCU = map[string]sign.MCU{}
	if err := s.openMCUKey(c, find); err != nil {
		return err
	}
	if err := c.openForm(find, "", "", c.AppKeys...); err != nil {
		return err
	}
	for _, v := range c.Variants {
		if err := c.openForm(find, v.Key+"-", ", for older loaders", v.Key); err != nil {
			return fmt.Errorf("the loaders of %d active boards trust it: %w", v.Boards, err)
		}
	}
	return nil
}

// openForm opens the keys of one form. prefix tells its signatures from those of the
// others.
func (c *cut) openForm(find keyFinder, prefix, whose string, keys ...string) (err error) {
	f := form{}
	for i, name := range keys {
		signer, err := c.signer(find, name, fmt.Sprintf("%simage-%d", prefix, i), imageWhat(c.Request.Hardware.Scheme, i)+whose)
		if err != nil {
			return err
		}
		key, err := sign.NewApp(signer)
		if err != nil {
			return err
		}
		f.app = append(f.app, key)
	}
	if err := c.openReleaseKey(find, &f, prefix, whose); err != nil {
		return err
	}
	c.forms = append(c.forms, f)
	return nil
}

func imageWhat(scheme espimage.Scheme, block int) string {
	if scheme == espimage.V1 {
		return "the image, for Secure Boot V1"
	}
	return fmt.Sprintf("the image, for block %d of Secure Boot V2", block)
}

func (c *cut) signer(find keyFinder, key, name, what string) (crypto.Signer, error) {
	public, here, err := find(key)
	if err != nil {
		return nil, err
	}
	return c.ledger.Signer(detached.Key{Name: name, What: what, Key: key, Public: public, Here: here}), nil
}

// openReleaseKey opens the key that signs the manifest, and what is stated beside it.
func (c *cut) openReleaseKey(find keyFinder, f *form, prefix, whose string) error {
	public, here, err := find("release")
	if err != nil {
		return err
	}
	key := detached.Key{Key: "release", Public: public, Here: here}
	as := func(name, what string, message []byte) (sign.Release, error) {
		key.Name, key.What, key.Message = prefix+name, what+whose, message
		return sign.NewRelease(c.ledger.Signer(key))
	}
	f.states = func(d bundle.Draft) (sign.Release, error) {
		return as("statement-"+d.Name(), "the statement "+d.Name(), d.Message)
	}
	f.key, err = as("manifest", "the manifest", nil)
	return err
}

// mcubootKey signs images for chips behind the board. Only a site that has such chips
// has it: `key create mcuboot` makes it.
var mcubootKey = siteKey{"mcuboot", custody.App, custody.P256, "signs images of MCUboot, for chips behind boards"}

func (s *session) hasMCUKey() bool { return exists(s.site.Path("certs", mcubootKey.name+".pub.pem")) }

// mcuPublic is the public half of the key for chips behind boards; nil where the site
// has none.
func (s *session) mcuPublic() (crypto.PublicKey, error) {
	if !s.hasMCUKey() {
		return nil, nil
	}
	return s.public(mcubootKey.name)
}

// openMCUKey opens the key for chips behind the board where one of their images lacks
// a signature.
func (s *session) openMCUKey(c *cut, find keyFinder) error {
	if !s.hasMCUKey() {
		return nil
	}
	for _, name := range otherNames(&c.Request) {
		im, err := mcuboot.Parse(c.Request.Others[name])
		if err != nil {
			return err
		}
		if im.Signed() {
			continue
		}
		signer, err := c.signer(find, mcubootKey.name, "component-"+name, "the image of MCUboot for "+name)
		if err != nil {
			return err
		}
		c.Request.MCU[name] = sign.MCU{Signer: signer}
	}
	return nil
}

// otherAppKey is a further image key of one kind, with a word of somebody's choice.
var otherAppKey = regexp.MustCompile(`^app-(rsa3072|p256|p384)-[a-z][a-z0-9]*$`)

// furtherAppKey is the image key called name: app-rsa3072-spare is like app-rsa3072.
func furtherAppKey(name string) siteKey {
	first, _ := siteKeyNamed(name[:strings.LastIndex(name, "-")])
	first.name, first.use = name, first.use+" (another key)"
	return first
}

// furtherKeys are those of the site that init does not make, and some sites have: of
// images, and of MCUboot.
func (s *session) furtherKeys() (all []siteKey) {
	files, _ := filepath.Glob(filepath.Join(globQuote(s.site.Path("certs")), "app-*.pub.pem")) // a good pattern
	for _, file := range files {
		if name := strings.TrimSuffix(filepath.Base(file), ".pub.pem"); otherAppKey.MatchString(name) {
			all = append(all, furtherAppKey(name))
		}
	}
	if s.hasMCUKey() {
		all = append(all, mcubootKey)
	}
	return all
}

// appKeyNames are the keys that sign an image, block 0 first.
func (s *session) appKeyNames(scheme espimage.Scheme) ([]string, error) {
	names := s.cli.StringSlice("app-key")
	if len(names) == 0 {
		return []string{appKeyFor(scheme)}, nil
	}
	most := 3
	if scheme == espimage.V1 {
		most = 1
	}
	if len(names) > most {
		return nil, usagef("--app-key: %d keys: an image signed %s has room for %d signatures", len(names), scheme, most)
	}
	for i, name := range names {
		k, known := siteKeyNamed(name)
		switch {
		case !known || k.role != custody.App || k == mcubootKey:
			return nil, usagef("--app-key %s: is no image key (`tcpboot key list` shows them)", name)
		case name != appKeyFor(scheme) && !strings.HasPrefix(name, appKeyFor(scheme)+"-"):
			return nil, fmt.Errorf("--app-key %s: is a %s key: signature scheme %s takes %s", name, k.kind, scheme, appKeyFor(scheme))
		}
		for _, before := range names[:i] {
			if before == name {
				return nil, usagef("--app-key %s stands twice", name)
			}
		}
	}
	return names, nil
}

// splitOther reads [NAME=]FILE.
func splitOther(flag string) (name, file string) {
	if name, file, ok := strings.Cut(flag, "="); ok {
		return name, file
	}
	return "mcu", flag
}
