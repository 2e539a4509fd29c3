package radius_test

import (
	"bytes"
	"fmt"
	"net"
	"sync"
	"testing"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/radius"
)

// A relay stands between a station's access point and the server. It counts the
// requests and holds one of them back for as long as it likes.
type relay struct {
	port    uint16
	hold    int           // the number of the request, from 1; zero: none
	held    chan struct{} // closed when it is there
	release chan struct{} // close it

	mu    sync.Mutex
	count int
}

// newRelay relays one login to the server.
func newRelay(t *testing.T, server uint16, hold int) *relay {
	t.Helper()
	r := &relay{hold: hold, held: make(chan struct{}), release: make(chan struct{})}
	in := must(net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}))
	out := must(net.DialUDP("udp", nil, &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: int(server)}))
	t.Cleanup(func() { in.Close(); out.Close() })
	r.port = in.LocalAddr().(*net.UDPAddr).AddrPort().Port()
	go r.run(in, out)
	return r
}

// run carries requests and answers by turns, as EAP has them. One that is sent
// again while it is held is the same, and waits in the socket.
func (r *relay) run(in, out *net.UDPConn) {
	b := make([]byte, 4096)
	var last byte
	for {
		n, from, err := in.ReadFromUDP(b)
		if err != nil {
			return
		}
		if again := r.seen() > 0 && b[1] == last; again {
			continue
		}
		last = b[1]
		if r.next() == r.hold {
			close(r.held)
			<-r.release
		}
		out.Write(b[:n])
		if n, err = out.Read(b); err != nil {
			return
		}
		in.WriteToUDP(b[:n], from)
	}
}

func (r *relay) next() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.count++
	return r.count
}

func (r *relay) seen() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.count
}

// A login that was all but accepted, and held there until its board was revoked
// or got another credential, is refused.
func TestHeldLogin(t *testing.T) {
	t.Parallel()
	s := newSite()
	lost := s.enroll("246f28aa1001", all, 101)
	rotated := s.enroll("246f28aa1002", all, 102)
	grace := s.enroll("246f28aa1003", all, 103)
	stays := s.enroll("246f28aa1004", all, 0)
	l := start(t, s.server(all), devices(lost, rotated, grace, stays), nil)
	bin := program(t, "eapol_test", "eapoltest")
	through := func(r *relay, x login) outcome {
		via := &lab{t: t, port: r.port}
		return must(via.login(t.Context(), bin, x))
	}
	type held struct {
		name, want, vlan string
		relay            *relay
		got              chan outcome
	}
	var all []*held
	for method, how := range map[string]string{"EAP-TLS": useTLS, "PEAP": usePEAP, "TTLS-PAP": usePAP} {
		count := newRelay(t, l.port, 0)
		if o := through(count, stays.by(how)); o.verdict != accept {
			t.Fatalf("%s: %s\n%s", method, o.verdict, o.output)
		}
		for _, b := range []struct {
			name, want, vlan string
			login            login
		}{
			{"revoked", reject, "", lost.by(how)},
			{"rotated", reject, "", rotated.by(how)},
			{"in its grace", accept, "103", grace.by(how)},
			{"left alone", accept, "", stays.by(how)},
		} {
			h := &held{fmt.Sprintf("%s, %s", method, b.name), b.want, b.vlan, newRelay(t, l.port, count.seen()), make(chan outcome, 1)}
			go func() { h.got <- through(h.relay, b.login) }()
			all = append(all, h)
		}
	}
	for _, h := range all {
		<-h.relay.held
	}
	lost.in(fleet.Revoked)
	rotated.rotate(day)
	rotated.Admissions = rotated.Admissions[:1]
	grace.rotate(day.AddDate(100, 0, 0))
	var m memory
	if err := radius.Export(s.server(lost.EAP), devices(lost, rotated, grace, stays), m.create); err != nil {
		t.Fatal(err)
	}
	state := l.put(t, &m, "authorize")
	if err := radius.Reload(t.Context(), l.freeradius(), state); err != nil {
		t.Fatal(err)
	}
	for _, h := range all {
		close(h.relay.release)
	}
	for _, h := range all {
		if o := <-h.got; o.verdict != h.want || o.vlan != h.vlan {
			t.Errorf("%s: %s, VLAN %q; want %s, VLAN %q\n%s", h.name, o.verdict, o.vlan, h.want, h.vlan, bytes.TrimSpace([]byte(o.output[max(0, len(o.output)-200):])))
		}
	}
}

// With hostapd it ends with the restart, also for a board with a VLAN: at a HUP
// hostapd 2.10 would give its accept attributes that are no longer there.
func TestHeldLoginHostapd(t *testing.T) {
	t.Parallel()
	s := newSite()
	lost := s.enroll("246f28aa1001", all, 101)
	l := startHostapd(t, s.hostapd(all), devices(lost), nil)
	bin := program(t, "eapol_test", "eapoltest")
	count := newRelay(t, l.port, 0)
	through := func(r *relay) outcome {
		via := &lab{t: t, port: r.port}
		return must(via.login(t.Context(), bin, lost.by(usePEAP)))
	}
	if o := through(count); o.verdict != accept {
		t.Fatalf("%s\n%s", o.verdict, o.output)
	}
	r := newRelay(t, l.port, count.seen())
	got := make(chan outcome, 1)
	go func() { got <- through(r) }()
	<-r.held
	lost.in(fleet.Revoked)
	var m memory
	if err := radius.Hostapd(s.hostapd(all, lost.Credential), devices(lost), m.create); err != nil {
		t.Fatal(err)
	}
	if err := radius.Reload(t.Context(), l.hostapd(), l.put(t, &m, "eap_user", "boards-ca.pem")); err != nil {
		t.Fatal(err)
	}
	close(r.release)
	if o := <-got; o.verdict == accept {
		t.Errorf("%s\n%s", o.verdict, l.output)
	}
}
