package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/pem"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tcpboot/tcpboot/pki/custody"
	"github.com/tcpboot/tcpboot/pki/fleet"
)

func TestLoadAuthority(t *testing.T) {
	for _, h := range []Hierarchy{Boards, RADIUS, Servers} {
		for _, kind := range []custody.Kind{custody.P256, custody.P384} {
			made := newTestAuthority(t, h, kind)
			a, err := LoadAuthority(h, "lab", CertificatePEM(made.Root), CertificatePEM(made.CA), made.key, DefaultTemplates())
			if err != nil {
				t.Errorf("%s, %s: %v", h, kind, err)
				continue
			}
			if !a.Root.Equal(made.Root) || !a.CA.Equal(made.CA) {
				t.Errorf("%s, %s: other certificates", h, kind)
			}
		}
	}
}

func TestLoadedAuthorityIssues(t *testing.T) {
	made := newTestAuthority(t, Boards, custody.P256)
	a, err := LoadAuthority(Boards, "lab", CertificatePEM(made.Root), CertificatePEM(made.CA), made.key, DefaultTemplates())
	if err != nil {
		t.Fatal(err)
	}
	c, err := a.IssueBoard(testMAC, testNow)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Certificate.CheckSignatureFrom(made.CA); err != nil {
		t.Error(err)
	}
}

func TestLoadAuthorityRefuses(t *testing.T) {
	boards, other := newTestAuthority(t, Boards, custody.P256), newTestAuthority(t, Boards, custody.P256)
	radius := newTestAuthority(t, RADIUS, custody.P256)
	root, ca := CertificatePEM(boards.Root), CertificatePEM(boards.CA)
	leaf := newChain(t, Boards, custody.P256).leaf
	forged := slices.Clone(boards.Root.Raw)
	forged[len(forged)-1] ^= 1
	for name, row := range map[string]struct {
		h        Hierarchy
		site     string
		root, ca []byte
		key      crypto.Signer
		want     string
	}{
		"another key":               {Boards, "lab", root, ca, other.key, "the key is not that of the CA"},
		"the root of another":       {Boards, "lab", CertificatePEM(other.Root), ca, boards.key, "the CA is not signed by the root"},
		"the CA of another":         {Boards, "lab", root, CertificatePEM(other.CA), other.key, "the CA is not signed by the root"},
		"another hierarchy":         {RADIUS, "lab", root, ca, boards.key, `want "lab RADIUS root"`},
		"another hierarchy's CA":    {Boards, "lab", root, CertificatePEM(radius.CA), radius.key, `want "lab boards CA"`},
		"another site":              {Boards, "farm", root, ca, boards.key, `want "farm boards root"`},
		"no such hierarchy":         {"board", "lab", root, ca, boards.key, `hierarchy "board"`},
		"CA and root exchanged":     {Boards, "lab", ca, root, boards.key, "common name"},
		"a board as CA":             {Boards, "lab", root, CertificatePEM(leaf), boards.key, "common name"},
		"no PEM":                    {Boards, "lab", boards.Root.Raw, ca, boards.key, "root: want one PEM certificate"},
		"two certificates":          {Boards, "lab", root, CertificatePEM(boards.CA, boards.Root), boards.key, "CA: want one PEM certificate"},
		"a root not signed by self": {Boards, "lab", pemOf(forged), ca, boards.key, "the root is not signed by itself"},
		"a broken certificate":      {Boards, "lab", pemOf(forged[:200]), ca, boards.key, "root: x509"},
	} {
		t.Run(name, func(t *testing.T) {
			a, err := LoadAuthority(row.h, row.site, row.root, row.ca, row.key, DefaultTemplates())
			wantError(t, err, row.want)
			if a != nil {
				t.Error("an authority beside the error")
			}
		})
	}
}

func TestNewAuthorityRefuses(t *testing.T) {
	root, ca := testKeys(t, custody.P256)
	p521, err := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string]struct {
		h        Hierarchy
		site     string
		root, ca crypto.Signer
		want     string
	}{
		"no such hierarchy":      {"", "lab", root, ca, `hierarchy ""`},
		"no site":                {Boards, "", root, ca, `site name ""`},
		"a site with dots":       {Boards, "lab.example", root, ca, "site name"},
		"a site in upper case":   {Boards, "Lab", root, ca, "site name"},
		"a hyphen first":         {Boards, "-lab", root, ca, "site name"},
		"a line end":             {Boards, "lab\nCN=x", root, ca, "site name"},
		"a long site":            {Boards, strings.Repeat("x", 51), root, ca, "longer than 50"},
		"one key for both":       {Boards, "lab", root, root, "the same key"},
		"a root key of no kind":  {Boards, "lab", p521, ca, "root: elliptic curve key"},
		"an issuing key of none": {Boards, "lab", root, p521, "CA: elliptic curve key"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := NewAuthority(row.h, row.site, row.root, row.ca, DefaultTemplates())
			wantError(t, err, row.want)
		})
	}
}

