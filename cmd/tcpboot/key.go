package main

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/tcpboot/tcpboot/pki/custody"
)

var keyVerb = &cli.Command{
	Name:  "key",
	Usage: "the site's keys",
	Subcommands: []*cli.Command{{
		Name:   "list",
		Usage:  "every key: role, kind, where it lies, what it signs",
		Action: readingSite(keyList),
	}, keyCreateVerb, keyRotateVerb, keyRenewVerb, keyExportVerb, {
		Name:  "check",
		Usage: "prove that keys open",
		Description: "Without flags every key is opened with its passphrase. With --recovery the\n" +
			"recovery copy is opened with its code instead, and compared with the site.",
		Flags:  append([]cli.Flag{&cli.BoolFlag{Name: "recovery", Usage: "open the recovery copy"}}, recoveryFlags...),
		Action: readingSite(keyCheck),
	}, keyRecoverVerb, keyCopyVerb, keyRetireVerb, keyRevokeVerb, keySignVerb, keyAttachVerb, keyPendingVerb},
}

type keyState struct {
	Name string       `json:"name"`
	Role custody.Role `json:"role"`
	Kind custody.Kind `json:"kind"`
	URI  string       `json:"uri"`
	Here bool         `json:"here"`
	Use  string       `json:"use"`

	ID     string   `json:"id,omitempty"`     // of release keys and roots, as site documents know them
	Former []string `json:"former,omitempty"` // release keys that count beside this one
}

func keyList(s *session) error {
	all, err := s.allKeys()
	if err != nil {
		return err
	}
	var states []keyState
	for _, k := range all {
		uri := s.keys.uri(k.name)
		state := keyState{Name: k.name, Role: k.role, Kind: s.kindOf(k), URI: uri, Here: s.keys.here(uri), Use: k.use}
		if err := s.nameInDocument(&state); err != nil {
			return err
		}
		states = append(states, state)
	}
	return answer(s.cli, states, func(w io.Writer) {
		rows := make([][]string, len(states))
		for i, k := range states {
			where := k.URI
			if !k.Here {
				where += " (away)"
			}
			rows[i] = []string{k.Name, string(k.Role), string(k.Kind), where, k.Use}
		}
		table(w, "KEY ROLE KIND WHERE SIGNS", rows)
	})
}

// nameInDocument says of a release key or root how the site document knows it.
func (s *session) nameInDocument(k *keyState) error {
	if k.Role != custody.Release && k.Role != custody.ReleaseRoot {
		return nil
	}
	trust, err := s.trust()
	if err != nil {
		return err
	}
	if k.Role == custody.ReleaseRoot {
		key, err := s.rootPublic(k.Name)
		k.ID = idText(key)
		k.Use = fmt.Sprintf("signs site documents as %s: they take %d of %d roots", k.ID, trust.Site.Roots.Threshold, len(trust.Site.Roots.Keys))
		return err
	}
	present, err := s.presentRelease(trust.Site)
	k.ID = idText(present)
	k.Former = slices.DeleteFunc(releaseIDs(trust.Site.Keys), func(id string) bool { return id == k.ID })
	k.Use = "signs manifests as " + k.ID
	if len(k.Former) > 0 {
		k.Use += "; those of " + strings.Join(k.Former, ", ") + " count as well, until key retire release"
	}
	return err
}

// kindOf is the kind that k is, where the site shows its public half, or else the
// one that init gave it.
func (s *session) kindOf(k siteKey) custody.Kind {
	if public, err := s.public(k.name); err == nil {
		if kind, err := custody.KindOf(public); err == nil {
			return kind
		}
	}
	return k.kindIn(s.site.Settings)
}

func keyCheck(s *session) error {
	if s.cli.Bool("recovery") {
		return s.keyCheckRecovery()
	}
	all, err := s.allKeys()
	if err != nil {
		return err
	}
	for _, k := range all {
		key, err := s.keys.open(k.name)
		if err != nil {
			return err
		}
		if err := s.matchesPublic(k.name, key.Public()); err != nil {
			return fmt.Errorf("key %s: %w", k.name, err)
		}
	}
	return answer(s.cli, map[string]int{"opened": len(all)}, func(w io.Writer) {
		fmt.Fprintf(w, "%d keys open, and are the site's\n", len(all))
	})
}

func (s *session) keyCheckRecovery() error {
	file := s.copyFile()
	code, err := s.readCode()
	if err != nil {
		return err
	}
	n, err := s.checkRecovery(file, code)
	if err != nil {
		return err
	}
	return answer(s.cli, map[string]int{"opened": n}, func(w io.Writer) {
		fmt.Fprintf(w, "the recovery copy opens: %d keys, and they are the site's\n", n)
	})
}

func (s *session) readCode() ([]byte, error) {
	if file := s.cli.Path("code-file"); file != "" {
		return readSecretFile(file)
	}
	if !isTerminal(os.Stdin) {
		return nil, usagef("%s: --code-file FILE, or a terminal to ask on", verbName(s.cli))
	}
	return promptSecret(s.ctx(), "Recovery code: ")
}

// public returns the public half of a key as the site shows it in certs/: in a
// certificate or in a file of its own.
func (s *session) public(name string) (crypto.PublicKey, error) {
	text, err := os.ReadFile(s.site.Path("certs", name+".pub.pem"))
	if errors.Is(err, fs.ErrNotExist) && exists(s.site.Path("certs", name+".pem")) {
		text, err = os.ReadFile(s.site.Path("certs", name+".pem"))
	}
	if err != nil {
		return nil, err
	}
	return parsePublic(text)
}

// parsePublic reads a public key, or that of a certificate.
func parsePublic(text []byte) (crypto.PublicKey, error) {
	block, _ := pem.Decode(text)
	switch {
	case block == nil:
		return nil, errors.New("no PEM in it")
	case block.Type == "CERTIFICATE":
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		return c.PublicKey, nil
	case block.Type == "PUBLIC KEY":
		return x509.ParsePKIXPublicKey(block.Bytes)
	}
	return nil, fmt.Errorf("PEM block %q: want a public key or a certificate", block.Type)
}

func publicPEM(key crypto.PublicKey) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), nil
}
