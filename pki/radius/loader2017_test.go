package radius_test

import (
	"crypto"
	"strings"
	"testing"

	"github.com/tcpboot/tcpboot/pki/custody"
	"github.com/tcpboot/tcpboot/pki/radius"
)

// What supplicants of ESP-IDF offer, as lines of ours.
const (
	// before 4.1: TLS 1.0 and no newer; the RSA key exchange and no other. Of its
	// suites these are the ones that can still be had. OpenSSL has TLS 1.0 on its
	// lowest level only.
	idf3 = `
openssl_ciphers="AES256-SHA:AES128-SHA:@SECLEVEL=0"
phase1="tls_disable_tlsv1_0=0 tls_disable_tlsv1_1=1 tls_disable_tlsv1_2=1 tls_disable_tlsv1_3=1"`
	// 4.1 and 4.2 with CONFIG_WPA_TLS_V12 and without mbedTLS: the same with TLS 1.2
	idf4 = `
openssl_ciphers="AES128-SHA256:AES128-SHA:AES256-SHA"
phase1="tls_disable_tlsv1_0=1 tls_disable_tlsv1_1=1 tls_disable_tlsv1_2=0 tls_disable_tlsv1_3=1"`
)

func newRSAKey() crypto.Signer { return must(custody.Generate(custody.RSA2048)) }

func loader2017(s radius.Server) radius.Server {
	s.Loader2017 = true
	return s
}

// everyMethod is a row for each way to log in, with the lines of a supplicant.
func (b *board) everyMethod(name, lines, want, vlan string) (rows []row) {
	for _, method := range []string{useTLS, usePEAP, usePAP, useMSCHAPv2} {
		words := strings.ReplaceAll(strings.ReplaceAll(method, "\n", " "), `"`, "")
		rows = append(rows, row{name + " " + words, b.by(method + lines), want, vlan})
	}
	return rows
}

// An RSA site admits the loader of 2017, without shutting out what is newer.
func TestRSASite(t *testing.T) {
	t.Parallel()
	s := newSiteOf(newRSAKey)
	b := s.enroll("246f28aa1001", all, 101)
	l := start(t, loader2017(s.server(all)), devices(b), nil)
	l.logins(b.everyMethod("2017", idf3, accept, "101"))
	l.logins(b.everyMethod("TLS 1.2, RSA only", idf4, accept, "101"))
	l.logins(b.everyMethod("today", "", accept, "101"))
	for lines, version := range map[string]string{idf3: "TLSv1", idf4: "TLSv1.2", "": "TLSv1.2"} {
		if said := l.try(t, b.by(useTLS+lines)).output; !strings.Contains(said, "SSL: Using TLS version "+version+"\n") {
			t.Errorf("%s: not said to be %s:\n%s", lines, version, said)
		}
	}
	other := s.enroll("246f28aa1002", all, 0) // not in the list
	l.logins([]row{
		{"2017, not listed", other.by(useTLS + idf3), reject, ""},
		{"2017, another's certificate", b.by(useTLS+idf3, showing(other.cert())), reject, ""},
		{"2017, wrong password", b.by(usePEAP+idf3, knowing("wrong")), reject, ""},
	})
}

// Why there are RSA sites: with curves, nobody of 2017 gets in.
func TestLoader2017IsRefusedByCurves(t *testing.T) {
	t.Parallel()
	s := newSite()
	b := s.enroll("246f28aa1001", all, 101)
	l := start(t, s.server(all), devices(b), nil)
	l.logins(b.everyMethod("2017", idf3, reject, ""))
	l.logins(b.everyMethod("TLS 1.2, RSA only", idf4, reject, ""))
	l.logins(b.everyMethod("today", "", accept, "101"))
}

// RSA alone does not lower the floor.
func TestFloorOfTLS(t *testing.T) {
	t.Parallel()
	s := newSiteOf(newRSAKey)
	b := s.enroll("246f28aa1001", all, 101)
	l := start(t, s.server(all), devices(b), nil)
	l.logins(b.everyMethod("2017", idf3, reject, ""))
	l.logins(b.everyMethod("TLS 1.2, RSA only", idf4, accept, "101"))
}

func TestHostapdRSASite(t *testing.T) {
	t.Parallel()
	s := newSiteOf(newRSAKey)
	b := s.enroll("246f28aa1001", all, 101)
	h := s.hostapd(all)
	h.Loader2017 = true
	l := startHostapd(t, h, devices(b), nil)
	l.logins([]row{
		{"2017, EAP-TLS", b.by(useTLS + idf3), accept, "101"},
		{"2017, PEAP", b.by(usePEAP + idf3), accept, "101"},
		{"2017, TTLS-MSCHAPv2", b.by(useMSCHAPv2 + idf3), accept, "101"},
		{"today, EAP-TLS", b.by(useTLS), accept, "101"},
	})
}

func TestLoader2017WantsRSA(t *testing.T) {
	s := newSite()
	var m memory
	err := radius.Export(loader2017(s.server(all)), devices(), m.create)
	if err == nil || !strings.Contains(err.Error(), "RADIUS key: not RSA") || len(m.files) != 0 {
		t.Errorf("error %v, %d files", err, len(m.files))
	}
}
