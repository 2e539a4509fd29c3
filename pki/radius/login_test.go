package radius_test

import (
	"testing"
	"time"

	"github.com/tcpboot/tcpboot/pki"
	"github.com/tcpboot/tcpboot/pki/fleet"
)

// Changes to a login.
func from(station string) func(*login)   { return func(x *login) { x.station = station } }
func as(identity string) func(*login)    { return func(x *login) { x.identity = identity } }
func outer(identity string) func(*login) { return func(x *login) { x.anonymous = identity } }
func knowing(pw string) func(*login)     { return func(x *login) { x.password = pw } }
func showing(c cert) func(*login)        { return func(x *login) { x.cert = c } }
func expecting(name string) func(*login) { return func(x *login) { x.name = name } }
func under(a *pki.Authority) func(*login) {
	return func(x *login) { x.ca = pki.CertificatePEM(a.Root) }
}

func TestRightCredentials(t *testing.T) {
	t.Parallel()
	s := newSite()
	a := s.enroll("246f28aa1001", all, 101)
	b := s.enroll("246f28aa1002", all, 0)
	l := start(t, s.server(all), devices(a, b), nil)
	l.logins([]row{
		{"EAP-TLS", a.by(useTLS), accept, "101"},
		{"PEAP-MSCHAPv2", a.by(usePEAP), accept, "101"},
		{"TTLS-PAP", a.by(usePAP), accept, "101"},
		{"TTLS-MSCHAPv2", a.by(useMSCHAPv2), accept, "101"},
		{"EAP-TLS, no VLAN", b.by(useTLS), accept, ""},
		{"PEAP-MSCHAPv2, no VLAN", b.by(usePEAP), accept, ""},

		{"PEAP, anonymous outside", a.by(usePEAP, outer("anonymous")), accept, "101"},
		{"TTLS-PAP, anonymous outside", a.by(usePAP, outer("anonymous@example.org")), accept, "101"},
		{"PEAP, another board outside", a.by(usePEAP, outer("246f28aa1002")), accept, "101"},
		{"certificate and a wrong password", a.by(useTLS+" PEAP", knowing("wrong")), accept, "101"},

		{"station with hyphens", a.by(useTLS, from("24-6F-28-AA-10-01")), accept, "101"},
		{"station with colons", a.by(usePEAP, from("24:6f:28:aa:10:01")), accept, "101"},
		{"station with dots", a.by(usePAP, from("246f.28aa.1001")), accept, "101"},
		{"station in halves", a.by(useTLS, from("246F28-AA1001")), accept, "101"},
	})
}

