package pki

import (
	"slices"
	"strings"
	"testing"
	"time"

	"crypto/x509"

	"github.com/tcpboot/tcpboot/pki/custody"
)

func TestIssueResponder(t *testing.T) {
	a := newTestAuthority(t, Boards, custody.P256)
	key, err := custody.Generate(custody.P256)
	if err != nil {
		t.Fatal(err)
	}
	c, err := a.IssueResponder(key.Public(), testNow)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.CheckSignatureFrom(a.CA); err != nil {
		t.Error(err)
	}
	if !slices.Equal(c.ExtKeyUsage, []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning}) || c.KeyUsage != x509.KeyUsageDigitalSignature || c.IsCA {
		t.Errorf("usage %v, %v, CA %t", c.ExtKeyUsage, c.KeyUsage, c.IsCA)
	}
	if want := testNow.AddDate(0, 0, 90); !c.NotAfter.Equal(want.Truncate(time.Second)) {
		t.Errorf("valid until %s, want %s", c.NotAfter, want)
	}
	text, ok := openssl(t, CertificatePEM(c), "x509", "-noout", "-text")
	if !ok || !strings.Contains(text, "OCSP No Check") || !strings.Contains(text, "CN = "+ResponderName(a.site)) {
		t.Errorf("openssl: %t\n%s", ok, text)
	}
	roots, cas := writeFile(t, "root.pem", CertificatePEM(a.Root)), writeFile(t, "ca.pem", CertificatePEM(a.CA))
	for purpose, want := range map[string]bool{"ocsphelper": true, "sslclient": false, "sslserver": false} {
		out, ok := openssl(t, CertificatePEM(c), "verify", "-purpose", purpose, "-CAfile", roots, "-untrusted", cas)
		if ok != want {
			t.Errorf("openssl verify for %s: %t, want %t\n%s", purpose, ok, want, out)
		}
	}
}

func TestIssueResponderRefuses(t *testing.T) {
	boards := newTestAuthority(t, Boards, custody.P256)
	key, err := custody.Generate(custody.P256)
	if err != nil {
		t.Fatal(err)
	}
	public, err := LoadAuthority(Boards, boards.site, CertificatePEM(boards.Root), CertificatePEM(boards.CA), nil, DefaultTemplates())
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name string
		err  func() error
		want string
	}{
		{"of the servers", func() error {
			_, err := newTestAuthority(t, Servers, custody.P256).IssueResponder(key.Public(), testNow)
			return err
		}, "no OCSP responder"},
		{"without the CA's key", func() error { _, err := public.IssueResponder(key.Public(), testNow); return err }, "not here"},
		{"by a lost clock", func() error { _, err := boards.IssueResponder(key.Public(), time.Unix(0, 0)); return err }, "clock"},
		{"with the CA's own key", func() error { _, err := boards.IssueResponder(boards.CA.PublicKey, testNow); return err }, "of its own"},
		{"with no key", func() error { _, err := boards.IssueResponder(nil, testNow); return err }, "OCSP responder"},
	} {
		if err := row.err(); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: error %v, want one with %q", row.name, err, row.want)
		}
	}
}
