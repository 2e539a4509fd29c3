package radius_test

import (
	"bytes"
	"encoding/pem"
	"errors"
	"iter"
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tcpboot/tcpboot/pki"
	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/radius"
)

// hostapd is the configuration of the site's hostapd; dead are the credentials
// that no longer admit.
func (s *site) hostapd(eap fleet.EAP, dead ...*pki.Credential) radius.HostapdServer {
	h := radius.HostapdServer{
		Server:     s.server(eap),
		BoardsRoot: pki.CertificatePEM(s.boards.Root),
		CRLs:       s.crl(1, dead...),
		Dead:       revocations(dead...),
	}
	h.Address = netip.IPv4Unspecified()
	return h
}

// crl is a CRL of the site's boards CA, in PEM.
func (s *site) crl(number uint64, dead ...*pki.Credential) []byte {
	var list []pki.Revocation
	for r := range revocations(dead...) {
		list = append(list, r)
	}
	der, _, err := s.boards.CRL(list, number, time.Time{}, time.Now())
	return pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: must(der, err)})
}

func revocations(dead ...*pki.Credential) iter.Seq2[pki.Revocation, error] {
	return func(yield func(pki.Revocation, error) bool) {
		for _, c := range dead {
			if !yield(pki.Revocation{Serial: pki.SerialOf(c.Certificate), Time: day, Reason: "lost"}, nil) {
				return
			}
		}
	}
}

// startHostapd is start with hostapd.
func startHostapd(t *testing.T, srv radius.HostapdServer, boards iter.Seq2[fleet.Device, error], change func(dir string)) *lab {
	t.Helper()
	for {
		l := &lab{t: t, dir: folder(t), port: freePort(t), output: newLog(), silent: true}
		srv.Port = l.port
		if err := radius.Hostapd(srv, boards, creator(l.dir)); err != nil {
			t.Fatal(err)
		}
		if change != nil {
			change(l.dir)
		}
		l.give()
		err := l.runHostapd()
		if err == nil {
			return l
		}
		if !strings.Contains(l.output.String(), "Address already in use") {
			t.Fatalf("hostapd: %v\n%s", err, l.output)
		}
	}
}

func (l *lab) runHostapd() error {
	cmd := exec.Command(program(l.t, "hostapd", "hostapd"), "hostapd.conf")
	cmd.Dir = l.dir
	_, err := l.launch(cmd, "AP-ENABLED")
	return err
}

