package radius_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tcpboot/tcpboot/pki"
	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/radius"
)

// edit replaces text in one file of an export, before the server starts on it.
func edit(t *testing.T, file, old, text string) func(dir string) {
	return func(dir string) {
		path := filepath.Join(dir, file)
		data := must(os.ReadFile(path))
		if !bytes.Contains(data, []byte(old)) {
			t.Fatalf("%s does not hold %q", file, old)
		}
		replace(dir, file, bytes.ReplaceAll(data, []byte(old), []byte(text)))
	}
}

func replace(dir, file string, data []byte) {
	path := filepath.Join(dir, file)
	if err := os.Remove(path); err != nil {
		panic(err)
	}
	if err := os.WriteFile(path, data, 0o400); err != nil {
		panic(err)
	}
}

// What boards hold is enough to tell the RADIUS server from others.
func TestStationJudgesServer(t *testing.T) {
	t.Parallel()
	s := newSite()
	b := s.enroll("246f28aa1001", all, 0)
	l := start(t, s.server(all), devices(b), nil)
	l.logins([]row{
		{"its name and root", b.by(useTLS), accept, ""},
		{"no name to match", b.by(useTLS, expecting("")), accept, ""},
		{"another name, EAP-TLS", b.by(useTLS, expecting("radius.lab2")), badServer, ""},
		{"another name, PEAP", b.by(usePEAP, expecting("update.lab")), badServer, ""},
		{"the servers root", b.by(useTLS, under(s.servers)), badServer, ""},
		{"the boards root", b.by(usePAP, under(s.boards)), badServer, ""},
	})
}

// A thief of a board or of an image server cannot play the RADIUS server, also
// towards a loader that matches no name.
func TestRogueServer(t *testing.T) {
	t.Parallel()
	s := newSite()
	b := s.enroll("246f28aa1001", all, 0)
	for _, rogue := range []struct {
		name string
		cert cert
		ca   *pki.Authority
	}{
		{"with a board's key", b.cert(), s.boards},
		{"with an image server's key", certify(s.servers, pki.UpdateName("lab")), s.servers},
		{"with the RADIUS name from the servers CA", certify(s.servers, pki.RADIUSName("lab")), s.servers},
		{"with the RADIUS name from a CA of the same name", certify(newSite().radius, pki.RADIUSName("lab")), s.radius},
	} {
		t.Run(rogue.name, func(t *testing.T) {
			l := start(t, s.server(all), devices(b), func(dir string) {
				replace(dir, "radius.pem", slices.Concat(rogue.cert.chain, pki.CertificatePEM(rogue.ca.CA)))
				replace(dir, "radius.key", rogue.cert.key)
			})
			l.logins([]row{
				{"EAP-TLS", b.by(useTLS), badServer, ""},
				{"EAP-TLS, no name to match", b.by(useTLS, expecting("")), badServer, ""},
				{"PEAP, no name to match", b.by(usePEAP, expecting("")), badServer, ""},
				{"TTLS-PAP, no name to match", b.by(usePAP, expecting("")), badServer, ""},
			})
		})
	}
}

// A second login is a whole one. With the session cache it would not be, which
// shows that the probe can see it.
func TestNoResumption(t *testing.T) {
	t.Parallel()
	s := newSite()
	b := s.enroll("246f28aa1001", all, 0)
	const resumed = "Handshake finished - resumed=1"
	logins := map[string]string{"EAP-TLS": useTLS, "PEAP": usePEAP, "TTLS-PAP": usePAP}
	l := start(t, s.server(all), devices(b), nil)
	cache := edit(t, "eap.conf", "cache {\n\t\t\tenable = no", "cache {\n\t\t\tname = boards\n\t\t\tpersist_dir = ${confdir}/sessions\n\t\t\tenable = yes")
	cached := start(t, s.server(all), devices(b), func(dir string) {
		cache(dir)
		if err := os.Mkdir(filepath.Join(dir, "sessions"), 0o700); err != nil {
			t.Fatal(err)
		}
	})
	for name, method := range logins {
		t.Run(name, func(t *testing.T) {
			x := b.by(method)
			x.again = true
			if o := l.try(t, x); o.verdict != accept || strings.Contains(o.output, resumed) {
				t.Errorf("%s; want two accepts, no session resumed\n%s", o.verdict, o.output)
			}
			if o := cached.try(t, x); !strings.Contains(o.output, resumed) {
				t.Errorf("with a cache no session was resumed: this test sees nothing\n%s", o.output)
			}
		})
	}
}

// TLS before 1.2 is refused by the configuration, not only by the libraries.
func TestOldTLS(t *testing.T) {
	t.Parallel()
	s := newSite()
	b := s.enroll("246f28aa1001", all, 0)
	const old = "\nopenssl_ciphers=\"DEFAULT@SECLEVEL=0\"\nphase1=\"tls_disable_tlsv1_0=1 tls_disable_tlsv1_1=0 tls_disable_tlsv1_2=1 tls_disable_tlsv1_3=1\""
	weak := edit(t, "eap.conf", `cipher_list = "DEFAULT"`, `cipher_list = "DEFAULT@SECLEVEL=0"`)
	l := start(t, s.server(all), devices(b), weak)
	if o := l.try(t, b.by(useTLS+old)); o.verdict != reject {
		t.Errorf("TLS 1.1: %s, want %s\n%s", o.verdict, reject, o.output)
	}
	lax := edit(t, "eap.conf", `tls_min_version = "1.2"`, `tls_min_version = "1.1"`)
	l = start(t, s.server(all), devices(b), func(dir string) { weak(dir); lax(dir) })
	if o := l.try(t, b.by(useTLS+old)); o.verdict != accept {
		t.Errorf("TLS 1.1 with the minimum lowered: %s: this test sees nothing\n%s", o.verdict, o.output)
	}
}

