package main

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
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
	"github.com/tcpboot/tcpboot/release/sign"
	"github.com/tcpboot/tcpboot/release/sitedoc"
)

// A maker makes a site, step by step.
type maker struct {
	ctx         context.Context
	cli         *cli.Context
	site        *site.Site
	mark        *os.File // of the init at work
	passphrases custody.Passphrases
	all         []siteKey // that are to be made
	keys        map[string]crypto.Signer
	authorities map[pki.Hierarchy]*pki.Authority
	code        string   // of the recovery copy
	recovery    [][]byte // the keys under that code, in the order of all
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
	made := make([]madeKey, len(m.all))
	bar := newProgress(m.cli, "making keys")
	defer bar.done()
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	var done atomic.Int32
	for i, k := range m.all {
		group.Go(func() (err error) {
			made[i], err = m.makeKey(k)
			bar.update(int(done.Add(1)), len(m.all))
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	m.keys = map[string]crypto.Signer{}
	for i, k := range m.all {
		if err := m.notTwice(k.name, made[i].key); err != nil {
			return err
		}
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

// notTwice refuses one key of a store for two works.
func (m *maker) notTwice(name string, key crypto.Signer) error {
	public := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	for other, has := range m.keys {
		if public.Equal(has.Public()) {
			return usagef("--key %s: the key there is that of %s too", name, other)
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
		made.key, err = keyStore(m.cli, m.site.Dir).Take(uri, k.role, k.kindIn(m.site.Settings))
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
	roots, signers, err := m.roots()
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
		Roots:      roots,
		Endpoints:  []string{set.Server},
		Names:      sitedoc.Names{RADIUS: pki.RADIUSName(set.Name), Update: pki.UpdateName(set.Name)},
		EAPIssuers: []fleet.Digest{pki.IssuerOf(m.authorities[pki.RADIUS].CA)},
		TLSIssuers: []fleet.Digest{pki.IssuerOf(m.authorities[pki.Servers].CA)},
	}
	signed, err := sitedoc.Sign(doc, signers...)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(m.site.Path("sitedocs"), 0o755); err != nil {
		return err
	}
	return errors.Join(
		m.writeRoots(roots),
		m.appKeys(),
		site.WriteFile(m.site.Path("sitedocs", "1.cose"), signed, 0o644))
}

// appKeys writes the public halves of the image keys: what checks an image.
func (m *maker) appKeys() error {
	for _, k := range m.all {
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