func TestHostapd(t *testing.T) {
	t.Parallel()
	s := newSite()
	a := s.enroll("246f28aa1001", all, 101)
	b := s.enroll("246f28aa1002", all, 0)
	tls := s.enroll("246f28aa1003", fleet.TLS, 103)
	peap := s.enroll("246f28aa1004", fleet.PEAP, 104)
	ttls := s.enroll("246f28aa1005", fleet.TTLS, 105)
	rotated := s.enroll("246f28aa1006", all, 106)
	before := rotated.rotate(time.Time{})
	lost := s.enroll("246f28aa1007", all, 107).in(fleet.Revoked)
	pending := s.enroll("246f28aa1008", all, 108).in(fleet.Pending)
	l := startHostapd(t, s.hostapd(all, before.Credential, lost.Credential), devices(a, b, tls, peap, ttls, rotated, lost, pending), nil)
	l.logins([]row{
		{"EAP-TLS", a.by(useTLS), accept, "101"},
		{"PEAP-MSCHAPv2", a.by(usePEAP), accept, "101"},
		{"TTLS-MSCHAPv2", a.by(useMSCHAPv2), accept, "101"},
		{"TTLS-PAP, which an NT hash cannot check", a.by(usePAP), reject, ""},
		{"EAP-TLS, no VLAN", b.by(useTLS), accept, ""},
		{"PEAP, no VLAN", b.by(usePEAP), accept, ""},

		{"wrong password, PEAP", a.by(usePEAP, knowing("wrong")), reject, ""},
		{"wrong password, TTLS", a.by(useMSCHAPv2, knowing("wrong")), reject, ""},
		{"another board's password", a.by(usePEAP, knowing(b.Password)), reject, ""},
		{"unknown identity with a certificate", a.by(useTLS, as("246f28aa10ff")), reject, ""},
		{"unknown identity with a password", a.by(usePEAP, as("246f28aa10ff")), reject, ""},
		{"upper-case identity", a.by(useTLS, as("246F28AA1001")), reject, ""},
		{"another board outside", b.by(usePEAP, outer("246f28aa1001")), accept, ""},
		{"another board outside, with its VLAN", a.by(usePEAP, outer("246f28aa1002")), accept, "101"},
		{"anonymous outside", a.by(usePEAP, outer("anonymous")), reject, ""},
		{"EAP-MD5", a.by("eap=MD5"), reject, ""},
		{"EAP-MSCHAPv2 without a tunnel", a.by("eap=MSCHAPV2"), reject, ""},

		{"tls by EAP-TLS", tls.by(useTLS), accept, "103"},
		{"tls by PEAP", tls.by(usePEAP), reject, ""},
		{"tls by TTLS", tls.by(useMSCHAPv2), reject, ""},
		{"peap by EAP-TLS", peap.by(useTLS), reject, ""},
		{"peap by PEAP", peap.by(usePEAP), accept, "104"},
		{"peap by TTLS", peap.by(useMSCHAPv2), reject, ""},
		{"ttls by EAP-TLS", ttls.by(useTLS), reject, ""},
		{"ttls by PEAP", ttls.by(usePEAP), reject, ""},
		{"ttls by TTLS", ttls.by(useMSCHAPv2), accept, "105"},

		{"rotated, EAP-TLS", rotated.by(useTLS), accept, "106"},
		{"rotated, PEAP", rotated.by(usePEAP), accept, "106"},
		{"old certificate", before.by(useTLS), reject, ""},
		{"old password", before.by(usePEAP), reject, ""},
		{"revoked, EAP-TLS", lost.by(useTLS), reject, ""},
		{"revoked, EAP-TLS as another board", lost.by(useTLS, as("246f28aa1001")), reject, ""},
		{"revoked, PEAP", lost.by(usePEAP), reject, ""},
		{"revoked, TTLS", lost.by(useMSCHAPv2), reject, ""},
		{"pending, EAP-TLS", pending.by(useTLS), reject, ""},
		{"pending, PEAP", pending.by(usePEAP), reject, ""},

		{"certificate of the RADIUS CA", a.by(useTLS, showing(certify(s.radius, a.Device.MAC.String()))), reject, ""},
		{"certificate of the servers CA", a.by(useTLS, showing(certify(s.servers, a.Device.MAC.String()))), reject, ""},
		{"certificate of a CA of the same name", a.by(useTLS, showing(a.forged())), reject, ""},
		{"the servers root", a.by(useTLS, under(s.servers)), badServer, ""},
		{"another name", a.by(usePEAP, expecting("radius.lab2")), badServer, ""},
	})
	// What HostapdLimits admits is so; where it is not, the words are wrong.
	l.logins([]row{
		{"limit: another board's certificate", a.by(useTLS, showing(b.cert())), accept, "101"},
		{"limit: the certificate of a board without EAP-TLS", a.by(useTLS, showing(peap.cert())), accept, "101"},
		{"limit: a pending board's certificate", a.by(useTLS, showing(pending.cert())), accept, "101"},
		{"limit: another station", a.by(usePEAP, from("246f28aa1002")), accept, "101"},
	})
}

