package pki

import (
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/tcpboot/tcpboot/pki/custody"
	"github.com/tcpboot/tcpboot/pki/fleet"
)

// Source: RFC 2759, 9.2, for clientPass; the others by openssl dgst -md4.
func TestNTHash(t *testing.T) {
	for password, want := range map[string]string{
		"":           "31D6CFE0D16AE931B73C59D7E0C089C0",
		"clientPass": "44EBBA8D5312B8D611474411F56989AE",
		"password":   "8846F7EAEE8FB117AD06BDD830B7586C",
		"Grüße 🔑":    "A032B976CBF2AC0BCD31B472CFB13A38",
	} {
		if got := NTHash(password).Hex(); got != want {
			t.Errorf("NTHash(%q) = %s, want %s", password, got, want)
		}
	}
}

func TestNewPassword(t *testing.T) {
	form := regexp.MustCompile(`^[a-z2-7]{26}$`) // 26 × 5 bits
	seen := make(map[string]bool)
	for range 1000 {
		p := NewPassword()
		if !form.MatchString(p) {
			t.Fatalf("password of another form: %d characters", len(p))
		}
		if seen[p] {
			t.Fatal("one password twice")
		}
		seen[p] = true
	}
}

func TestAdmission(t *testing.T) {
	boards := newTestAuthority(t, Boards, custody.P256)
	c, err := boards.IssueBoard(testMAC, testNow)
	if err != nil {
		t.Fatal(err)
	}
	want := fleet.Admission{Serial: SerialOf(c.Certificate), Certificate: fleet.Sum(c.Certificate.Raw), Issuer: IssuerOf(boards.CA), Issued: testNow}
	if got := c.Admission(fleet.TLS); got != want {
		t.Errorf("tls alone: %+v, want %+v", got, want)
	}
	want.NTHash = NTHash(c.Password)
	for _, e := range []fleet.EAP{fleet.PEAP, fleet.TTLS, fleet.TLS | fleet.PEAP} {
		if got := c.Admission(e); got != want || got.NTHash.IsZero() {
			t.Errorf("%s: no NT hash of the password", e)
		}
	}
}

func TestCredentialPrintsNoSecret(t *testing.T) {
	c, err := newTestAuthority(t, Boards, custody.P256).IssueBoard(testMAC, testNow)
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		for _, got := range []string{fmt.Sprintf(verb, c), fmt.Sprintf(verb, *c)} {
			if got != "credential of 246f28aa1002" {
				t.Errorf("%s prints %.40s…", verb, got)
			}
		}
	}
	if got := c.LogValue().String(); strings.Contains(got, c.Password) {
		t.Error("the log shows the password")
	}
}

func TestIssueBoardFromManyGoroutines(t *testing.T) {
	a := newTestAuthority(t, Boards, custody.P256)
	var mu sync.Mutex
	serials := make(map[fleet.Serial]bool)
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			for i := range 20 {
				m := fleet.MAC{0x24, 0x6f, 0x28, 0, byte(worker), byte(i)}
				c, err := a.IssueBoard(m, testNow)
				if err != nil {
					t.Error(err)
					return
				}
				if err := c.Certificate.CheckSignatureFrom(a.CA); err != nil || c.Certificate.Subject.CommonName != m.String() || !samePublic(c.Key.Public(), c.Certificate.PublicKey) {
					t.Errorf("%s: %v: %v", m, c.Certificate.Subject, err)
				}
				mu.Lock()
				serials[SerialOf(c.Certificate)] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if len(serials) != 160 {
		t.Errorf("%d serial numbers for 160 boards", len(serials))
	}
}
