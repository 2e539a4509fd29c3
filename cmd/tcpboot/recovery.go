package main

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"strings"

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
	var text bytes.Buffer
	for i, k := range siteKeys {
		if m.recovery[i] != nil { // a key in a store cannot be copied
			fmt.Fprintf(&text, "# %s\n%s", k.name, m.recovery[i])
		}
	}
	if err := site.WriteFile(m.site.Path(recoveryFile), text.Bytes(), 0o600); err != nil {
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

// openRecovery opens every key of a recovery copy.
func openRecovery(text, code []byte) (map[string]crypto.Signer, error) {
	keys := map[string]crypto.Signer{}
	for {
		start := bytes.Index(text, []byte("# "))
		if start < 0 {
			break
		}
		name, rest, _ := bytes.Cut(text[start+2:], []byte("\n"))
		block, after := pem.Decode(rest)
		if block == nil {
			return nil, fmt.Errorf("key %s: no PEM block behind its name", name)
		}
		key, err := custody.Unseal(pem.EncodeToMemory(block), code)
		if err != nil {
			return nil, fmt.Errorf("key %s: %w", name, err)
		}
		keys[string(name)] = key
		text = after
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
	for _, k := range siteKeys {
		if custody.Store(s.keys.uri(k.name)) != "" {
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
	for _, k := range trust.Site.Keys {
		if k.Key == key {
			return nil
		}
	}
	return errNotOurs
}