func TestWrongCredentials(t *testing.T) {
	t.Parallel()
	s := newSite()
	a := s.enroll("246f28aa1001", all, 101)
	b := s.enroll("246f28aa1002", all, 102)
	l := start(t, s.server(all), devices(a, b), nil)
	l.logins([]row{
		{"wrong password, PEAP", a.by(usePEAP, knowing("wrong")), reject, ""},
		{"wrong password, TTLS-PAP", a.by(usePAP, knowing("wrong")), reject, ""},
		{"wrong password, TTLS-MSCHAPv2", a.by(useMSCHAPv2, knowing("wrong")), reject, ""},
		{"no password, TTLS-PAP", a.by(usePAP, knowing("")), reject, ""},
		{"another board's password", a.by(usePEAP, knowing(b.Password)), reject, ""},
		{"another board's certificate", a.by(useTLS, showing(b.cert())), reject, ""},
		{"another board's certificate and identity", a.by(useTLS, as("246f28aa1002"), showing(b.cert())), reject, ""},
		{"another board inside the tunnel", a.by(usePEAP, as("246f28aa1002"), knowing(b.Password)), reject, ""},

		{"another station, EAP-TLS", a.by(useTLS, from("246f28aa1002")), reject, ""},
		{"another station, PEAP", a.by(usePEAP, from("246f28aa1002")), reject, ""},
		{"another station, TTLS-PAP", a.by(usePAP, from("246f28aa1002")), reject, ""},
		{"no station", a.by(useTLS, from("-")), reject, ""},
		{"no station, PEAP", a.by(usePEAP, from("-")), reject, ""},
		{"station and network name", a.by(useTLS, from("24-6F-28-AA-10-01:lab")), reject, ""},
		{"station behind something", a.by(useTLS, from("x24-6F-28-AA-10-01")), reject, ""},
		{"station cut short", a.by(useTLS, from("24-6F-28-AA-10-0")), reject, ""},
		{"station that expands", a.by(usePAP, from("%{User-Name}")), reject, ""},

		{"unknown board with another's certificate", a.by(useTLS, as("246f28aa1003"), from("246f28aa1003")), reject, ""},
		{"unknown board with a password", a.by(usePEAP, as("246f28aa1003"), from("246f28aa1003")), reject, ""},
		{"anonymous with a certificate", a.by(useTLS, as("anonymous")), reject, ""},
		{"upper-case identity, EAP-TLS", a.by(useTLS, as("246F28AA1001")), reject, ""},
		{"upper-case identity, PEAP", a.by(usePEAP, as("246F28AA1001")), reject, ""},
		{"identity with an end of string, EAP-TLS", a.by(useTLS, as("246f28aa1001\x00x")), reject, ""},
		{"identity with an end of string, PEAP", a.by(usePEAP, as("246f28aa1001\x00x")), reject, ""},
		{"identity that expands", a.by(usePAP, as("%{outer.request:Tcpboot-Station}")), reject, ""},
		{"identity DEFAULT", a.by(usePAP, as("DEFAULT")), reject, ""},

		{"certificate of the RADIUS CA", a.by(useTLS, showing(certify(s.radius, a.Device.MAC.String()))), reject, ""},
		{"certificate of the servers CA", a.by(useTLS, showing(certify(s.servers, a.Device.MAC.String()))), reject, ""},
		{"certificate of a CA of the same name", a.by(useTLS, showing(a.forged())), reject, ""},

		{"TTLS-CHAP", a.by("eap=TTLS\nphase2=\"auth=CHAP\""), reject, ""},
		{"TTLS-MSCHAP", a.by("eap=TTLS\nphase2=\"auth=MSCHAP\""), reject, ""},
		{"TTLS-EAP-MSCHAPv2", a.by("eap=TTLS\nphase2=\"autheap=MSCHAPV2\""), reject, ""},
		{"TTLS-EAP-GTC", a.by("eap=TTLS\nphase2=\"autheap=GTC\""), reject, ""},
		{"PEAP-GTC", a.by("eap=PEAP\nphase2=\"auth=GTC\""), reject, ""},
		{"EAP-MD5", a.by("eap=MD5"), reject, ""},
		{"EAP-MSCHAPv2 without a tunnel", a.by("eap=MSCHAPV2"), reject, ""},
	})
}

// While the boards CA is renewed, two of one name issue what boards show.
func TestTwoCAs(t *testing.T) {
	t.Parallel()
	s, renewed := newSite(), newSite()
	a := s.enroll("246f28aa1001", all, 101)
	b := renewed.enroll("246f28aa1002", all, 102)
	srv := s.server(all)
	srv.BoardsCA = pki.CertificatePEM(s.boards.CA, renewed.boards.CA)
	l := start(t, srv, devices(a, b), nil)
	l.logins([]row{
		{"old CA", a.by(useTLS), accept, "101"},
		{"new CA", b.by(useTLS, under(s.radius)), accept, "102"},
		{"new CA, not listed", a.by(useTLS, showing(renewed.enroll("246f28aa1001", all, 0).cert())), reject, ""},
	})
}

func TestMethodsOfABoard(t *testing.T) {
	t.Parallel()
	s := newSite()
	tls := s.enroll("246f28aa1001", fleet.TLS, 0)
	peap := s.enroll("246f28aa1002", fleet.PEAP, 0)
	ttls := s.enroll("246f28aa1003", fleet.TTLS, 0)
	l := start(t, s.server(all), devices(tls, peap, ttls), nil)
	l.logins([]row{
		{"tls by EAP-TLS", tls.by(useTLS), accept, ""},
		{"tls by PEAP", tls.by(usePEAP), reject, ""},
		{"tls by TTLS-PAP", tls.by(usePAP), reject, ""},
		{"tls by TTLS-MSCHAPv2", tls.by(useMSCHAPv2), reject, ""},
		{"peap by EAP-TLS", peap.by(useTLS), reject, ""},
		{"peap by PEAP", peap.by(usePEAP), accept, ""},
		{"peap by TTLS-PAP", peap.by(usePAP), reject, ""},
		{"peap by TTLS-MSCHAPv2", peap.by(useMSCHAPv2), reject, ""},
		{"ttls by EAP-TLS", ttls.by(useTLS), reject, ""},
		{"ttls by PEAP", ttls.by(usePEAP), reject, ""},
		{"ttls by TTLS-PAP", ttls.by(usePAP), accept, ""},
		{"ttls by TTLS-MSCHAPv2", ttls.by(useMSCHAPv2), accept, ""},
	})
}

