package pki

import (
	"bytes"
	"crypto/x509"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tcpboot/tcpboot/pki/custody"
	"github.com/tcpboot/tcpboot/pki/fleet"
)

// TestReadCRL reads back what a CRL says, and nothing that somebody else signed.
func TestReadCRL(t *testing.T) {
	a, other := newTestAuthority(t, Boards, custody.P256), newTestAuthority(t, Boards, custody.P256)
	der, at, err := a.CRL(testRevocations, 7, time.Time{}, testNow, "tcpboot-audit:12:sha256:9f")
	if err != nil {
		t.Fatal(err)
	}
	list, err := ReadCRL(crlPEM(der), other.CA, a.CA)
	if err != nil {
		t.Fatal(err)
	}
	if list.Number != 7 || !list.ThisUpdate.Equal(at) || !slices.Equal(list.About, []string{"tcpboot-audit:12:sha256:9f"}) {
		t.Errorf("got %+v", list)
	}
	want := []Revocation{
		{serial(0x01), testNow.Add(-2 * time.Hour), "compromised", IssuerOf(a.CA), true},
		{serial(0x7f), testNow.Add(-4 * time.Hour), "unspecified", IssuerOf(a.CA), true},
		{serial(0x80), testNow.Add(-3 * time.Hour), "rotated", IssuerOf(a.CA), false},
		{serial(0xfe), testNow.Add(-time.Hour), "retired", IssuerOf(a.CA), true},
	}
	same := func(a, b Revocation) bool {
		return a.Serial == b.Serial && a.Time.Equal(b.Time) && a.Reason == b.Reason && a.Issuer == b.Issuer && a.Final == b.Final &&
			a.ReasonCode() == b.ReasonCode()
	}
	if !slices.EqualFunc(list.Dead, want, same) {
		t.Errorf("got %+v, want %+v", list.Dead, want)
	}
	for name, text := range map[string][]byte{
		"by another CA": crlPEM(makeCRL(t, other, testRevocations)),
		"no PEM":        der,
		"two blocks":    append(crlPEM(der), crlPEM(der)...),
		"a certificate": CertificatePEM(a.CA),
		"cut off":       crlPEM(der[:len(der)-1]),
		"changed":       crlPEM(bytes.Replace(der, []byte("audit:12"), []byte("audit:13"), 1)),
	} {
		if _, err := ReadCRL(text, a.CA); err == nil || !strings.HasPrefix(err.Error(), "CRL") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A lost board that was rotated has its successor; one that was revoked has none:
// the CRL keeps the two apart.
func TestCRLTellsTheRevoked(t *testing.T) {
	for _, reason := range []string{"lost", "stolen", "rotated", "replaced", "retired", "unspecified", "x"} {
		rotated, revoked := Revocation{Reason: reason}, Revocation{Reason: reason, Final: true}
		if rotated.ReasonCode() != superseded || revoked.ReasonCode() == superseded {
			t.Errorf("%s: rotated %d, revoked %d", reason, rotated.ReasonCode(), revoked.ReasonCode())
		}
	}
}

// FuzzReadCRL reads what bears no signature too: a CA may sign what it likes.
func FuzzReadCRL(f *testing.F) {
	a := newTestAuthority(f, Boards, custody.P256)
	f.Add(makeCRL(f, a, testRevocations))
	f.Add(makeCRL(f, a, nil))
	f.Fuzz(func(t *testing.T, der []byte) {
		crl, err := x509.ParseRevocationList(der)
		if err != nil {
			return
		}
		if list, err := listOf(crl, fleet.Digest{}); (list == nil) == (err == nil) {
			t.Errorf("got %v, %v", list, err)
		}
	})
}
