package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/sync/errgroup"

	"github.com/tcpboot/tcpboot/pki"
	"github.com/tcpboot/tcpboot/pki/custody"
	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/registry"
	"github.com/tcpboot/tcpboot/pki/site"
	"github.com/tcpboot/tcpboot/release/bundle"
	"github.com/tcpboot/tcpboot/release/cose"
	"github.com/tcpboot/tcpboot/release/sign"
	"github.com/tcpboot/tcpboot/release/sitedoc"
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
		&cli.StringSliceFlag{Name: "key", Usage: "make the key `NAME=URI` in a key store instead of a file: boards-ca=pkcs11:… (may be repeated; see key list)"},
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
	m := &maker{ctx: c.Context, cli: c, site: begun, mark: mark, passphrases: passphrases}
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
	if err := errors.Join(pki.CheckSite(s.Name), s.Check()); err != nil {
		return s, usageError{err}
	}
	if _, port, _ := net.SplitHostPort(s.Server); port != "" {
		s.Listen = ":" + port
	}
	return s, nil
}

const clientSecretFile = "keys/radius-client.secret"

// unfinished marks a folder in which an init is at work, which holds a lock on
// it, or was. Its first line is the database that this init began to make, its
// second one the mark that a registry on PostgreSQL bears then: what they name is
// init's own. A file is cleared away by the next init, which goes on with a registry
// on PostgreSQL instead: nothing is ever removed from a server. A folder with keys
// or a registry but neither settings nor this mark is somebody's, and is left alone.
const unfinished = ".init"

// A beginning is what the mark says.
type beginning struct{ database, mark string }

func readBeginning(text []byte) (b beginning) {
	var rest string
	b.database, rest, _ = strings.Cut(string(text), "\n")
	b.mark, _, _ = strings.Cut(rest, "\n")
	return b
}

// write puts b into the mark. It overwrites before it cuts off: whoever is killed
// in between has not lost the way back to a registry on a server.
func (b beginning) write(mark *os.File) error {
	text := b.database + "\n" + b.mark + "\n"
	if _, err := mark.WriteAt([]byte(text), 0); err != nil {
		return err
	}
	return errors.Join(mark.Truncate(int64(len(text))), mark.Sync())
}

