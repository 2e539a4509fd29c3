package pki

import (
	"crypto/rsa"
	"crypto/x509"
	"strings"
	"testing"

	"github.com/tcpboot/tcpboot/pki/custody"
	"github.com/tcpboot/tcpboot/pki/fleet"
)

// A board has a key of the kind that its hierarchy has, but for sizes that a
// board need not have.
func TestBoardKeyIsOfTheKindOfItsCA(t *testing.T) {
	for ca, want := range map[custody.Kind]custody.Kind{
		custody.P256:    custody.P256,
		custody.P384:    custody.P256,
		custody.RSA2048: custody.RSA2048,
		custody.RSA3072: custody.P256,
	} {
		c, err := newTestAuthority(t, Boards, ca).IssueBoard(testMAC, testNow)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := custody.KindOf(c.Key.Public()); got != want || !samePublic(c.Key.Public(), c.Certificate.PublicKey) {
			t.Errorf("CA %s: a board has %s, %v, want %s, and the certificate's", ca, got, err, want)
		}
	}
}

// The supplicant of 2017 verifies PKCS #1 v1.5 with SHA-256 or older, and no
// other signature: none may stand between a leaf and its root.
func TestRSAHierarchyHasOnlyRSASignatures(t *testing.T) {
	for _, h := range []Hierarchy{Boards, RADIUS} {
		c := newChain(t, h, custody.RSA2048)
		for name, certificate := range map[string]*x509.Certificate{"root": c.Root, "CA": c.CA, "leaf": c.leaf} {
			key, ok := certificate.PublicKey.(*rsa.PublicKey)
			if certificate.SignatureAlgorithm != x509.SHA256WithRSA || !ok || key.N.BitLen() != 2048 {
				t.Errorf("%s %s: %s over a %T", h, name, certificate.SignatureAlgorithm, certificate.PublicKey)
			}
		}
	}
}

// A station of 2017 encrypts to the RADIUS server's key. To nobody else's.
func TestEncipherment(t *testing.T) {
	const both = x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment
	for _, row := range []struct {
		h    Hierarchy
		kind custody.Kind
		want x509.KeyUsage
	}{
		{RADIUS, custody.RSA2048, both},
		{RADIUS, custody.RSA3072, both},
		{RADIUS, custody.P256, x509.KeyUsageDigitalSignature},
		{Servers, custody.RSA2048, x509.KeyUsageDigitalSignature},
		{Boards, custody.RSA2048, x509.KeyUsageDigitalSignature},
	} {
		if got := newChain(t, row.h, row.kind).leaf.KeyUsage; got != row.want {
			t.Errorf("%s, %s: key usage %#x, want %#x", row.h, row.kind, int(got), int(row.want))
		}
	}
}

// A site's own template that forgets the usage is told of it.
func TestTemplateWithoutEncipherment(t *testing.T) {
	root, ca := testKeys(t, custody.RSA2048)
	templates := DefaultTemplates()
	templates.Server = strings.ReplaceAll(templates.Server, ".Encipherment", "false")
	a, err := NewAuthority(RADIUS, "lab", root, ca, templates)
	if err != nil {
		t.Fatal(err)
	}
	_, err = a.IssueServer(RADIUSName("lab"), root.Public(), testNow)
	if err == nil || !strings.Contains(err.Error(), "server template: key usage 0x1: want 0x5") {
		t.Errorf("got %v", err)
	}
}

// The supplicant of 2017 finds a key by these words, and takes PKCS#8 from
// between them.
func TestRSABoardKeyAsOpenSSLReadsIt(t *testing.T) {
	c, err := newTestAuthority(t, Boards, custody.RSA2048).IssueBoard(testMAC, testNow)
	if err != nil {
		t.Fatal(err)
	}
	key, err := c.KeyPEM()
	if err != nil || !strings.HasPrefix(string(key), "-----BEGIN PRIVATE KEY-----\n") {
		t.Fatalf("%.40s, %v", key, err)
	}
	if out, ok := openssl(t, key, "rsa", "-check", "-noout"); !ok || !strings.Contains(out, "RSA key ok") {
		t.Error(out)
	}
	fromKey, _ := openssl(t, key, "pkey", "-pubout")
	if fromCertificate, _ := openssl(t, c.CertificatePEM(), "x509", "-noout", "-pubkey"); fromKey != fromCertificate {
		t.Errorf("the key's public half\n%s\nis not the certificate's\n%s", fromKey, fromCertificate)
	}
	if a := c.Admission(fleet.TLS); a.Serial != SerialOf(c.Certificate) {
		t.Errorf("admits %s", a.Serial)
	}
}
