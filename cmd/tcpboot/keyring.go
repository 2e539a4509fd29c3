package main

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"

	"github.com/tcpboot/tcpboot/pki/custody"
	"github.com/tcpboot/tcpboot/pki/site"
)

// A siteKey is one of the keys that init makes. Its file is keys/NAME.pem
// unless `keys:` in the settings names another place.
type siteKey struct {
	name string
	role custody.Role
	kind custody.Kind
	use  string
}

var siteKeys = []siteKey{
	{"boards-root", custody.Boards, custody.P256, "signs the boards CA; may be taken away"},
	{"boards-ca", custody.Boards, custody.P256, "signs board certificates and their CRL"},
	{"radius-root", custody.RADIUS, custody.P256, "signs the RADIUS CA; boards hold its certificate"},
	{"radius-ca", custody.RADIUS, custody.P256, "signs the RADIUS server's certificate"},
	{"radius", custody.RADIUS, custody.P256, "the RADIUS server's own key"},
	{"servers-root", custody.Servers, custody.P256, "signs the servers CA"},
	{"servers-ca", custody.Servers, custody.P256, "signs image servers' certificates"},
	{"server", custody.Servers, custody.P256, "the image server's own key"},
	{"release-root", custody.ReleaseRoot, custody.P256, "signs site documents: who may sign releases"},
	{"release", custody.Release, custody.P256, "signs manifests"},
	{"app-rsa3072", custody.App, custody.RSA3072, "signs images: Secure Boot V2, RSA"},
	{"app-p256", custody.App, custody.P256, "signs images: Secure Boot V2 ECDSA, and V1"},
	{"app-p384", custody.App, custody.P384, "signs images: Secure Boot V2, ECDSA P-384"},
}

// rsaCredentials is the setting for boards with the unmodified loader of 2017.
const rsaCredentials = string(custody.RSA2048)

// kindIn is the kind that init gives k. What boards prove themselves with, and
// RADIUS to them, is of the kind that the settings say.
func (k siteKey) kindIn(s site.Settings) custody.Kind {
	if k.role == custody.Boards || k.role == custody.RADIUS {
		return custody.Kind(s.Credentials)
	}
	return k.kind
}

func siteKeyNamed(name string) (siteKey, bool) {
	for _, k := range siteKeys {
		if k.name == name {
			return k, true
		}
	}
	switch {
	case name == responderKey.name:
		return responderKey, true
	case name == mcubootKey.name:
		return mcubootKey, true
	case otherAppKey.MatchString(name):
		return furtherAppKey(name), true
	case otherRoot.MatchString(name):
		return rootKey(name), true
	case formerApp.MatchString(name):
		return formerAppKey(name)
	}
	return formerKey(name), formerName.MatchString(name)
}

// allKeys are the site's keys: those that last, and that of the OCSP responder
// where there is one.
func (s *session) allKeys() ([]siteKey, error) {
	all, err := s.lastingKeys()
	return s.withResponder(all), err
}

// lastingKeys are those whose loss would be felt, and of which a copy is kept:
// those that init makes, and those of the boards CAs before the present one, unless
// they are away and of no more use. Roots beside the first are kept by others, too.
func (s *session) lastingKeys() ([]siteKey, error) {
	cas, err := s.boardsCAs()
	if err != nil {
		return nil, err
	}
	apps, err := s.formerAppKeys()
	if err != nil {
		return nil, err
	}
	all := slices.Concat(siteKeys, s.furtherKeys(), s.otherRoots(), apps)
	for _, ca := range cas[1:] {
		if ca.live > 0 || s.keys.here(s.keys.uri(ca.key)) {
			k := formerKey(ca.key)
			k.use = fmt.Sprintf("signs the CRL of boards CA %d, which has %d live certificates", ca.Number(), ca.live)
			all = append(all, k)
		}
	}
	return all, nil
}

// A keyring opens a site's keys. Passphrases come from a file or from a prompt;
// one that was typed is tried for the other keys before asking again.
type keyring struct {
	store  custody.Keyring
	uris   map[string]string
	ours   func(name string, public crypto.PublicKey) error // errNotOurs of another's key
	ask    func(prompt string) ([]byte, error)              // nil without a terminal
	typed  [][]byte
	opened map[string]crypto.Signer
}

func newKeyring(c *cli.Context, dir string, uris map[string]string) (*keyring, error) {
	for name := range uris {
		if _, known := siteKeyNamed(name); !known {
			return nil, fmt.Errorf("tcpboot.yaml: keys.%s: no key has that name (`tcpboot key list` shows them)", name)
		}
	}
	k := &keyring{store: keyStore(c, dir), uris: uris, opened: map[string]crypto.Signer{}}
	if file := passphraseFile(c); file != "" {
		passphrases, err := readPassphrases(file)
		if err != nil {
			return nil, err
		}
		k.store.Passphrases = passphrases
	} else if isTerminal(os.Stdin) {
		k.ask = func(prompt string) ([]byte, error) { return promptSecret(c.Context, prompt) }
	}
	return k, nil
}

// keyStore is where keys are looked up, without passphrases yet.
func keyStore(c *cli.Context, dir string) custody.Keyring {
	return custody.Keyring{Dir: dir, Helpers: c.Path("helpers"), Environ: os.Environ()}
}