// The entry that bears the state lets nobody in.
func TestHostapdStateAdmitsNobody(t *testing.T) {
	t.Parallel()
	s := newSite()
	b := s.enroll("246f28aa1001", all, 0)
	var m memory
	if err := radius.Hostapd(s.hostapd(all), devices(b), m.create); err != nil {
		t.Fatal(err)
	}
	state := must(radius.State(bytes.NewReader(m.files["eap_user"].Bytes())))
	l := startHostapd(t, s.hostapd(all), devices(b), nil)
	name := "tcpboot-state-" + state.Hex()
	l.logins([]row{
		{"EAP-TLS", b.by(useTLS, as(name)), reject, ""},
		{"PEAP", b.by(usePEAP, as(name)), reject, ""},
		{"PEAP, no password", b.by(usePEAP, as(name), knowing("")), reject, ""},
		{"TTLS", b.by(useMSCHAPv2, as(name)), reject, ""},
	})
}

func TestHostapdGolden(t *testing.T) {
	s := newSite()
	noHash := fleet.Admission{Serial: admission(0x66).Serial}
	boards := []*board{
		fixed("246f28aa1001", all, 101, admission(0x11)),
		fixed("246f28aa1002", fleet.TLS, 0, admission(0x22)),
		fixed("246f28aa1003", fleet.PEAP, 4094, admission(0x33)),
		fixed("246f28aa1004", fleet.TTLS|fleet.TLS, 0, admission(0x44)),
		fixed("246f28aa1005", all, 0, noHash),
		fixed("246f28aa1006", fleet.PEAP, 0, noHash),
		fixed("246f28aa1007", all, 0, admission(0x77)).in(fleet.Revoked),
		fixed("246f28aa1008", all, 0, admission(0x88)).in(fleet.Pending),
	}
	for _, eap := range []fleet.EAP{all, fleet.TLS, fleet.TTLS | fleet.PEAP} {
		t.Run(eap.String(), func(t *testing.T) {
			srv := s.hostapd(eap)
			srv.Address = netip.IPv6Unspecified()
			srv.Clients = append(srv.Clients,
				radius.Client{Name: "one", Net: netip.MustParsePrefix("127.0.0.9/32"), Secret: "0123456789"},
				radius.Client{Name: "campus-6", Net: netip.MustParsePrefix("fd00:1::/32"), Secret: "0123456789"})
			var got, again memory
			if err := errors.Join(radius.Hostapd(srv, devices(boards...), got.create), radius.Hostapd(srv, devices(boards...), again.create)); err != nil {
				t.Fatal(err)
			}
			for name, data := range got.files {
				if !bytes.Equal(data.Bytes(), again.files[name].Bytes()) {
					t.Errorf("%s differs when written again", name)
				}
			}
			if want := []string{"radius.key", "radius_clients", "eap_user"}; !slices.Equal(got.secrets, want) {
				t.Errorf("secret files: %q, want %q", got.secrets, want)
			}
			if _, ok := got.files["boards-ca.pem"]; ok != eap.Has(fleet.TLS) {
				t.Errorf("boards-ca.pem written: %t", ok)
			}
			compare(t, "hostapd-"+strings.ReplaceAll(eap.String(), ",", "-"), got.files)
		})
	}
}

// What settings may hold, hostapd takes: an IPv4 client of a server on both
// families, and the secret of the smallest network that holds it.
func TestHostapdBothFamilies(t *testing.T) {
	t.Parallel()
	s := newSite()
	b := s.enroll("246f28aa1001", all, 0)
	srv := s.hostapd(fleet.PEAP)
	srv.Address = netip.IPv6Unspecified()
	srv.Clients = []radius.Client{
		{Name: "all", Net: netip.MustParsePrefix("0.0.0.0/0"), Secret: "not-this-one"},
		{Name: "six", Net: netip.MustParsePrefix("fd00:1::/32"), Secret: "not-this-one"},
		{Name: "one", Net: netip.MustParsePrefix("127.0.0.1/32"), Secret: secret},
	}
	l := startHostapd(t, srv, devices(b), nil)
	l.logins([]row{
		{"PEAP", b.by(usePEAP), accept, ""},
		{"EAP-TLS, which the site does not offer", b.by(useTLS), reject, ""},
	})
}