// A site offers what its settings say, whatever its boards could do.
func TestMethodsOfASite(t *testing.T) {
	t.Parallel()
	s := newSite()
	b := s.enroll("246f28aa1001", all, 7)
	for eap := fleet.EAP(1); eap < all; eap++ {
		t.Run(eap.String(), func(t *testing.T) {
			l := start(t, s.server(eap), devices(b), nil)
			try := func(m fleet.EAP, name, method string) row {
				if eap.Has(m) {
					return row{name, b.by(method), accept, "7"}
				}
				return row{name, b.by(method), reject, ""}
			}
			l.logins([]row{
				try(fleet.TLS, "EAP-TLS", useTLS),
				try(fleet.PEAP, "PEAP", usePEAP),
				try(fleet.TTLS, "TTLS-PAP", usePAP),
			})
		})
	}
}

func TestStates(t *testing.T) {
	t.Parallel()
	s := newSite()
	pending := s.enroll("246f28aa1001", all, 0).in(fleet.Pending)
	revoked := s.enroll("246f28aa1002", all, 0).in(fleet.Revoked)
	rotated := s.enroll("246f28aa1003", all, 101)
	before := rotated.rotate(time.Time{})
	l := start(t, s.server(all), devices(pending, revoked, rotated), nil)
	l.logins([]row{
		{"pending, EAP-TLS", pending.by(useTLS), reject, ""},
		{"pending, PEAP", pending.by(usePEAP), reject, ""},
		{"revoked, EAP-TLS", revoked.by(useTLS), reject, ""},
		{"revoked, PEAP", revoked.by(usePEAP), reject, ""},
		{"revoked, TTLS-PAP", revoked.by(usePAP), reject, ""},
		{"rotated, EAP-TLS", rotated.by(useTLS), accept, "101"},
		{"rotated, PEAP", rotated.by(usePEAP), accept, "101"},
		{"old certificate", before.by(useTLS), reject, ""},
		{"old password, PEAP", before.by(usePEAP), reject, ""},
		{"old password, TTLS-PAP", before.by(usePAP), reject, ""},
		{"old password, TTLS-MSCHAPv2", before.by(useMSCHAPv2), reject, ""},
	})
}

func TestGrace(t *testing.T) {
	t.Parallel()
	s := newSite()
	now := time.Now()
	open := s.enroll("246f28aa1001", all, 101)
	openOld := open.rotate(now.Add(time.Hour))
	over := s.enroll("246f28aa1002", all, 102)
	overOld := over.rotate(now.Add(-time.Second))
	endless := s.enroll("246f28aa1003", all, 103)
	endlessOld := endless.rotate(time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC))
	l := start(t, s.server(all), devices(open, over, endless), nil)
	l.logins([]row{
		{"new certificate", open.by(useTLS), accept, "101"},
		{"new password, PEAP", open.by(usePEAP), accept, "101"},
		{"new password, TTLS-PAP", open.by(usePAP), accept, "101"},
		{"new password, TTLS-MSCHAPv2", open.by(useMSCHAPv2), accept, "101"},
		{"old certificate", openOld.by(useTLS), accept, "101"},
		{"old password, PEAP", openOld.by(usePEAP), accept, "101"},
		{"old password, TTLS-PAP", openOld.by(usePAP), accept, "101"},
		{"old password, TTLS-MSCHAPv2", openOld.by(useMSCHAPv2), accept, "101"},
		{"neither password, PEAP", open.by(usePEAP, knowing("wrong")), reject, ""},
		{"neither password, TTLS-PAP", open.by(usePAP, knowing("wrong")), reject, ""},
		{"neither password, TTLS-MSCHAPv2", open.by(useMSCHAPv2, knowing("wrong")), reject, ""},
		{"another grace's password", open.by(usePEAP, knowing(endlessOld.Password)), reject, ""},
		{"another grace's certificate", open.by(useTLS, showing(endlessOld.cert())), reject, ""},

		{"over, new certificate", over.by(useTLS), accept, "102"},
		{"over, new password", over.by(usePEAP), accept, "102"},
		{"over, old certificate", overOld.by(useTLS), reject, ""},
		{"over, old password, PEAP", overOld.by(usePEAP), reject, ""},
		{"over, old password, TTLS-PAP", overOld.by(usePAP), reject, ""},
		{"over, old password, TTLS-MSCHAPv2", overOld.by(useMSCHAPv2), reject, ""},
		{"endless, old certificate", endlessOld.by(useTLS), accept, "103"},
	})
}