// The lines alone admit nobody: a server that reads them without the policies
// knows no password and no certificate.
func TestLinesWithoutPolicies(t *testing.T) {
	t.Parallel()
	s := newSite()
	b := s.enroll("246f28aa1001", all, 0)
	servers := edit(t, "servers.conf", "\t\t\ttcpboot_password\n", "")
	l := start(t, s.server(all), devices(b), servers)
	l.logins([]row{
		{"PEAP", b.by(usePEAP), reject, ""},
		{"TTLS-PAP", b.by(usePAP), reject, ""},
		{"TTLS-MSCHAPv2", b.by(useMSCHAPv2), reject, ""},
	})
}

// Each fact counts by itself, also in a file that no registry would give.
func TestEveryFactCounts(t *testing.T) {
	t.Parallel()
	s := newSite()
	a := s.enroll("246f28aa1001", fleet.TLS, 0)
	b := s.enroll("246f28aa1002", fleet.TLS, 0)
	a.Admissions = b.Admissions
	l := start(t, s.server(all), devices(a, b), nil)
	l.logins([]row{
		{"listed serial, another board's name", a.by(useTLS, showing(b.cert())), reject, ""},
		{"listed serial, own name", b.by(useTLS), accept, ""},
	})
	l = start(t, s.server(all), devices(a, b), edit(t, "authorize", "'tls'", "'ttls'"))
	l.logins([]row{{"listed serial, another method", b.by(useTLS), reject, ""}})
}

// The fragment for people who have a server: it admits on one that has our
// policies, and one that has not even the dictionary refuses to start.
func TestFragment(t *testing.T) {
	t.Parallel()
	s := newSite()
	b := s.enroll("246f28aa1001", all, 101)
	fragment := new(bytes.Buffer)
	if err := radius.Authorize(fragment, devices(b)); err != nil {
		t.Fatal(err)
	}
	take := func(dir string) { replace(dir, "authorize", fragment.Bytes()) }
	l := start(t, s.server(all), devices(), take)
	l.logins([]row{
		{"EAP-TLS", b.by(useTLS), accept, "101"},
		{"PEAP", b.by(usePEAP), accept, "101"},
	})
	if _, err := prepare(t, s.server(all), devices(b), func(dir string) { replace(dir, "dictionary", nil) }).run(); err == nil {
		t.Error("started without the dictionary")
	}
}

// Outside EAP nothing is served: a password in a plain request is not looked at,
// and what no access point has signed is not answered.
func TestNothingButEAP(t *testing.T) {
	t.Parallel()
	s := newSite()
	b := s.enroll("246f28aa1001", all, 0)
	for _, row := range []struct {
		name   string
		change func(string)
		want   []byte // the requests that are answered
	}{
		{"as exported", nil, []byte{2, 3}},
		{"without the demand, to see that it counts", edit(t, "clients.conf", "authenticator = yes", "authenticator = no"), []byte{1, 2, 3}},
	} {
		t.Run(row.name, func(t *testing.T) {
			l := start(t, s.server(all), devices(b), row.change)
			c := must(net.DialUDP("udp", nil, &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: int(l.port)}))
			defer c.Close()
			must(c.Write(plainPAP(b, 1, false)))
			// The second takes as long as the first would, and the third again.
			var got []byte
			for id := byte(2); id <= 3; id++ {
				must(c.Write(plainPAP(b, id, true)))
				got = append(got, rejectsUntil(t, c, id)...)
			}
			slices.Sort(got)
			if !slices.Equal(got, row.want) {
				t.Errorf("rejects for the requests %d, want %d", got, row.want)
			}
		})
	}
}

// rejectsUntil reads answers up to the one with the given id and returns the ids.
func rejectsUntil(t *testing.T, c net.Conn, last byte) (ids []byte) {
	t.Helper()
	const accessReject = 3
	c.SetReadDeadline(time.Now().Add(20 * time.Second))
	answer := make([]byte, 4096)
	for !slices.Contains(ids, last) {
		if n, err := c.Read(answer); err != nil || n < 20 || answer[0] != accessReject {
			t.Fatalf("answer of %d bytes, code %d, error %v; want an Access-Reject", n, answer[0], err)
		}
		ids = append(ids, answer[1])
	}
	return ids
}

// plainPAP is an Access-Request with b's name, password and station, as the
// RADIUS of old has it (RFC 2865), signed (RFC 3579) or not.
func plainPAP(b *board, id byte, signed bool) []byte {
	const userName, userPassword, callingStation, messageAuthenticator = 1, 2, 31, 80
	p := append([]byte{1, id, 0, 0}, bytes.Repeat([]byte{id}, 16)...)
	add := func(kind byte, value []byte) {
		p = append(append(p, kind, byte(2+len(value))), value...)
	}
	mac := []byte(b.Device.MAC.String())
	add(userName, mac)
	add(userPassword, hidden([]byte(b.Password), p[4:20]))
	add(callingStation, mac)
	if signed {
		add(messageAuthenticator, make([]byte, md5.Size))
	}
	p[2], p[3] = byte(len(p)>>8), byte(len(p))
	if signed {
		h := hmac.New(md5.New, []byte(secret))
		h.Write(p)
		h.Sum(p[:len(p)-md5.Size])
	}
	return p
}

// hidden is a password as RFC 2865 hides it under the shared secret.
func hidden(password, authenticator []byte) (out []byte) {
	last := authenticator
	for block := range slices.Chunk(password, md5.Size) {
		sum := md5.Sum(slices.Concat([]byte(secret), last))
		last = sum[:]
		for i, c := range block {
			last[i] ^= c
		}
		out = append(out, last...)
	}
	return out
}
