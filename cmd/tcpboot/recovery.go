package main

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tcpboot/tcpboot/pki"
	"github.com/tcpboot/tcpboot/pki/custody"
	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/site"
	"github.com/tcpboot/tcpboot/release/cose"
)

// The recovery copy is one text file: for each key a line "# NAME", then the key
// as PKCS#8 PEM, encrypted under the code instead of a passphrase. openssl opens
// each of them: no tcpboot is needed to get back to one's keys.
const (
	recoveryFile = "recovery.pem"
	recoveryCode = "recovery.code"   // where the code lies when nobody looked on
	recoveryDone = ".recovery-proof" // the digest of the copy that its code has opened
)

// makeRecovery writes the recovery copy of all keys.
func (m *maker) makeRecovery() error {
	var entries []recoveryEntry
	for i, k := range m.all {
		if m.recovery[i] != nil { // a key in a store cannot be copied
			entries = append(entries, recoveryEntry{k.name, m.recovery[i]})
		}
	}
	if err := site.WriteFile(m.site.Path(recoveryFile), recoveryText(entries), 0o600); err != nil {
		return err
	}
	m.codeFile = m.cli.Path("recovery-code")
	if m.codeFile == "" && (!isTerminal(m.cli.App.Writer) || m.cli.Bool("json")) {
		m.codeFile = m.site.Path(recoveryCode)
	}
	if m.codeFile == "" {
		return nil
	}
	return site.WriteFile(m.codeFile, []byte(m.code+"\n"), 0o600)
}

// newCode makes a code of 125 random bits that a person can write down:
// abcde-fghij-…, letters and the digits 2 to 7.
func newCode() string {
	letters := strings.ToLower(rand.Text())
	var groups []string
	for i := 0; i+5 <= len(letters); i += 5 {
		groups = append(groups, letters[i:i+5])
	}
	return strings.Join(groups, "-")
}

// A recoveryEntry is one key of a recovery copy.
type recoveryEntry struct {
	name   string
	sealed []byte // PEM
}

// readRecovery parts a recovery copy into its keys.
func readRecovery(text []byte) (entries []recoveryEntry, err error) {
	for {
		start := bytes.Index(text, []byte("# "))
		if start < 0 {
			return entries, nil
		}
		name, rest, _ := bytes.Cut(text[start+2:], []byte("\n"))
		block, after := pem.Decode(rest)
		if block == nil {
			return nil, fmt.Errorf("key %s: no PEM block behind its name", name)
		}
		entries = append(entries, recoveryEntry{string(name), pem.EncodeToMemory(block)})
		text = after
	}
}

func recoveryText(entries []recoveryEntry) []byte {
	var text bytes.Buffer
	for _, e := range entries {
		fmt.Fprintf(&text, "# %s\n%s", e.name, e.sealed)
	}
	return text.Bytes()
}

// open opens the key with the code of its copy.
func (e recoveryEntry) open(code []byte) (crypto.Signer, error) {
	key, err := custody.Unseal(e.sealed, code)
	if err != nil {
		return nil, fmt.Errorf("key %s: %w", e.name, err)
	}
	return key, nil
}

// openRecovery opens every key of a recovery copy.
func openRecovery(text, code []byte) (map[string]crypto.Signer, error) {
	entries, err := readRecovery(text)
	if err != nil {
		return nil, err
	}
	keys := map[string]crypto.Signer{}
	for _, e := range entries {
		if keys[e.name], err = e.open(code); err != nil {
			return nil, err
		}
	}
	return keys, nil
}

// checkRecovery proves that the copy and its code give back the site's keys: the
// public halves are those of the site's certificates and public keys.
func (s *session) checkRecovery(copyFile string, code []byte) (opened int, err error) {
	text, err := os.ReadFile(copyFile)
	if err != nil {
		return 0, err
	}
	keys, err := openRecovery(text, bytes.TrimSpace(code))
	if err != nil {
		return 0, fmt.Errorf("%s: %w", copyFile, err)
	}
	all, err := s.lastingKeys()
	if err != nil {
		return 0, err
	}
	for _, k := range all {
		if custody.Store(s.keys.uri(k.name)) != "" || keys[k.name] == nil && s.held(k) {
			continue
		}
		if keys[k.name] == nil {
			return 0, fmt.Errorf("%s: key %s is not in it", copyFile, k.name)
		}
		if err := s.matchesPublic(k.name, keys[k.name].Public()); err != nil {
			return 0, fmt.Errorf("%s: key %s: %w", copyFile, k.name, err)
		}
	}
	return len(keys), site.WriteFile(s.site.Path(recoveryDone), []byte(fleet.Sum(text).String()+"\n"), 0o600)
}