func TestHostapdRefuses(t *testing.T) {
	s := newSite()
	lost, other := s.enroll("246f28aa1001", all, 0), newSite()
	broken := errors.New("database gone")
	for _, row := range []struct {
		name   string
		change func(*radius.HostapdServer)
		want   string
	}{
		{"an address of its own", func(h *radius.HostapdServer) { h.Address = netip.MustParseAddr("127.0.0.1") }, "every address"},
		{"a database", func(h *radius.HostapdServer) { h.Database = "sqlite:radius.db" }, "files alone"},
		{"no client", func(h *radius.HostapdServer) { h.Clients = nil }, "without one"},
		{"an IPv6 client on IPv4", func(h *radius.HostapdServer) { h.Clients[0].Net = netip.MustParsePrefix("fd00::/8") }, "not ::"},
		{"a secret with a line end", func(h *radius.HostapdServer) { h.Clients[0].Secret = "hunter2-\n" }, "letters, digits"},
		{"no root", func(h *radius.HostapdServer) { h.BoardsRoot = nil }, "boards root"},
		{"another root", func(h *radius.HostapdServer) { h.BoardsRoot = pki.CertificatePEM(other.boards.Root) }, "boards root"},
		{"a root among the CAs", func(h *radius.HostapdServer) { h.BoardsCA = h.BoardsRoot }, "root"},
		{"no CRL", func(h *radius.HostapdServer) { h.CRLs = nil }, "none by"},
		{"a CRL of another site", func(h *radius.HostapdServer) { h.CRLs = other.crl(1) }, "none of the boards CAs"},
		{"rubbish for a CRL", func(h *radius.HostapdServer) {
			h.CRLs = pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: []byte{1}})
		}, "CRL"},
		{"one of two CAs without a CRL", func(h *radius.HostapdServer) {
			h.BoardsCA = append(h.BoardsCA, pki.CertificatePEM(other.boards.CA)...)
		}, "boards root"},
		{"a dead certificate that no CRL lists", func(h *radius.HostapdServer) { h.Dead = revocations(lost.Credential) }, "dead and not listed"},
		{"nobody who knows the dead", func(h *radius.HostapdServer) { h.Dead = nil }, "nobody"},
		{"the dead cannot be read", func(h *radius.HostapdServer) {
			h.Dead = func(yield func(pki.Revocation, error) bool) { yield(pki.Revocation{}, broken) }
		}, "database gone"},
	} {
		t.Run(row.name, func(t *testing.T) {
			srv := s.hostapd(all)
			row.change(&srv)
			var m memory
			err := radius.Hostapd(srv, devices(), m.create)
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Fatalf("error %v, want one with %q", err, row.want)
			}
			if strings.Contains(err.Error(), "hunter2") || len(m.files) != 0 {
				t.Errorf("error %q, %d files written", err, len(m.files))
			}
		})
	}
	b := fixed("246f28aa1001", all, 0, admission(1), until(admission(2), day))
	var m memory
	if err := radius.Hostapd(s.hostapd(all), devices(b), m.create); !errors.Is(err, radius.ErrGrace) || slices.Contains(m.closed, "eap_user") {
		t.Errorf("a board in its grace: error %v, closed %q", err, m.closed)
	}
}

// Without a CRL nobody gets in by a certificate, whatever the file says of him.
func TestHostapdFailsClosed(t *testing.T) {
	t.Parallel()
	s := newSite()
	b := s.enroll("246f28aa1001", all, 0)
	l := startHostapd(t, s.hostapd(all), devices(b), func(dir string) {
		replace(dir, "boards-ca.pem", pki.CertificatePEM(s.boards.Root, s.boards.CA))
	})
	l.logins([]row{
		{"EAP-TLS", b.by(useTLS), reject, ""},
		{"PEAP", b.by(usePEAP), accept, ""},
	})
}
