package main

import (
	"crypto"
	"encoding/pem"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/tcpboot/tcpboot/pki/custody"
	"github.com/tcpboot/tcpboot/pki/fleet"
)

var keyCreateVerb = &cli.Command{
	Name:      "create",
	Usage:     "make a key that the site lacks",
	ArgsUsage: "NAME",
	Description: "For a site that was made before there was a key of that name, or a release root more:\n" +
		"release-root-2, release-root-3. It is added to the recovery copy, which takes the\n" +
		"copy's code.",
	BashComplete: completeKeys,
	Flags: append([]cli.Flag{keyURIFlag, noRecoveryFlag,
		withFlag, toSignFlag, publicFlag, thresholdFlag, reasonFlag}, recoveryFlags...),
	Action: withSite(keyCreate),
}

func keyCreate(s *session) error {
	if err := wantArgs(s.cli, 1, "the name of a key"); err != nil {
		return err
	}
	name := s.cli.Args().First()
	k, known := siteKeyNamed(name)
	if !known {
		return usagef("key create: no key is called %q (`tcpboot key list` shows them)", name)
	}
	p := newKeyPlan(s, certified{siteKey: k}, "key.create")
	if otherRoot.MatchString(name) {
		if slices.Contains(s.roots(), name) {
			return &presentError{name, s.keys.uri(name)}
		}
		return p.run(p.planRoot)
	}
	return p.run(p.planKey)
}

// planKey makes a key without a certificate: its public half stands by itself.
func (p *keyPlan) planKey() error {
	if err := p.mayCreate(p.siteKey); err != nil {
		return err
	}
	key, err := p.makeKey(p.siteKey)
	if err != nil {
		return err
	}
	text, err := publicPEM(key.Public())
	if err != nil {
		return err
	}
	p.file("certs/"+p.name+".pub.pem", text, 0o644)
	block, _ := pem.Decode(text)
	return p.describe(changeDetail{Public: fleet.Sum(block.Bytes)})
}

// A presentError says that the site has a key already.
type presentError struct{ name, uri string }

func (e *presentError) Error() string {
	return fmt.Sprintf("key %s: the site has it, at %s", e.name, e.uri)
}

// mayCreate refuses a key that the site has, even if its file is away, and those
// by which a site is what it is.
func (s *session) mayCreate(k siteKey) error {
	if k.name == responderKey.name {
		return errResponderKey
	}
	uri := s.keys.uri(k.name)
	if _, err := s.public(k.name); err == nil || custody.Store(uri) == "" && s.keys.here(uri) {
		return &presentError{k.name, uri}
	}
	if k.role != custody.App {
		return fmt.Errorf("key %s: a site without it is damaged; bring it back from the recovery copy or a backup", k.name)
	}
	return nil
}

// makeKey makes a new key for k where --key says, or where it was; for a file it
// is sealed, and added to the recovery copy.
func (p *keyPlan) makeKey(k siteKey) (crypto.Signer, error) {
	uri, err := p.placeOf(k)
	if err != nil {
		return nil, err
	}
	_, elsewhere := p.site.Settings.Keys[k.name]
	own := "keys/" + k.name + ".pem"
	switch {
	case uri != own:
		p.change.Keys[k.name] = uri
		if !elsewhere {
			p.file(own, nil, 0) // what is still needed of it has another name by then
		}
	case elsewhere:
		p.change.Keys[k.name] = ""
	}
	if err := p.site.CanSetKeys(p.change.Keys); err != nil {
		return nil, err
	}
	inFile := custody.Store(uri) == ""
	copied, err := p.openCopy(inFile)
	if err != nil {
		return nil, err
	}
	kind := k.kindIn(p.site.Settings)
	var key crypto.Signer
	if inFile {
		key, err = p.fileKey(uri, k, kind)
	} else {
		key, err = p.storedKey(uri, k, kind)
	}
	if err != nil {
		return nil, err
	}
	p.opened = map[string]crypto.Signer{k.name: key}
	return key, p.putIntoCopy(copied, k.name, key, inFile)
}

// placeOf is where the new key is to be.
func (p *keyPlan) placeOf(k siteKey) (string, error) {
	was, elsewhere := p.site.Settings.Keys[k.name]
	uri := p.cli.String("key")
	switch {
	case uri == "" && elsewhere && p.change.Action == "key.rotate":
		return "", usagef("%s: %s is at %s: --key URI says where the new one is to be", verbName(p.cli), k.name, was)
	case uri == "":
		return p.keys.uri(k.name), nil
	case uri == was:
		return "", usagef("--key: %s is there", k.name)
	case custody.Store(uri) == "":
		_, err := p.keys.store.File(uri)
		return uri, err
	}
	return uri, mayBeStored(k.name, uri)
}

// mayBeStored says why a key cannot be in a key store at that URI.
func mayBeStored(name, uri string) error {
	if err := custody.CheckStored(uri); err != nil {
		return usageError{fmt.Errorf("--key: %w", err)}
	}
	if name == "radius" {
		return usagef("--key: the RADIUS server reads its key from a file: it cannot be in a key store")
	}
	return nil
}

// storedKey takes the key that a store has at that URI, or makes it. No key does
// two works.
func (p *keyPlan) storedKey(uri string, k siteKey, kind custody.Kind) (crypto.Signer, error) {
	key, err := p.keys.store.Take(uri, k.role, kind)
	if err != nil {
		return nil, err
	}
	all, err := p.allKeys()
	if err != nil {
		return nil, err
	}
	for _, other := range all {
		if p.matchesPublic(other.name, key.Public()) == nil {
			return nil, fmt.Errorf("--key: the key there is the site's %s", other.name)
		}
	}
	return key, nil
}

func (p *keyPlan) fileKey(uri string, k siteKey, kind custody.Kind) (crypto.Signer, error) {
	path, err := p.keys.store.File(uri)
	if err != nil {
		return nil, err
	}
	if own := "keys/" + k.name + ".pem"; path == p.site.Path(own) {
		path = own
	} else if exists(path) {
		return nil, fmt.Errorf("--key: %s is there already", path)
	}
	passphrase, err := p.newPassphrase(k.role, "the "+k.name+" key")
	if err != nil {
		return nil, err
	}
	key, err := custody.Generate(kind)
	if err != nil {
		return nil, err
	}
	sealed, err := custody.Seal(key, passphrase)
	if err != nil {
		return nil, err
	}
	p.file(path, sealed, 0o600)
	return key, nil
}

// newPassphrase is what a key file is sealed with: the passphrase of its role, or
// what a person chooses for it.
func (s *session) newPassphrase(role custody.Role, what string) ([]byte, error) {
	switch {
	case s.keys.store.Passphrases != nil:
		return s.keys.store.Passphrases(role)
	case s.keys.ask == nil:
		return nil, errNoPassphrase
	}
	return askTwice(s.cli, "New passphrase for "+what+": ")
}

// borrow notes where keys lie for this run: NAME=URI.
func (k *keyring) borrow(flags []string) error {
	k.uris = maps.Clone(k.uris)
	if k.uris == nil {
		k.uris = map[string]string{}
	}
	for _, f := range flags {
		name, uri, ok := strings.Cut(f, "=")
		if _, known := siteKeyNamed(name); !ok || !known || uri == "" {
			return usagef("--with %s: want NAME=URI, and NAME as in `tcpboot key list`", name)
		}
		k.uris[name] = uri
	}
	return nil
}
