package main

import (
	"crypto"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/tcpboot/tcpboot/pki/custody"
	"github.com/tcpboot/tcpboot/pki/site"
)

var keyRecoverVerb = &cli.Command{
	Name:      "recover",
	Usage:     "write lost key files again, out of the recovery copy",
	ArgsUsage: "NAME... | --all",
	Description: "Each key is encrypted under the passphrase of its role again, which may be another one\n" +
		"than before. A key that is not the one of the site's certificates is refused, and a\n" +
		"file that is there is not replaced.",
	Flags:  append([]cli.Flag{&cli.BoolFlag{Name: "all", Usage: "every key whose file is not there"}}, recoveryFlags...),
	Action: withSite(keyRecover),
}

func keyRecover(s *session) error {
	lost, err := s.toRecover()
	if err != nil {
		return err
	}
	if len(lost) > 0 {
		if err := s.recover(lost); err != nil {
			return err
		}
	}
	names := []string{}
	for _, k := range lost {
		names = append(names, k.name)
	}
	return answer(s.cli, map[string]any{"recovered": names}, func(w io.Writer) {
		for _, k := range lost {
			fmt.Fprintf(w, "key %s is in %s again\n", k.name, s.keyFile(k))
		}
		if len(lost) == 0 {
			fmt.Fprintln(w, "no key file is missing")
		}
	})
}

// toRecover are the keys of the arguments, or those that are missing.
func (s *session) toRecover() (lost []siteKey, err error) {
	all := s.cli.Bool("all")
	if all == (s.cli.NArg() > 0) {
		return nil, usagef("key recover: want names of keys, or --all")
	}
	if all {
		keys, err := s.lastingKeys()
		if err != nil {
			return nil, err
		}
		for _, k := range keys {
			if s.keyFile(k) != "" && !exists(s.keyFile(k)) {
				lost = append(lost, k)
			}
		}
		return lost, nil
	}
	for _, name := range s.cli.Args().Slice() {
		k, known := siteKeyNamed(name)
		switch {
		case !known:
			return nil, usagef("key %s: no key has that name (`tcpboot key list` shows them)", name)
		case s.keyFile(k) == "":
			return nil, fmt.Errorf("key %s: lies in a key store, of which there is no copy", name)
		case exists(s.keyFile(k)):
			return nil, fmt.Errorf("key %s: %s is there: move it away first", name, s.keyFile(k))
		}
		lost = append(lost, k)
	}
	return lost, nil
}

// keyFile is where a key's file is to lie; "" for a key in a store.
func (s *session) keyFile(k siteKey) string {
	path, err := s.keys.store.File(s.keys.uri(k.name))
	if err != nil {
		return ""
	}
	return path
}

// recover proves every key before it writes the first. A run that was cut off can
// be repeated with --all.
func (s *session) recover(lost []siteKey) error {
	copied, err := s.openRecoveryCopy()
	if err != nil {
		return err
	}
	sealed := make([][]byte, len(lost))
	passphrases := map[custody.Role][]byte{}
	for i, k := range lost {
		key := copied[k.name]
		if key == nil {
			return fmt.Errorf("key %s: is not in the recovery copy", k.name)
		}
		if err := s.matchesPublic(k.name, key.Public()); err != nil {
			return fmt.Errorf("key %s of the recovery copy %w", k.name, err)
		}
		if passphrases[k.role] == nil {
			if passphrases[k.role], err = s.newPassphrase(k.role, "the keys of role "+string(k.role)); err != nil {
				return err
			}
		}
		if sealed[i], err = custody.Seal(key, passphrases[k.role]); err != nil {
			return err
		}
	}
	for i, k := range lost {
		if err := os.MkdirAll(filepath.Dir(s.keyFile(k)), 0o700); err != nil {
			return err
		}
		if err := site.WriteFile(s.keyFile(k), sealed[i], 0o600); err != nil { // the moment
			return err
		}
		if err := s.fleet.Record(s.ctx(), "key.recover", k.name, ""); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) openRecoveryCopy() (map[string]crypto.Signer, error) {
	file := s.cli.Path("copy")
	if file == "" {
		file = s.site.Path(recoveryFile)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	code, err := s.readCode()
	if err != nil {
		return nil, err
	}
	keys, err := openRecovery(text, []byte(strings.TrimSpace(string(code))))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return keys, nil
}