// forgetInit removes the mark from a site that is made. Every verb that changes
// the site does so too, in case that init was killed right behind its moment.
func forgetInit(s *site.Site) error {
	if err := os.Remove(s.Path(unfinished)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// mayBegin refuses a folder that is a site, or that may have been one, and a
// database that no earlier init has begun to make here.
func mayBegin(ctx context.Context, s *site.Site) error {
	if exists(s.Path(site.SettingsFile)) {
		return fmt.Errorf("%w: %s", site.ErrExists, s.Path(site.SettingsFile))
	}
	text, err := os.ReadFile(s.Path(unfinished))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if errors.Is(err, fs.ErrNotExist) {
		for _, precious := range []string{"tcpboot.db", "keys/boards-ca.pem", "releases/index.json"} {
			if exists(s.Path(precious)) {
				return &remnantsError{s.Path(precious)}
			}
		}
	}
	begun := readBeginning(text)
	if file, ok := databaseFile(s); ok && exists(file) && s.Settings.Database != begun.database {
		return &remnantsError{file}
	}
	return registry.Vacant(ctx, databaseURL(s), begun.mark)
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// databaseFile is the registry's file; false says that it lies on a server.
func databaseFile(s *site.Site) (string, bool) { return strings.CutPrefix(databaseURL(s), "sqlite:") }

// begin makes the folders, and clears away what a killed init left. Until mark is
// closed nobody else begins here.
func begin(ctx context.Context, dir string, settings site.Settings) (s *site.Site, mark *os.File, err error) {
	if s, err = site.Create(dir, settings); err != nil {
		return nil, nil, err
	}
	mark, err = site.TryLockFile(s.Path(unfinished))
	if errors.Is(err, site.ErrLocked) {
		return nil, nil, fmt.Errorf("%s: another init is at work here", s.Dir)
	}
	if err != nil {
		return nil, nil, err
	}
	if err := startOver(ctx, s, mark); err != nil {
		mark.Close()
		return nil, nil, err
	}
	return s, mark, nil
}

// startOver clears away what the mark says was begun, and marks what begins now.
// It looks again whether it may: another init can have come and gone meanwhile.
func startOver(ctx context.Context, s *site.Site, mark *os.File) error {
	if err := mayBegin(ctx, s); err != nil {
		if errors.Is(err, site.ErrExists) {
			err = errors.Join(err, forgetInit(s)) // the mark is of our making
		}
		return err
	}
	text, err := io.ReadAll(mark)
	if err != nil {
		return err
	}
	begun := readBeginning(text)
	earlier := &site.Site{Dir: s.Dir, Settings: site.Settings{Database: begun.database}}
	if file, ok := databaseFile(earlier); ok {
		if err := removeDatabase(file); err != nil {
			return err
		}
	}
	return beginning{s.Settings.Database, cmp.Or(begun.mark, rand.Text())}.write(mark)
}

// removeDatabase removes a SQLite database, whole or begun.
func removeDatabase(file string) error {
	begun, err := filepath.Glob(globQuote(file) + ".new-*")
	if err != nil {
		return err
	}
	for _, name := range append(begun, file, file+"-wal", file+"-shm") {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// globQuote is the pattern that matches path alone.
func globQuote(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

// A remnantsError says that a folder holds a site's parts, but no settings.
type remnantsError struct{ path string }

func (e *remnantsError) Error() string {
	return fmt.Sprintf("%s is there, but no %s beside it: this may be a site that lost its settings", e.path, site.SettingsFile)
}

// newPassphrases reads the file that was named, or asks twice.
func newPassphrases(c *cli.Context) (custody.Passphrases, error) {
	if file := c.Path("passphrase-file"); file != "" {
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

// A maker makes a site, step by step.
type maker struct {
	ctx         context.Context
	cli         *cli.Context
	site        *site.Site
	mark        *os.File // of the init at work
	passphrases custody.Passphrases
	keys        map[string]crypto.Signer
	authorities map[pki.Hierarchy]*pki.Authority
	code        string   // of the recovery copy
	recovery    [][]byte // the keys under that code, in the order of siteKeys
	codeFile    string   // where it was written, "" when it is to be shown
}

// make is the story of init. Nothing counts before the last step.
func (m *maker) make() error {
	for _, step := range []func() error{
		m.makeKeys,
		m.makeRecovery,
		m.makeCertificates,
		m.makeClientSecret,
		m.makeSiteDocument,
		m.makeReleases,
		m.makeRegistry,
		m.makeIgnore,
		m.site.Commit, // the moment
		func() error { return forgetInit(m.site) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// makeKeys makes every key and encrypts it twice: under its role's passphrase,
// and under the code of the recovery copy. Stretching passphrases is most of the
// work, so all cores share it.
func (m *maker) makeKeys() error {
	m.code = newCode()
	made := make([]madeKey, len(siteKeys))
	bar := newProgress(m.cli, "making keys")
	defer bar.done()
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	var done atomic.Int32
	for i, k := range siteKeys {
		group.Go(func() (err error) {
			made[i], err = m.makeKey(k)
			bar.update(int(done.Add(1)), len(siteKeys))
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	m.keys = map[string]crypto.Signer{}
	for i, k := range siteKeys {
		m.keys[k.name] = made[i].key
		m.recovery = append(m.recovery, made[i].recovery)
		if made[i].sealed == nil {
			continue // it lies in a key store
		}
		if err := site.WriteFile(m.site.Path("keys", k.name+".pem"), made[i].sealed, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// A madeKey is a key with its two encrypted forms.
type madeKey struct {
	key              crypto.Signer
	sealed, recovery []byte
}

func (m *maker) makeKey(k siteKey) (made madeKey, err error) {
	if uri := m.site.Settings.Keys[k.name]; uri != "" {
		made.key, err = keyStore(m.cli, m.site.Dir).Create(uri, k.kindIn(m.site.Settings))
		return made, err
	}
	if made.key, err = custody.Generate(k.kindIn(m.site.Settings)); err != nil {
		return made, err
	}
	passphrase, err := m.passphrases(k.role)
	if err != nil {
		return made, err
	}
	if made.sealed, err = custody.Seal(made.key, passphrase); err != nil {
		return made, err
	}
	made.recovery, err = custody.Seal(made.key, []byte(m.code))
	return made, err
}

// makeCertificates makes the three hierarchies and the two servers' certificates.
func (m *maker) makeCertificates() error {
	t, err := siteTemplates(m.site)
	if err != nil {
		return err
	}
	m.authorities = map[pki.Hierarchy]*pki.Authority{}
	for _, h := range []pki.Hierarchy{pki.Boards, pki.RADIUS, pki.Servers} {
		a, err := pki.NewAuthority(h, m.site.Settings.Name, m.keys[string(h)+"-root"], m.keys[string(h)+"-ca"], t)
		if err != nil {
			return err
		}
		m.authorities[h] = a
		if err := errors.Join(m.certificate(string(h)+"-root", a.Root), m.certificate(string(h)+"-ca", a.CA)); err != nil {
			return err
		}
	}
	name := m.site.Settings.Name
	return errors.Join(
		m.server(pki.RADIUS, pki.RADIUSName(name), "radius"),
		m.server(pki.Servers, pki.UpdateName(name), "server"))
}

func (m *maker) server(h pki.Hierarchy, dnsName, key string) error {
	c, err := m.authorities[h].IssueServer(dnsName, m.keys[key].Public(), time.Now())
	if err != nil {
		return err
	}
	return m.certificate(key, c)
}

func (m *maker) certificate(name string, c *x509.Certificate) error {
	return site.WriteFile(m.site.Path("certs", name+".pem"), pki.CertificatePEM(c), 0o644)
}

// makeClientSecret makes what access points and the RADIUS server share.
func (m *maker) makeClientSecret() error {
	return site.WriteFile(m.site.Path(clientSecretFile), []byte(rand.Text()+"\n"), 0o600)
}

// makeSiteDocument signs epoch 1: which key may sign manifests.
func (m *maker) makeSiteDocument() error {
	root, err := sign.NewRoot(m.keys["release-root"])
	if err != nil {
		return err
	}
	release, err := sign.NewRelease(m.keys["release"])
	if err != nil {
		return err
	}
	set := m.site.Settings
	doc := &sitedoc.Doc{
		Site: set.Name, Epoch: 1,
		Keys: []sitedoc.ReleaseKey{
			{Key: release.Key(), Kind: sitedoc.Firmware},
			{Key: release.Key(), Kind: sitedoc.Loader},
		},
		Roots:      sitedoc.Roots{Keys: []cose.Key{root.Key()}, Threshold: 1},
		Endpoints:  []string{set.Server},
		Names:      sitedoc.Names{RADIUS: pki.RADIUSName(set.Name), Update: pki.UpdateName(set.Name)},
		EAPIssuers: []fleet.Digest{pki.IssuerOf(m.authorities[pki.RADIUS].CA)},
		TLSIssuers: []fleet.Digest{pki.IssuerOf(m.authorities[pki.Servers].CA)},
	}
	signed, err := sitedoc.Sign(doc, root)
	if err != nil {
		return err
	}
	text, err := sign.MarshalKey(root.Key())
	if err != nil {
		return err
	}
	if err := os.MkdirAll(m.site.Path("sitedocs"), 0o755); err != nil {
		return err
	}
	return errors.Join(
		site.WriteFile(m.site.Path("certs", "release-root.pub.pem"), text, 0o644),
		m.appKeys(),
		site.WriteFile(m.site.Path("sitedocs", "1.cose"), signed, 0o644))
}

// appKeys writes the public halves of the image keys: what checks an image.
func (m *maker) appKeys() error {
	for _, k := range siteKeys {
		if k.role != custody.App {
			continue
		}
		text, err := publicPEM(m.keys[k.name].Public())
		if err != nil {
			return err
		}
		if err := site.WriteFile(m.site.Path("certs", k.name+".pub.pem"), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func (m *maker) makeReleases() error {
	_, err := bundle.Create(releasesDir(m.site))
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

// gitignore keeps secrets out of a repository that somebody makes of a site:
// settings, certificates and releases may be committed, nothing else.
const gitignore = `/*
!/.gitignore
!/tcpboot.yaml
!/certs/
!/sitedocs/
!/templates/
!/releases/
`

func (m *maker) makeIgnore() error {
	return site.WriteFile(m.site.Path(".gitignore"), []byte(gitignore), 0o644)
}

func (m *maker) makeRegistry() error {
	text, err := os.ReadFile(m.site.Path(unfinished))
	if err != nil {
		return err
	}
	f, err := registry.Create(m.ctx, databaseURL(m.site), registry.Options{Who: whoami(), Now: time.Now, Mark: readBeginning(text).mark})
	if errors.Is(err, fs.ErrExist) { // somebody made it since we looked: it is not ours to clear away
		err = errors.Join(err, m.mark.Truncate(0))
	}
	if err != nil {
		return err
	}
	err = f.Record(m.ctx, "site.init", m.site.Settings.Name, `{}`)
	head, headErr := headOf(m.ctx, m.site, f) // in place of that of an init that was killed
	if headErr == nil {
		headErr = writeHead(m.site, head)
	}
	return errors.Join(err, headErr, f.Close())
}

func (m *maker) report() error {
	out := map[string]string{"site": m.site.Dir, "name": m.site.Settings.Name, "recovery": m.site.Path(recoveryFile), "recovery_code_file": m.codeFile}
	return answer(m.cli, out, func(w io.Writer) {
		fmt.Fprintf(w, "Site %s in %s\n", m.site.Settings.Name, m.site.Dir)
		if m.site.Settings.Credentials == rsaCredentials {
			fmt.Fprintln(w, "Boards and RADIUS have RSA keys, and RADIUS goes down to TLS 1.0: the unmodified loader of 2017 can do no more.")
		}
		fmt.Fprintf(w, "Recovery copy of all keys: %s\n", m.site.Path(recoveryFile))
		if m.codeFile != "" {
			fmt.Fprintf(w, "Its code: %s. Keep code and copy apart, and off this machine;\nthen prove them: tcpboot key check --recovery\n", m.codeFile)
		} else {
			fmt.Fprintf(w, "Its code, shown only now:\n\n    %s\n\nWrite it down; prove it with `tcpboot key check --recovery`.\n", m.code)
		}
	})
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

// storedKeys reads --key NAME=URI: keys that init makes in a key store. Images
// are signed with RSA-PSS by most chips' loaders, which the helpers' protocol
// cannot ask for; such a key is refused now rather than at the first release.
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
		case custody.CheckStored(uri) != nil:
			return nil, usageError{fmt.Errorf("--key %s: %w", name, custody.CheckStored(uri))}
		case name == "app-rsa3072":
			return nil, usagef("--key %s: RSA-PSS signatures cannot be asked of a key store yet", name)
		}
		keys[name] = uri
	}
	return keys, nil
}
