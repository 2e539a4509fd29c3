package main

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/tcpboot/tcpboot/pki"
	"github.com/tcpboot/tcpboot/pki/custody"
	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/site"
	"github.com/tcpboot/tcpboot/release/cose"
	"github.com/tcpboot/tcpboot/release/sign"
)

var keyExportVerb = &cli.Command{
	Name:      "export",
	Usage:     "write what others need to know of a key: its certificates, or its public half",
	ArgsUsage: "NAME",
	Description: "PEM: of a server its certificate and that of its CA, of a CA its own and the root's,\n" +
		"of other keys the public key. With --private it is the private key instead,\n" +
		"encrypted under a passphrase of its own, and the audit trail says so. A key in a key\n" +
		"store does not come out.",
	BashComplete: completeKeys,
	Flags: []cli.Flag{
		&cli.PathFlag{Name: "out", Usage: "write to `FILE`; - is stdout"},
		&cli.BoolFlag{Name: "private", Usage: "the private key, into a new file of mode 0600"},
		&cli.PathFlag{Name: "new-passphrase-file", Usage: "with --private: read the passphrase for the new file from `FILE` instead of the terminal"},
	},
	Action: func(c *cli.Context) error {
		if c.Bool("private") {
			return withSite(exportPrivate)(c)
		}
		return readingSite(exportPublic)(c)
	},
}

func exportPublic(s *session) error {
	name, err := s.keyToExport()
	if err != nil {
		return err
	}
	if s.cli.IsSet("new-passphrase-file") {
		return usagef("key export: --new-passphrase-file is for --private")
	}
	text, err := s.publicText(name)
	if err != nil {
		return fmt.Errorf("key %s: %w", name, err)
	}
	out := s.cli.Path("out")
	if out == "-" {
		_, err := s.cli.App.Writer.Write(text)
		return err
	}
	if err := site.WriteFile(out, text, 0o644); err != nil {
		return err
	}
	return s.exported(name, out)
}

func (s *session) exported(name, out string) error {
	return answer(s.cli, map[string]string{"key": name, "out": out}, func(w io.Writer) { fmt.Fprintf(w, "%s in %s\n", name, out) })
}

func (s *session) keyToExport() (string, error) {
	if err := wantArgs(s.cli, 1, "the name of a key"); err != nil {
		return "", err
	}
	if err := wantFlag(s.cli, "out"); err != nil {
		return "", err
	}
	name := s.cli.Args().First()
	if _, known := siteKeyNamed(name); !known {
		return "", usagef("key export: no key is called %q (`tcpboot key list` shows them)", name)
	}
	return name, nil
}

// publicText is what may be known of a key.
func (s *session) publicText(name string) ([]byte, error) {
	if name == "release" {
		return s.releaseKeys()
	}
	if file := s.site.Path("certs", name+".pub.pem"); exists(file) {
		return os.ReadFile(file)
	}
	files := []string{name + ".pem"}
	for _, h := range []pki.Hierarchy{pki.Boards, pki.RADIUS, pki.Servers} {
		ca := string(h) + "-ca"
		switch {
		case name == ca, h == pki.Boards && formerName.MatchString(name):
			files = append(files, string(h)+"-root.pem")
		case h == pki.RADIUS && name == "radius", h == pki.Servers && name == "server":
			files = append(files, ca+".pem")
		}
	}
	return s.certificates(files...)
}

// releaseKeys are the keys that the site document lets sign, each once.
func (s *session) releaseKeys() (text []byte, err error) {
	trust, err := s.trust()
	if err != nil {
		return nil, err
	}
	var written []cose.Key
	for _, k := range trust.Site.Keys {
		if slices.Contains(written, k.Key) {
			continue
		}
		written = append(written, k.Key)
		one, err := sign.MarshalKey(k.Key)
		if err != nil {
			return nil, err
		}
		text = append(text, one...)
	}
	return text, nil
}

// A storedError says that a key lies where no key comes out.
type storedError struct{ name, store string }

func (e *storedError) Error() string {
	return fmt.Sprintf("key %s: lies in a key store (%s:…), which gives no private key away", e.name, e.store)
}

func exportPrivate(s *session) error {
	name, err := s.keyToExport()
	if err != nil {
		return err
	}
	out := s.cli.Path("out")
	if store := custody.Store(s.keys.uri(name)); store != "" {
		return &storedError{name, store}
	}
	switch {
	case out == "-":
		return usagef("key export: --private wants a file: --out FILE")
	case exists(out):
		return fmt.Errorf("%s: is there already", out)
	}
	key, err := s.keys.open(name)
	if err != nil {
		return err
	}
	passphrase, err := s.exportPassphrase(name)
	if err != nil {
		return err
	}
	sealed, err := custody.Seal(key, passphrase)
	if err != nil {
		return err
	}
	detail, err := privateDetail(key.Public())
	if err != nil {
		return err
	}
	if err := s.fleet.Record(s.ctx(), "key.export", name, detail); err != nil { // before anybody has it
		return err
	}
	if err := site.WriteFile(out, sealed, 0o600); err != nil {
		return err
	}
	return s.exported(name, out)
}

func privateDetail(public crypto.PublicKey) (string, error) {
	der, err := x509.MarshalPKIXPublicKey(public)
	return fmt.Sprintf(`{"public":%q,"private":true}`, fleet.Sum(der)), err
}

// exportPassphrase is that of the exported file: any but the empty one.
func (s *session) exportPassphrase(name string) ([]byte, error) {
	if file := s.cli.Path("new-passphrase-file"); file != "" {
		text, err := readSecretFile(file)
		if err != nil {
			return nil, err
		}
		return bytes.TrimRight(text, "\r\n"), nil
	}
	if !isTerminal(os.Stdin) {
		return nil, usagef("key export: --new-passphrase-file FILE, or a terminal to ask on")
	}
	return askTwice(s.cli, "New passphrase for the exported "+name+" key: ")
}
