package pki

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tcpboot/tcpboot/pki/custody"
	"github.com/tcpboot/tcpboot/pki/fleet"
)

func serial(first byte) fleet.Serial { return fleet.Serial{first, 15: 1} }

var testRevocations = []Revocation{
	{Serial: serial(0xfe), Time: testNow.Add(-time.Hour), Reason: "retired", Final: true},
	{Serial: serial(0x01), Time: testNow.Add(-2 * time.Hour), Reason: "lost", Final: true},
	{Serial: serial(0x80), Time: testNow.Add(-3 * time.Hour), Reason: "rotated"},
	{Serial: serial(0x7f), Time: testNow.Add(-4 * time.Hour), Reason: "no word of ours", Final: true},
}

func makeCRL(t testing.TB, a *Authority, list []Revocation) []byte {
	t.Helper()
	der, _, err := a.CRL(list, 7, time.Time{}, testNow)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func crlPEM(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der})
}

func TestCRLAsOpenSSLPrintsIt(t *testing.T) {
	a := newTestAuthority(t, Boards, custody.P256)
	caFile := writeFile(t, "ca.pem", CertificatePEM(a.CA))
	text, ok := openssl(t, crlPEM(makeCRL(t, a, testRevocations)), "crl", "-noout", "-text", "-verify", "-CAfile", caFile)
	if !ok || !strings.Contains(text, "verify OK") {
		t.Fatalf("openssl does not verify it:\n%s", text)
	}
	text, _, _ = strings.Cut(text, "    Signature Algorithm: ecdsa-with-SHA256\n    Signature Value:")
	golden(t, "crl.txt", keyIdentifier.ReplaceAllString(text, "(20 bytes)"))
}

func TestCRLStopsTheRevokedAlone(t *testing.T) {
	a := newTestAuthority(t, Boards, custody.P256)
	live, err := a.IssueBoard(testMAC, testNow)
	if err != nil {
		t.Fatal(err)
	}
	lost, err := a.IssueBoard(testMAC, testNow)
	if err != nil {
		t.Fatal(err)
	}
	crl := crlPEM(makeCRL(t, a, []Revocation{{Serial: SerialOf(lost.Certificate), Time: testNow, Reason: "lost", Final: true}}))
	caFile := writeFile(t, "ca.pem", append(CertificatePEM(a.CA), crl...))
	verify := []string{"verify", "-partial_chain", "-crl_check", "-attime", strconv.FormatInt(testNow.Unix(), 10), "-CAfile", caFile}
	if out, ok := openssl(t, live.CertificatePEM(), verify...); !ok {
		t.Errorf("a live credential: %s", out)
	}
	if out, ok := openssl(t, lost.CertificatePEM(), verify...); ok || !strings.Contains(out, "certificate revoked") {
		t.Errorf("a lost credential: %s", out)
	}
}

func TestCRLIsTheSameTwice(t *testing.T) {
	for _, kind := range []custody.Kind{custody.P256, custody.P384, custody.RSA3072} {
		a := newTestAuthority(t, Boards, kind)
		other := slices.Clone(testRevocations)
		slices.Reverse(other)
		if !bytes.Equal(makeCRL(t, a, testRevocations), makeCRL(t, a, other)) {
			t.Errorf("%s: two renderings of one list differ", kind)
		}
		if slices.Equal(other, testRevocations) || testRevocations[0].Serial != serial(0xfe) {
			t.Errorf("%s: the caller's list was sorted", kind)
		}
	}
}

func TestCRLDates(t *testing.T) {
	a := newTestAuthority(t, Boards, custody.P256)
	for name, row := range map[string]struct {
		previous, want time.Time
	}{
		"the first":                      {time.Time{}, testNow.Add(-time.Hour)},
		"the last is old":                {testNow.Add(-24 * time.Hour), testNow.Add(-time.Hour)},
		"the last is of the same moment": {testNow.Add(-time.Hour), testNow.Add(-time.Hour + time.Second)},
		"the 3,600th of one moment":      {testNow.Add(-time.Second), testNow},
	} {
		der, at, err := a.CRL(nil, 8, row.previous, testNow)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		list, err := x509.ParseRevocationList(der)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !at.Equal(row.want) || !list.ThisUpdate.Equal(row.want) || !list.NextUpdate.Equal(never) || list.Number.Uint64() != 8 {
			t.Errorf("%s: reported %v, holds %v to %v, number %v; want %v to %v, 8", name, at, list.ThisUpdate, list.NextUpdate, list.Number, row.want, never)
		}
	}
}

func TestCRLRefuses(t *testing.T) {
	boards := newTestAuthority(t, Boards, custody.P256)
	keyless := *boards
	keyless.key = nil
	twice := []Revocation{{Serial: serial(1), Time: testNow, Final: true}, {Serial: serial(2), Time: testNow, Final: true}, {Serial: serial(1), Time: testNow, Reason: "lost", Final: true}}
	for name, row := range map[string]struct {
		a             *Authority
		list          []Revocation
		previous, now time.Time
		want          string
	}{
		"no key":                      {&keyless, nil, time.Time{}, testNow, "key of the CA is not here"},
		"a serial twice":              {boards, twice, time.Time{}, testNow, "stands twice"},
		"a clock before the last CRL": {boards, nil, testNow, testNow.Add(-time.Minute), "the clock says"},
		"a clock at the last CRL":     {boards, nil, testNow, testNow, "the clock says"},
		"a clock before this program": {boards, nil, time.Time{}, time.Unix(0, 0), "the clock says 1970-01-01 00:00:00"},
	} {
		der, at, err := row.a.CRL(row.list, 1, row.previous, row.now)
		if err == nil || !strings.Contains(err.Error(), row.want) || der != nil || !at.IsZero() {
			t.Errorf("%s: %d bytes, %v, %v; want an error with %q", name, len(der), at, err, row.want)
		}
	}
}

// What a CRL says beside its list is read back by openssl, and changes with it.
func TestCRLCarriesURIs(t *testing.T) {
	a := newTestAuthority(t, Boards, custody.P256)
	der, _, err := a.CRL(nil, 1, time.Time{}, testNow, "tcpboot-audit:12:sha256:00")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "crl.der")
	if err := os.WriteFile(file, der, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("openssl", "crl", "-inform", "DER", "-in", file, "-noout", "-text").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "URI:tcpboot-audit:12:sha256:00") {
		t.Errorf("openssl: %v\n%s", err, out)
	}
	if _, _, err := a.CRL(nil, 1, time.Time{}, testNow, "a b"); err == nil {
		t.Error("a URI with a blank is accepted")
	}
}