// matchesPublic compares a key with what the site shows of it.
func (s *session) matchesPublic(name string, got crypto.PublicKey) error {
	if name == "release" {
		return s.namedInSiteDocument(got)
	}
	want, err := s.public(name)
	if err != nil {
		return err
	}
	if !want.(interface{ Equal(crypto.PublicKey) bool }).Equal(got) {
		return errNotOurs
	}
	return nil
}

var errNotOurs = errors.New("is not the one the site uses")

// namedInSiteDocument compares the release key with those that the site document
// lets sign.
func (s *session) namedInSiteDocument(got crypto.PublicKey) error {
	key, err := cose.KeyOf(got)
	if err != nil {
		return err
	}
	trust, err := s.trust()
	if err != nil {
		return err
	}
	if present, err := s.presentRelease(trust.Site); err != nil || key != present {
		return errors.Join(err, errNotOurs)
	}
	for _, k := range trust.Site.Keys {
		if k.Key == key {
			return nil
		}
	}
	return errNotOurs
}

// A recoveryCopy is one that keys are put into: its code is known to open it.
type recoveryCopy struct {
	file    string
	entries []recoveryEntry
	code    []byte
	proved  bool // to the last key

	elsewhere bool // not in its place in the site
}

// A noCopyError says that a new key cannot be added to the recovery copy.
type noCopyError struct{ file string }

func (e *noCopyError) Error() string {
	return e.file + ": the recovery copy is not there, and the new key belongs into it"
}

// openCopy opens the recovery copy for a change. It is nil where the change is to
// leave it alone; without code, nothing can be added to it.
func (s *session) openCopy(withCode bool) (*recoveryCopy, error) {
	if s.cli.Bool("no-recovery") {
		return nil, nil
	}
	c := &recoveryCopy{file: s.copyFile(), elsewhere: s.cli.Path("copy") != ""}
	text, err := os.ReadFile(c.file)
	switch {
	case errors.Is(err, fs.ErrNotExist) && withCode:
		return nil, &noCopyError{c.file}
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	}
	if c.entries, err = readRecovery(text); err != nil {
		return nil, fmt.Errorf("%s: %w", c.file, err)
	}
	proof, err := os.ReadFile(s.site.Path(recoveryDone))
	c.proved = err == nil && fleet.Sum(text).String() == strings.TrimSpace(string(proof))
	if !withCode {
		return c, nil
	}
	if len(c.entries) == 0 {
		return nil, fmt.Errorf("%s: holds no key by which its code could be known", c.file)
	}
	code, err := s.readCode()
	if err != nil {
		return nil, err
	}
	c.code = bytes.TrimSpace(code)
	if _, err := c.entries[0].open(c.code); err != nil {
		return nil, fmt.Errorf("%s: %w", c.file, err)
	}
	return c, nil
}

// copyFile is where the recovery copy lies.
func (s *session) copyFile() string {
	if file := s.cli.Path("copy"); file != "" {
		return file
	}
	return s.site.Path(recoveryFile)
}

// replace puts key in the place of the one called name, which goes on as former,
// unless that is "". A nil key lies in a store and cannot be copied.
func (c *recoveryCopy) replace(name, former string, key crypto.Signer) error {
	c.entries = slices.DeleteFunc(c.entries, func(e recoveryEntry) bool { return e.name == name && former == "" })
	for i := range c.entries {
		if c.entries[i].name == name {
			c.entries[i].name = former
		}
	}
	if key == nil {
		return nil
	}
	sealed, err := custody.Seal(key, c.code)
	c.entries = append(c.entries, recoveryEntry{name, sealed})
	return err
}

// files are the copy as it is now, and the proof of it, where the one before was
// proved: the same code has opened what was in it, and sealed the rest.
func (c *recoveryCopy) files() ([]changedFile, error) {
	file := recoveryFile
	if c.elsewhere {
		var err error
		if file, err = filepath.Abs(c.file); err != nil {
			return nil, err
		}
	}
	text := recoveryText(c.entries)
	all := []changedFile{{file, 0o600, text}}
	if c.proved {
		all = append(all, changedFile{recoveryDone, 0o600, []byte(fleet.Sum(text).String() + "\n")})
	}
	return all, nil
}

// putIntoCopy makes the recovery copy part of the change. Left out of it, the new
// key takes the copy's proof away: status then asks for it.
func (p *keyPlan) putIntoCopy(c *recoveryCopy, name string, key crypto.Signer, inFile bool) error {
	former := ""
	switch {
	case name == "boards-ca":
		before, err := p.authority(pki.Boards, false)
		if err != nil {
			return err
		}
		former = formerCA(before.Number())
	case p.role == custody.App && p.change.Action == "key.rotate":
		former = formerAppName(name, len(p.formerApps(name))+1)
	}
	if c == nil {
		p.file(recoveryDone, nil, 0)
		return nil
	}
	if !inFile {
		key = nil
	}
	if err := c.replace(name, former, key); err != nil {
		return err
	}
	files, err := c.files()
	p.change.Files = append(p.change.Files, files...)
	return err
}