// passphraseFile is the file that was named, or the one that systemd hands to the
// service that this is; "" when there is neither.
func passphraseFile(c *cli.Context) string {
	if file := c.Path("passphrase-file"); file != "" {
		return file
	}
	if dir := os.Getenv(credentialsDir); dir != "" && exists(filepath.Join(dir, "tcpboot-passphrase")) {
		return filepath.Join(dir, "tcpboot-passphrase")
	}
	return ""
}

// credentialsDir is the variable by which systemd tells a service where what its
// unit loads for it (LoadCredential=) lies.
const credentialsDir = "CREDENTIALS_DIRECTORY"

func readPassphrases(file string) (custody.Passphrases, error) {
	text, err := readSecretFile(file)
	if err != nil {
		return nil, fmt.Errorf("--passphrase-file: %w", err)
	}
	p, err := custody.ParsePassphrases(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return p, nil
}

// readSecretFile reads a small file that nobody else may read. A pipe or a
// process substitution has no such mode and is taken as it is.
func readSecretFile(file string) ([]byte, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	others := fs.FileMode(0o077)
	if dir := os.Getenv(credentialsDir); dir != "" && filepath.Dir(file) == filepath.Clean(dir) {
		others = 0o007 // the group's bits are the mask of an ACL, which lets in the service alone
	}
	if info.Mode().IsRegular() && info.Mode().Perm()&others != 0 {
		return nil, fmt.Errorf("%s: mode %04o lets others read it; want 0600", file, info.Mode().Perm())
	}
	return os.ReadFile(file)
}

// An awayError says that a key's file is not there: somebody keeps it elsewhere,
// as one should a root's.
type awayError struct{ name, uri string }

func (e *awayError) Error() string { return "is away: nothing lies at " + e.uri }

// here reports whether a key's file is there. Of a key in a store nothing can be
// told without asking for it.
func (k *keyring) here(uri string) bool {
	if custody.Store(uri) != "" {
		return true
	}
	path, err := k.store.File(uri)
	return err != nil || exists(path) // what is wrong with the URI says who opens it
}

// uri says where the key called name lies.
func (k *keyring) uri(name string) string { return site.Settings{Keys: k.uris}.Key(name) }

// open opens the key called name, asking for a passphrase where it has to.
func (k *keyring) open(name string) (crypto.Signer, error) {
	if s := k.opened[name]; s != nil {
		return s, nil
	}
	s, err := k.unlock(name)
	if err != nil {
		return nil, fmt.Errorf("key %s: %w", name, err)
	}
	k.opened[name] = s
	return s, nil
}

var errNoPassphrase = errors.New("needs a passphrase, and there is no terminal to ask on")

func (k *keyring) unlock(name string) (crypto.Signer, error) {
	key, ok := siteKeyNamed(name)
	if !ok {
		return nil, errors.New("no such key")
	}
	if !k.here(k.uri(name)) {
		return nil, &awayError{name, k.uri(name)}
	}
	switch {
	case custody.Store(k.uri(name)) != "":
		return k.openStored(key)
	case k.store.Passphrases != nil:
		return k.store.Open(k.uri(name), key.role)
	}
	for _, p := range k.typed {
		s, err := k.with(p).Open(k.uri(name), key.role)
		if !errors.Is(err, custody.ErrPassphrase) {
			return s, err
		}
	}
	return k.askFor(key)
}

// openStored opens a key in a store, where somebody may have put another in its
// place. That one is not asked for a signature.
func (k *keyring) openStored(key siteKey) (crypto.Signer, error) {
	s, err := k.store.Open(k.uri(key.name), key.role)
	if err == nil && errors.Is(k.ours(key.name, s.Public()), errNotOurs) {
		return nil, errNotOurs
	}
	return s, err
}

func (k *keyring) with(passphrase []byte) custody.Keyring {
	store := k.store
	store.Passphrases = func(custody.Role) ([]byte, error) { return passphrase, nil }
	return store
}

func (k *keyring) askFor(key siteKey) (crypto.Signer, error) {
	if k.ask == nil {
		return nil, errNoPassphrase
	}
	for range 3 {
		p, err := k.ask(fmt.Sprintf("Passphrase for the %s key: ", key.name))
		if err != nil {
			return nil, err
		}
		s, err := k.with(p).Open(k.uri(key.name), key.role)
		if errors.Is(err, custody.ErrPassphrase) {
			fmt.Fprintln(os.Stderr, "That passphrase does not open it.")
			continue
		}
		if err == nil {
			k.typed = append(k.typed, p)
		}
		return s, err
	}
	return nil, custody.ErrPassphrase
}

// promptSecret asks on the terminal, without echo, until ctx ends.
func promptSecret(ctx context.Context, prompt string) ([]byte, error) {
	terminal := int(os.Stdin.Fd())
	before, err := term.GetState(terminal)
	if err != nil {
		return nil, err
	}
	fmt.Fprint(os.Stderr, prompt)
	defer fmt.Fprintln(os.Stderr)
	return typed(ctx, func() ([]byte, error) { return term.ReadPassword(terminal) }, func() { _ = term.Restore(terminal, before) })
}

// typed waits for what a person types, or for the end of ctx: a read from a
// terminal cannot be called off, so it is left behind.
func typed(ctx context.Context, read func() ([]byte, error), restore func()) ([]byte, error) {
	type answer struct {
		text []byte
		err  error
	}
	got := make(chan answer, 1)
	go func() {
		text, err := read()
		got <- answer{text, err}
	}()
	select {
	case a := <-got:
		return a.text, a.err
	case <-ctx.Done():
		restore()
		return nil, ctx.Err()
	}
}
