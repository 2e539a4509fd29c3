package pki

import (
	"crypto"
	"crypto/x509"
	"strings"
	"testing"

	"github.com/tcpboot/tcpboot/pki/custody"
)

// TestSucceed gives a CA new certificates: with its key, which changes nothing
// for what it issued, and with others, which make it another CA.
func TestSucceed(t *testing.T) {
	rootKey := generate(t)
	first := remake(t, rootKey, generate(t))
	old, err := first.IssueBoard(testMAC, testNow)
	if err != nil {
		t.Fatal(err)
	}
	renewed, err := first.Succeed(rootKey, first.key)
	if err != nil {
		t.Fatal(err)
	}
	if renewed.Number() != 1 || renewed.CA.Equal(first.CA) || IssuerOf(renewed.CA) != IssuerOf(first.CA) {
		t.Errorf("renewed: CA %d %q", renewed.Number(), renewed.CA.Subject.CommonName)
	}
	if err := verified(old.Certificate, renewed); err != nil {
		t.Errorf("a board's certificate under the renewed CA: %v", err)
	}
	for number, a := 2, renewed; number < 12; number++ {
		if a, err = a.Succeed(rootKey, generate(t)); err != nil {
			t.Fatal(err)
		}
		if a, err = LoadAuthority(Boards, "lab", CertificatePEM(a.Root), CertificatePEM(a.CA), a.key, a.templates); err != nil {
			t.Fatal(err)
		}
		c, err := a.IssueBoard(testMAC, testNow)
		if err != nil {
			t.Fatal(err)
		}
		if a.Number() != number || c.Issuer != IssuerOf(a.CA) || c.Admission(0).Issuer != c.Issuer {
			t.Errorf("CA %d, want %d, issuer %s", a.Number(), number, c.Issuer)
		}
		if verified(c.Certificate, a) != nil || verified(old.Certificate, a) == nil || verified(c.Certificate, renewed) == nil {
			t.Errorf("CA %d: certificates are taken for another CA's", number)
		}
	}
}

func TestSucceedRefuses(t *testing.T) {
	rootKey := generate(t)
	a := remake(t, rootKey, generate(t))
	_, err := a.Succeed(generate(t), generate(t))
	wantError(t, err, "boards authority: the key is not that of the root")
	_, err = a.Succeed(rootKey, rootKey)
	wantError(t, err, "the root and the CA have the same key")
	a.templates.CA = strings.Replace(a.templates.CA, `{"commonName"`, `{"organization": "x", "commonName"`, 1)
	_, err = a.Succeed(rootKey, a.key)
	wantError(t, err, "gives the CA another subject")
	if _, err = a.Succeed(rootKey, generate(t)); err != nil {
		t.Errorf("another subject for another key: %v", err)
	}
}

func TestCANumbers(t *testing.T) {
	for name, want := range map[string]int{
		"lab boards CA": 1, "lab boards CA 2": 2, "lab boards CA 17": 17,
		"lab boards CA 1": 1, "lab boards CA 02": 1, "lab boards CA +2": 1, "lab boards CA 2 ": 1, "lab servers CA 2": 1, "": 1,
	} {
		if got := Boards.numberOf("lab", name); got != want {
			t.Errorf("%q: number %d, want %d", name, got, want)
		}
	}
}

func generate(t *testing.T) crypto.Signer {
	t.Helper()
	key, err := custody.Generate(custody.P256)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// remake is an authority whose root's key is known.
func remake(t *testing.T, rootKey, caKey crypto.Signer) *Authority {
	t.Helper()
	a, err := NewAuthority(Boards, "lab", rootKey, caKey, DefaultTemplates())
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func verified(leaf *x509.Certificate, by *Authority) error {
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(by.Root)
	between.AddCert(by.CA)
	_, err := leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, CurrentTime: testNow, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	return err
}
