package pki

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tcpboot/tcpboot/pki/custody"
	"github.com/tcpboot/tcpboot/pki/fleet"
)

// softHSM is where Debian's package softhsm2 puts its library.
const (
	softHSM  = "/usr/lib/softhsm/libsofthsm2.so"
	tokenPIN = "73550921"
)

// A token is one of SoftHSM in a folder of its own, and a keyring whose helper
// is ours, built from its module. Its wrapper writes down what can be seen of
// each run in the list of processes.
type token struct {
	custody.Keyring
	dir, seen string
}

func newToken(t *testing.T) token {
	t.Helper()
	for _, peer := range []struct{ program, debian string }{{"softhsm2-util", "softhsm2"}, {"gcc", "gcc"}} {
		if _, err := exec.LookPath(peer.program); err != nil {
			t.Fatalf("%s is needed: install the Debian package %s", peer.program, peer.debian)
		}
	}
	dir := t.TempDir()
	k := token{custody.Keyring{Dir: dir, Helpers: filepath.Join(dir, "helpers")}, dir, filepath.Join(dir, "seen")}
	conf := filepath.Join(dir, "softhsm2.conf")
	put(t, conf, "directories.tokendir = "+dir+"/tokens\nobjectstore.backend = file\n", 0o600)
	put(t, filepath.Join(dir, "pin"), tokenPIN+"\n", 0o600)
	for _, folder := range []string{"tokens", "helpers"} {
		if err := os.Mkdir(filepath.Join(dir, folder), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	k.Environ = []string{"SOFTHSM2_CONF=" + conf}
	t.Setenv("SOFTHSM2_CONF", conf)
	command(t, "softhsm2-util", "--init-token", "--free", "--label", "boards", "--pin", tokenPIN, "--so-pin", "87654321")
	t.Setenv("CGO_ENABLED", "1")
	command(t, "go", "build", "-C", "../cmd/sigstore-kms-pkcs11", "-o", filepath.Join(dir, "helpers", "real"), ".")
	put(t, filepath.Join(dir, "helpers", "sigstore-kms-pkcs11"), fmt.Sprintf(`#!/bin/sh
tr '\0' '\n' </proc/$$/cmdline >>%[1]s/seen
tr '\0' '\n' </proc/$$/environ >>%[1]s/seen
exec %[1]s/helpers/real "$@"
`, dir), 0o700)
	return k
}

func put(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

func command(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
}

func (k token) uri(key string) string {
	return "pkcs11:module-path=" + softHSM + ";token=boards;" + key + "?pin-source=file:" + k.dir + "/pin"
}

// A boards hierarchy whose keys were made in a token and never leave it: boards
// are issued, and revoked, and OpenSSL is content.
func TestAuthorityInAToken(t *testing.T) {
	k := newToken(t)
	for i, kind := range []custody.Kind{custody.P256, custody.P384, custody.RSA3072} {
		t.Run(string(kind), func(t *testing.T) {
			rootKey, err := k.Create(k.uri(fmt.Sprintf("object=root-%s;id=1%d", kind, i)), kind)
			if err != nil {
				t.Fatal(err)
			}
			caURI := k.uri(fmt.Sprintf("object=ca-%s;id=2%d", kind, i))
			caKey, err := k.Create(caURI, kind)
			if err != nil {
				t.Fatal(err)
			}
			made, err := NewAuthority(Boards, "lab", rootKey, caKey, DefaultTemplates())
			if err != nil {
				t.Fatal(err)
			}
			again, err := k.OpenPinned(caURI, custody.Boards, made.CA.PublicKey)
			if err != nil {
				t.Fatal(err)
			}
			a, err := LoadAuthority(Boards, "lab", CertificatePEM(made.Root), CertificatePEM(made.CA), again, DefaultTemplates())
			if err != nil {
				t.Fatal(err)
			}
			checkIssuesAndRevokes(t, a)
			if _, err := k.Create(caURI, kind); err == nil || !strings.Contains(err.Error(), "already") {
				t.Errorf("made a second key under one name: %v", err)
			}
		})
	}
	k.checkNothingLeaked(t)
}

// checkIssuesAndRevokes has OpenSSL accept a board, then refuse it by the CRL.
func checkIssuesAndRevokes(t *testing.T, a *Authority) {
	t.Helper()
	board, err := a.IssueBoard(testMAC, testNow)
	if err != nil {
		t.Fatal(err)
	}
	if !opensslVerifies(t, chain{a, board.Certificate, "sslclient"}, a.Root, "sslclient") {
		t.Error("openssl refuses the board's certificate")
	}
	gone := Revocation{Serial: board.Admission(fleet.TLS).Serial, Time: testNow, Reason: "lost"}
	der, _, err := a.CRL([]Revocation{gone}, 1, testNow.AddDate(0, 0, -1), testNow)
	if err != nil {
		t.Fatal(err)
	}
	crl, err := x509.ParseRevocationList(der)
	if err != nil {
		t.Fatal(err)
	}
	if err := crl.CheckSignatureFrom(a.CA); err != nil {
		t.Error(err)
	}
	crlFile := writeFile(t, "crl.pem", pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der}))
	caFile := writeFile(t, "ca.pem", CertificatePEM(a.CA))
	out, ok := openssl(t, board.CertificatePEM(), "verify", "-partial_chain", "-CAfile", caFile, "-CRLfile", crlFile, "-crl_check")
	if ok || !strings.Contains(out, "certificate revoked") {
		t.Errorf("openssl with the CRL says: %s", out)
	}
}

// checkNothingLeaked looks for the PIN in what others could see of the helper's
// processes.
func (k token) checkNothingLeaked(t *testing.T) {
	t.Helper()
	text, err := os.ReadFile(k.seen)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "\nv1\n") || !strings.Contains(string(text), "SOFTHSM2_CONF=") {
		t.Fatalf("nothing was written down:\n%s", text)
	}
	if strings.Contains(string(text), tokenPIN) {
		t.Error("the PIN was among the arguments or in the environment")
	}
}

// Another key under the CA's name: the site's certificate tells.
func TestAnExchangedToken(t *testing.T) {
	k := newToken(t)
	ca := newTestAuthority(t, Boards, custody.P256)
	if _, err := k.Create(k.uri("object=ca;id=01"), custody.P256); err != nil {
		t.Fatal(err)
	}
	if _, err := k.OpenPinned(k.uri("object=ca"), custody.Boards, ca.CA.PublicKey); err == nil || !strings.Contains(err.Error(), "another key") {
		t.Errorf("got %v", err)
	}
	put(t, filepath.Join(k.dir, "pin"), "1234"+tokenPIN, 0o600)
	_, err := k.Open(k.uri("object=ca"), custody.Boards)
	if err == nil || !strings.Contains(err.Error(), "CKR_PIN_INCORRECT") || strings.Contains(err.Error(), tokenPIN) {
		t.Errorf("with a wrong PIN: %v", err)
	}
}
