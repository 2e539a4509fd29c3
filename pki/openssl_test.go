package pki

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/tcpboot/tcpboot/pki/custody"
	"github.com/tcpboot/tcpboot/pki/fleet"
)

var update = flag.Bool("update", false, "write the golden files anew")

var (
	testMAC = fleet.MAC{0x24, 0x6f, 0x28, 0xaa, 0x10, 0x02}
	testNow = time.Date(2026, 11, 21, 10, 30, 0, 0, time.UTC)
)

// openssl runs the program on input; it reports what it prints and whether it
// was content.
func openssl(t testing.TB, input []byte, args ...string) (string, bool) {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Fatal("openssl is needed to judge certificates: ", err)
	}
	cmd := exec.Command("openssl", args...)
	cmd.Stdin = bytes.NewReader(input)
	out, err := cmd.CombinedOutput()
	return string(out), err == nil
}

func writeFile(t testing.TB, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// A chain is an authority with one leaf that it issued.
type chain struct {
	*Authority
	leaf    *x509.Certificate
	purpose string
}

func newChain(t testing.TB, h Hierarchy, k custody.Kind) chain {
	t.Helper()
	a := newTestAuthority(t, h, k)
	if h == Boards {
		c, err := a.IssueBoard(testMAC, testNow)
		if err != nil {
			t.Fatal(err)
		}
		return chain{a, c.Certificate, "sslclient"}
	}
	name := RADIUSName("lab")
	if h == Servers {
		name = UpdateName("lab")
	}
	leafKey := a.CA.PublicKey // of the right kind, whoever has it
	return chain{a, issueServer(t, a, name, leafKey), "sslserver"}
}

func issueServer(t testing.TB, a *Authority, name string, pub crypto.PublicKey) *x509.Certificate {
	t.Helper()
	c, err := a.IssueServer(name, pub, testNow)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Every leaf holds for its own root and purpose, and for no other.
func TestChainsAsOpenSSLAndGoSeeThem(t *testing.T) {
	for _, kind := range []custody.Kind{custody.P256, custody.P384, custody.RSA2048, custody.RSA3072} {
		t.Run(string(kind), func(t *testing.T) {
			chains := []chain{newChain(t, Boards, kind), newChain(t, RADIUS, kind), newChain(t, Servers, kind)}
			for _, leaf := range chains {
				for _, root := range chains {
					for _, purpose := range []string{"sslclient", "sslserver"} {
						want := leaf.hierarchy == root.hierarchy && leaf.purpose == purpose
						if got := opensslVerifies(t, leaf, root.Root, purpose); got != want {
							t.Errorf("openssl: a certificate of %s under the root of %s as %s: %t, want %t", leaf.hierarchy, root.hierarchy, purpose, got, want)
						}
						if got := goVerifies(leaf, root.Root, purpose); got != want {
							t.Errorf("Go: a certificate of %s under the root of %s as %s: %t, want %t", leaf.hierarchy, root.hierarchy, purpose, got, want)
						}
					}
				}
			}
		})
	}
}

func opensslVerifies(t *testing.T, c chain, root *x509.Certificate, purpose string) bool {
	rootFile := writeFile(t, "root.pem", CertificatePEM(root))
	caFile := writeFile(t, "ca.pem", CertificatePEM(c.CA))
	_, ok := openssl(t, CertificatePEM(c.leaf), "verify", "-x509_strict", "-purpose", purpose, "-CAfile", rootFile, "-untrusted", caFile)
	return ok
}

func goVerifies(c chain, root *x509.Certificate, purpose string) bool {
	usage := map[string]x509.ExtKeyUsage{"sslclient": x509.ExtKeyUsageClientAuth, "sslserver": x509.ExtKeyUsageServerAuth}
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(root)
	between.AddCert(c.CA)
	_, err := c.leaf.Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: between, CurrentTime: testNow,
		KeyUsages: []x509.ExtKeyUsage{usage[purpose]},
	})
	return err == nil
}

// RADIUS servers are given the boards CA without its root.
func TestBoardHoldsUnderTheCAAlone(t *testing.T) {
	c := newChain(t, Boards, custody.P256)
	caFile := writeFile(t, "ca.pem", CertificatePEM(c.CA))
	if out, ok := openssl(t, CertificatePEM(c.leaf), "verify", "-purpose", "sslclient", "-partial_chain", "-CAfile", caFile); !ok {
		t.Error(out)
	}
}

// The last day of the calendar, and a clock that never left 1970.
func TestBoardHoldsAtAnyTime(t *testing.T) {
	c := newChain(t, Boards, custody.P256)
	caFile := writeFile(t, "ca.pem", CertificatePEM(c.CA))
	for name, at := range map[string]string{"power-on": "0", "9999": "253402300798"} {
		if out, ok := openssl(t, CertificatePEM(c.leaf), "verify", "-attime", at, "-partial_chain", "-CAfile", caFile); !ok {
			t.Errorf("%s: %s", name, out)
		}
	}
}

// keyIdentifier differs from run to run.
var keyIdentifier = regexp.MustCompile(`([0-9A-F]{2}:){19}[0-9A-F]{2}`)

func TestCertificatesAsOpenSSLPrintsThem(t *testing.T) {
	for _, h := range []Hierarchy{Boards, RADIUS, Servers} {
		c := newChain(t, h, custody.P256)
		for name, certificate := range map[string]*x509.Certificate{"root": c.Root, "ca": c.CA, "leaf": c.leaf} {
			t.Run(string(h)+" "+name, func(t *testing.T) {
				text, ok := openssl(t, CertificatePEM(certificate), "x509", "-noout", "-text", "-certopt", "no_serial,no_pubkey,no_sigdump")
				if !ok {
					t.Fatal(text)
				}
				golden(t, string(h)+"-"+name+".txt", keyIdentifier.ReplaceAllString(text, "(20 bytes)"))
			})
		}
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
	}
}

func TestSerialsAsOpenSSLPrintsThem(t *testing.T) {
	a := newTestAuthority(t, Boards, custody.P256)
	for high := false; !high; { // the first serial that needs a zero byte in DER
		c, err := a.IssueBoard(testMAC, testNow)
		if err != nil {
			t.Fatal(err)
		}
		serial := c.Admission(fleet.TLS).Serial
		high = serial[0]&0x80 != 0
		out, _ := openssl(t, c.CertificatePEM(), "x509", "-noout", "-serial")
		if want := "serial=" + strings.ToUpper(serial.String()) + "\n"; out != want {
			t.Errorf("openssl prints %q, we %q", out, want)
		}
		if back, err := fleet.ParseSerial(serial.String()); err != nil || back != serial {
			t.Errorf("ParseSerial(%s) = %v, %v", serial, back, err)
		}
	}
}

func TestOpenSSLReadsTheBoardKey(t *testing.T) {
	a := newTestAuthority(t, Boards, custody.P256)
	c, err := a.IssueBoard(testMAC, testNow)
	if err != nil {
		t.Fatal(err)
	}
	key, err := c.KeyPEM()
	if err != nil {
		t.Fatal(err)
	}
	fromKey, ok := openssl(t, key, "pkey", "-pubout")
	fromCertificate, _ := openssl(t, c.CertificatePEM(), "x509", "-noout", "-pubkey")
	if !ok || fromKey != fromCertificate {
		t.Errorf("the key's public half\n%s\nis not the certificate's\n%s", fromKey, fromCertificate)
	}
}
