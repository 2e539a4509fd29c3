package main

import (
	"bufio"
	"bytes"
	"cmp"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/tcpboot/tcpboot/pki"
	"github.com/tcpboot/tcpboot/pki/custody"
	"github.com/tcpboot/tcpboot/pki/site"
)

var initVerb = &cli.Command{
	Name:  "init",
	Usage: "make a site: settings, registry, keys and certificates",
	Description: "Makes the site in --site DIR, or here. Asks on a terminal for what is missing.\n" +
		"Killed half-way, it leaves no site, and can be run again.",
	Flags: []cli.Flag{
		&cli.StringFlag{Name: "ssid", Usage: "the Wi-Fi network's `SSID`"},
		&cli.StringFlag{Name: "server", Usage: "where boards find the image server: `HOST:PORT`"},
		&cli.StringFlag{Name: "name", Usage: "the site's `NAME`, a DNS label: boards check radius.NAME and update.NAME for ever", Value: "site"},
		&cli.StringFlag{Name: "radius", Usage: "the `KIND` of RADIUS server: freeradius, or hostapd for a small site", Value: "freeradius"},
		&cli.StringFlag{Name: "radius-listen", Usage: "where the exported RADIUS server listens: `ADDR:PORT`", Value: "0.0.0.0:1812"},
		&cli.StringFlag{Name: "radius-client", Usage: "the `NETWORK` of the access points", Value: "127.0.0.1/32"},
		&cli.StringFlag{Name: "eap", Usage: "`METHODS` of boards that are enrolled without --eap", Value: "tls,peap,ttls"},
		&cli.StringFlag{Name: "credentials", Usage: "`KIND` of the keys of boards and of RADIUS: p256, or rsa2048 for boards with the unmodified loader of 2017", Value: "p256"},
		&cli.StringFlag{Name: "database", Usage: "the registry's `URL`: sqlite:FILE, or postgres://USER@HOST/NAME, a database that exists", Value: "sqlite:tcpboot.db"},
		&cli.StringFlag{Name: "releases", Usage: "the `DIR` of the releases' OCI layout, or oci://HOST/REPOSITORY of a registry", Value: "releases"},
		&cli.StringSliceFlag{Name: "key", Usage: "the key `NAME=URI` is in a key store instead of a file, and is made there unless it is there: boards-ca=pkcs11:… (may be repeated; see key list)"},
		&cli.IntFlag{Name: "roots", Usage: "`N` release roots, 1 to 3, for several holders: release-root, release-root-2, …", Value: 1},
		&cli.IntFlag{Name: "threshold", Usage: "`M` of them must sign a site document", Value: 1},
		&cli.PathFlag{Name: "recovery-code", Usage: "write the code of the recovery copy to `FILE` instead of the terminal"},
	},
	Action: initSite,
}

func initSite(c *cli.Context) error {
	settings, err := initSettings(c)
	if err != nil {
		return err
	}
	dir, err := filepath.Abs(c.Path("site")) // of "": here
	if err != nil {
		return err
	}
	if err := mayBegin(c.Context, &site.Site{Dir: dir, Settings: settings}); err != nil {
		return err
	}
	passphrases, err := newPassphrases(c)
	if err != nil {
		return err
	}
	begun, mark, err := begin(c.Context, dir, settings)
	if err != nil {
		return err
	}
	defer mark.Close()
	m := &maker{ctx: c.Context, cli: c, site: begun, mark: mark, passphrases: passphrases, all: withRoots(c.Int("roots"))}
	if err := m.make(); err != nil {
		return err
	}
	return m.report()
}

