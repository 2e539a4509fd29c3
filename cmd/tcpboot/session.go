package main

import (
	"bytes"
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"

	"github.com/tcpboot/tcpboot/pki"
	"github.com/tcpboot/tcpboot/pki/registry"
	"github.com/tcpboot/tcpboot/pki/site"
)

var globalFlags = []cli.Flag{
	&cli.PathFlag{Name: "site", Usage: "the site's `DIR` (default: the nearest folder upwards with tcpboot.yaml)", EnvVars: []string{"TCPBOOT_SITE"}},
	&cli.BoolFlag{Name: "json", Usage: "one JSON document on stdout"},
	&cli.BoolFlag{Name: "quiet", Usage: "no talk on stderr", Aliases: []string{"q"}},
	&cli.PathFlag{Name: "passphrase-file", Usage: "read key passphrases from `FILE`: one line for all roles, or lines `role: passphrase`", EnvVars: []string{"TCPBOOT_PASSPHRASE_FILE"}},
	&cli.PathFlag{Name: "helpers", Usage: "the helpers for key stores lie in `DIR` (default: beside tcpboot, then /usr/lib/tcpboot)", EnvVars: []string{"TCPBOOT_HELPERS"}},
}

// A session is one run of a verb upon one site.
type session struct {
	cli   *cli.Context
	site  *site.Site
	fleet *registry.Fleet
	keys  *keyring

	depot    *depot     // nil until layout opens it
	finished *keyChange // that was cut off, and is in place since this verb began
}

// withSite opens the site and its registry for a verb, and closes them after it.
func withSite(verb func(*session) error) cli.ActionFunc {
	return func(c *cli.Context) error { return inSite(c, writing(), verb) }
}

// writing are the options of whoever may change the registry.
func writing() registry.Options { return registry.Options{Who: whoami(), Now: time.Now} }

// readingSite is withSite for verbs that change nothing.
func readingSite(verb func(*session) error) cli.ActionFunc {
	return func(c *cli.Context) error {
		return inSite(c, registry.Options{Who: whoami(), Now: time.Now, ReadOnly: true}, verb)
	}
}

func inSite(c *cli.Context, o registry.Options, verb func(*session) error) (err error) {
	dir, err := siteDir(c)
	if err != nil {
		return err
	}
	s := &session{cli: c}
	if s.site, err = site.Open(dir); err != nil {
		return err
	}
	if !o.ReadOnly {
		if err := s.site.Writable(); err != nil {
			return err
		}
		if err := forgetInit(s.site); err != nil {
			return err
		}
	}
	if s.keys, err = newKeyring(c, dir, s.site.Settings.Keys); err != nil {
		return err
	}
	s.keys.ours = s.matchesPublic
	if err := s.open(o); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.fleet.Close()) }()
	if err := s.checkHead(); err != nil {
		return err
	}
	if err := s.settleKeys(o.ReadOnly); err != nil {
		return err
	}
	if !o.ReadOnly {
		defer func() { err = errors.Join(err, keepHead(context.WithoutCancel(c.Context), s.site, s.fleet)) }()
	}
	return verb(s)
}

// open opens the registry. Whoever may change it keeps what the RADIUS server
// reads up to date as well, on a site where that is a file of its own.
func (s *session) open(o registry.Options) (err error) {
	if file := mirrorFile(s.site); file != "" && !o.ReadOnly {
		if err := s.lookFirst(); err != nil {
			return err
		}
		o.RADIUS = file
		if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
			return err
		}
	}
	s.fleet, err = registry.Open(s.ctx(), databaseURL(s.site), o)
	return err
}

// lookFirst refuses an old copy of the registry before anything is made of it: a
// mirror that has to be made again would admit whom it does.
func (s *session) lookFirst() (err error) {
	if s.fleet, err = registry.Open(s.ctx(), databaseURL(s.site), writing()); err != nil {
		return err
	}
	return errors.Join(s.checkHead(), s.fleet.Close())
}

func siteDir(c *cli.Context) (string, error) {
	if dir := c.Path("site"); dir != "" {
		return dir, nil
	}
	here, err := os.Getwd()
	if err != nil {
		return "", err
	}
	return site.Find(here)
}

func (s *session) ctx() context.Context { return s.cli.Context }

// databaseURL is where the registry lies; a relative file lies in the site.
func databaseURL(s *site.Site) string { return absoluteURL(s, s.Settings.Database) }

func absoluteURL(s *site.Site, url string) string {
	if file, ok := strings.CutPrefix(url, "sqlite:"); ok && !filepath.IsAbs(file) {
		return "sqlite:" + s.Path(file)
	}
	return url
}

// authority loads one hierarchy. Its issuing key is opened only for work that
// signs: most verbs need the certificates alone.
func (s *session) authority(h pki.Hierarchy, signs bool) (*pki.Authority, error) {
	var key crypto.Signer
	if signs {
		var err error
		if key, err = s.keys.open(string(h) + "-ca"); err != nil {
			return nil, err
		}
	}
	return s.loadAuthority(h, string(h)+"-ca", key)
}

// loadAuthority loads one hierarchy with the issuing CA of that name.
func (s *session) loadAuthority(h pki.Hierarchy, name string, key crypto.Signer) (*pki.Authority, error) {
	root, err := os.ReadFile(s.site.Path("certs", string(h)+"-root.pem"))
	if err != nil {
		return nil, err
	}
	ca, err := os.ReadFile(s.site.Path("certs", name+".pem"))
	if err != nil {
		return nil, err
	}
	t, err := siteTemplates(s.site)
	if err != nil {
		return nil, err
	}
	return pki.LoadAuthority(h, s.site.Settings.Name, root, ca, key, t)
}

// whoami names the person for the audit trail.
func whoami() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return fmt.Sprintf("uid %d", os.Getuid())
}

// say tells people something on stderr, unless they asked for quiet.
func say(c *cli.Context, format string, a ...any) {
	if !c.Bool("quiet") {
		fmt.Fprintf(c.App.ErrWriter, format+"\n", a...)
	}
}

// answer prints the answer: v as one JSON document where --json was asked for,
// else what text writes.
func answer(c *cli.Context, v any, text func(w io.Writer)) error {
	var out bytes.Buffer
	if c.Bool("json") {
		enc := json.NewEncoder(&out)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		if err := enc.Encode(v); err != nil {
			return err
		}
	} else {
		text(&out)
	}
	_, err := out.WriteTo(c.App.Writer)
	return err
}

// isTerminal reports whether f is a terminal, where people look on.
func isTerminal(f any) bool {
	file, ok := f.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// wantArgs refuses a wrong number of arguments.
func wantArgs(c *cli.Context, n int, what string) error {
	if c.NArg() != n {
		return usagef("%s: want %s, got %d", verbName(c), what, c.NArg())
	}
	return nil
}

// wantAddress refuses what a flag says instead of ADDR:PORT.
func wantAddress(c *cli.Context, name string) error {
	if _, _, err := net.SplitHostPort(c.String(name)); err != nil && c.IsSet(name) {
		return usageError{fmt.Errorf("--%s: %w", name, err)}
	}
	return nil
}

// wantFlag refuses to go on without a flag. It does what cli's Required would,
// which is not told apart from failures and explains itself on stdout.
func wantFlag(c *cli.Context, name string) error {
	if c.String(name) == "" {
		return usagef("%s: --%s is needed", verbName(c), name)
	}
	return nil
}