func TestIssueRefuses(t *testing.T) {
	boards, radius := newTestAuthority(t, Boards, custody.P256), newTestAuthority(t, RADIUS, custody.P256)
	rsaRADIUS := newTestAuthority(t, RADIUS, custody.RSA3072)
	keyless, err := LoadAuthority(Boards, "lab", CertificatePEM(boards.Root), CertificatePEM(boards.CA), nil, DefaultTemplates())
	if err != nil {
		t.Fatal(err)
	}
	pub := testKey(t, custody.P256).Public()
	p521, err := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	board := func(a *Authority, m fleet.MAC) error {
		_, err := a.IssueBoard(m, testNow)
		return err
	}
	server := func(a *Authority, name string, pub crypto.PublicKey, now time.Time) error {
		_, err := a.IssueServer(name, pub, now)
		return err
	}
	for name, row := range map[string]struct {
		err  error
		want string
	}{
		"a board of the RADIUS hierarchy":  {board(radius, testMAC), "issues no board certificates"},
		"no board":                         {board(boards, fleet.MAC{}), "zero MAC"},
		"a board without the key":          {board(keyless, testMAC), "key of the CA is not here"},
		"a server of the boards hierarchy": {server(boards, "radius.lab", pub, testNow), "issues no server certificates"},
		"a server without a name":          {server(radius, "", pub, testNow), `server name ""`},
		"a wildcard":                       {server(radius, "*.lab", pub, testNow), "server name"},
		"a name in upper case":             {server(radius, "Radius.lab", pub, testNow), "server name"},
		"a long name":                      {server(radius, strings.Repeat("a.", 32)+"a", pub, testNow), "longer than 64"},
		"a server with P-521":              {server(radius, "radius.lab", p521.Public(), testNow), "server: elliptic curve key"},
		"an EC server under an RSA root":   {server(rsaRADIUS, "radius.lab", pub, testNow), "only a server with an RSA key"},
		"a clock of 1970":                  {server(radius, "radius.lab", pub, time.Unix(0, 0)), "the clock says"},
	} {
		t.Run(name, func(t *testing.T) { wantError(t, row.err, row.want) })
	}
}

// A board's own key gets what a key that we made would.
func TestCertifyBoard(t *testing.T) {
	for _, kind := range []custody.Kind{custody.P256, custody.RSA2048} {
		a := newTestAuthority(t, Boards, kind)
		own := testKey(t, kind)
		c, err := a.CertifyBoard(testMAC, own.Public())
		if err != nil {
			t.Fatal(err)
		}
		made, err := a.IssueBoard(testMAC, testNow)
		if err != nil {
			t.Fatal(err)
		}
		if err := boardShape(testMAC.String()).checkIssued(c); err != nil || c.CheckSignatureFrom(a.CA) != nil ||
			!samePublic(c.PublicKey, own.Public()) || c.Subject.String() != made.Certificate.Subject.String() || SerialOf(c) == SerialOf(made.Certificate) {
			t.Errorf("%s: %v: %s", kind, err, c.Subject)
		}
		other := map[custody.Kind]custody.Kind{custody.P256: custody.RSA2048, custody.RSA2048: custody.P256}[kind]
		_, err = a.CertifyBoard(testMAC, testKey(t, other).Public())
		wantError(t, err, "a key of another kind, want "+string(kind))
		_, err = a.CertifyBoard(fleet.MAC{}, own.Public())
		wantError(t, err, "zero MAC")
	}
}

// A signer that is not in this process may be wrong; no board gets what it made.
func TestIssueBoardDistrustsOtherSigners(t *testing.T) {
	root, ca := testKeys(t, custody.P256)
	signer := &remoteSigner{Signer: ca}
	a, err := NewAuthority(Boards, "lab", root, signer, DefaultTemplates())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.IssueBoard(testMAC, testNow); err != nil {
		t.Fatal(err)
	}
	signer.Signer = testKey(t, custody.P256)
	c, err := a.IssueBoard(testMAC, testNow)
	wantError(t, err, "246f28aa1002")
	if c != nil {
		t.Error("a credential beside the error")
	}
}

type remoteSigner struct{ crypto.Signer }

func pemOf(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}