func initSettings(c *cli.Context) (site.Settings, error) {
	s := site.Defaults()
	s.Database, s.Releases = c.String("database"), c.String("releases")
	s.Credentials = c.String("credentials")
	s.RADIUS.Kind, s.RADIUS.EAP, s.RADIUS.Listen = c.String("radius"), c.String("eap"), c.String("radius-listen")
	s.RADIUS.Clients = []site.Client{{Name: "access-points", Address: c.String("radius-client"), SecretFile: clientSecretFile}}
	var err error
	if s.Name, err = siteName(c); err != nil {
		return s, err
	}
	if s.SSID, err = flagOrAsk(c, "ssid", "Wi-Fi network (SSID): "); err != nil {
		return s, err
	}
	if s.Server, err = flagOrAsk(c, "server", "Where boards find the image server (HOST:PORT): "); err != nil {
		return s, err
	}
	if s.Keys, err = storedKeys(c.StringSlice("key")); err != nil {
		return s, err
	}
	if err := checkRoots(c); err != nil {
		return s, err
	}
	if err := pki.CheckSite(s.Name); err != nil {
		return s, usageError{err}
	}
	if err := s.Check(); err != nil {
		return s, usageError{err}
	}
	if _, port, _ := net.SplitHostPort(s.Server); port != "" {
		s.Listen = ":" + port
	}
	return s, nil
}

const clientSecretFile = "keys/radius-client.secret"

// newPassphrases reads the file that was named, or asks twice.
func newPassphrases(c *cli.Context) (custody.Passphrases, error) {
	if file := passphraseFile(c); file != "" {
		return readPassphrases(file)
	}
	if !isTerminal(os.Stdin) {
		return nil, usagef("init: keys want a passphrase: --passphrase-file FILE, or a terminal to ask on")
	}
	chosen, err := askTwice(c, "New passphrase for the site's keys: ")
	return func(custody.Role) ([]byte, error) { return chosen, nil }, err
}

// askTwice asks for a new passphrase until somebody types the same one twice.
func askTwice(c *cli.Context, prompt string) ([]byte, error) {
	for {
		first, err := promptSecret(c.Context, prompt)
		if err != nil {
			return nil, err
		}
		again, err := promptSecret(c.Context, "Once more: ")
		if err != nil {
			return nil, err
		}
		if len(first) > 0 && bytes.Equal(first, again) {
			return first, nil
		}
		fmt.Fprintln(os.Stderr, "The two differ, or are empty: once more.")
	}
}

// siteName is --name, or what a person on a terminal chooses: it is for ever.
func siteName(c *cli.Context) (string, error) {
	name := c.String("name")
	if c.IsSet("name") || !isTerminal(os.Stdin) {
		return name, nil
	}
	chosen, err := ask(c, fmt.Sprintf("Site name, which boards will check for ever [%s]: ", name))
	return cmp.Or(chosen, name), err
}

// flagOrAsk is a flag's value, or what a person on a terminal answers.
func flagOrAsk(c *cli.Context, flag, prompt string) (string, error) {
	if v := c.String(flag); v != "" || c.IsSet(flag) {
		return v, nil
	}
	if !isTerminal(os.Stdin) {
		return "", usagef("init: --%s is needed", flag)
	}
	return ask(c, prompt)
}

// ask asks on the terminal.
func ask(c *cli.Context, prompt string) (string, error) {
	fmt.Fprint(os.Stderr, prompt)
	line, err := typed(c.Context, func() ([]byte, error) { return bufio.NewReader(os.Stdin).ReadBytes('\n') }, func() {})
	return strings.TrimRight(string(line), "\r\n"), err
}

// storedKeys reads --key NAME=URI: keys that lie in a key store.
func storedKeys(flags []string) (map[string]string, error) {
	if len(flags) == 0 {
		return nil, nil
	}
	keys := map[string]string{}
	for _, f := range flags {
		name, uri, ok := strings.Cut(f, "=")
		_, known := siteKeyNamed(name)
		switch {
		case !ok || !known:
			return nil, usagef("--key %s: want NAME=URI, and NAME as in `tcpboot key list`", name)
		case custody.Store(uri) == "":
			return nil, usagef("--key %s: want the URI of a key store, such as pkcs11:…; files need no flag", name)
		}
		if err := mayBeStored(name, uri); err != nil {
			return nil, err
		}
		keys[name] = uri
	}
	return keys, nil
}
