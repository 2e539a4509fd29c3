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

	"github.com/urfave/cli/v2"

	"github.com/tcpboot/tcpboot/pki/custody"
	"github.com/tcpboot/tcpboot/release/sign"
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
	}, keyRecoverVerb, keyCopyVerb},
}

type keyState struct {
	Name string       `json:"name"`
	Role custody.Role `json:"role"`
	Kind custody.Kind `json:"kind"`
	URI  string       `json:"uri"`
	Here bool         `json:"here"`
	Use  string       `json:"use"`
}

func keyList(s *session) error {
	all, err := s.allKeys()
	if err != nil {
		return err
	}
	var states []keyState
	for _, k := range all {
		uri := s.keys.uri(k.name)
		states = append(states, keyState{k.name, k.role, s.kindOf(k), uri, s.keys.here(uri), k.use})
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
	if errors.Is(err, fs.ErrNotExist) {
		text, err = os.ReadFile(s.site.Path("certs", name+".pem"))
	}
	if err == nil && name == "release-root" {
		key, err := sign.ParseKey(text)
		if err != nil {
			return nil, err
		}
		return key.Public()
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
