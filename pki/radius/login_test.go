package radius_test

import (
	"testing"
)

func TestRightCredentials(t *testing.T) {
	s := newSite()
	a := s.enroll("246f28aa1001", all, 101)
	b := s.enroll("246f28aa1002", all, 0)
	l := start(t, s.server(all), devices(a, b), nil)
	l.logins([]row{
		{"EAP-TLS", a.by(useTLS, s), accept, "101"},
		{"PEAP-MSCHAPv2", a.by(usePEAP, s), accept, "101"},
		{"TTLS-PAP", a.by(usePAP, s), accept, "101"},
		{"TTLS-MSCHAPv2", a.by(useMSCHAPv2, s), accept, "101"},
		{"EAP-TLS, no VLAN", b.by(useTLS, s), accept, ""},
		{"PEAP-MSCHAPv2, no VLAN", b.by(usePEAP, s), accept, ""},
	})
}
