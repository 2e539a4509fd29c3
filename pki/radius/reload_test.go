package radius_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/radius"
)

// put replaces files of the folder that the server runs on, those whose names
// are given, and returns the state of the list.
func (l *lab) put(t *testing.T, from *memory, list string, others ...string) fleet.Digest {
	t.Helper()
	if err := os.Chmod(l.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range append(others, list) {
		replace(l.dir, name, from.files[name].Bytes())
	}
	l.give()
	return must(radius.State(bytes.NewReader(from.files[list].Bytes())))
}

func (l *lab) query() radius.Query {
	return radius.Query{Server: netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), l.port), Secret: secret}
}

// freeradius is the running FreeRADIUS of the lab.
func (l *lab) freeradius() radius.Running {
	return radius.Running{
		Ask: l.query().FreeRADIUS,
		Signal: func(context.Context) error {
			return errors.Join(radius.Touch(l.dir, time.Now()), l.server.Signal(syscall.SIGHUP))
		},
	}
}

// hostapd is the running hostapd of the lab.
func (l *lab) hostapd() radius.Running {
	return radius.Running{
		Ask: l.query().Hostapd,
		Signal: func(context.Context) error {
			l.end()
			l.output = newLog()
			return l.runHostapd()
		},
	}
}

// After Reload the revoked board is out, the enrolled one in, and nobody else
// notices. The server has only just started: it takes no HUP so soon.
func TestReload(t *testing.T) {
	t.Parallel()
	s := newSite()
	lost := s.enroll("246f28aa1001", all, 0)
	stays := s.enroll("246f28aa1002", all, 0)
	added := s.enroll("246f28aa1003", all, 0)
	l := start(t, s.server(all), devices(lost, stays), nil)
	l.logins([]row{
		{"before, the lost board", lost.by(useTLS), accept, ""},
		{"before, the added board", added.by(useTLS), reject, ""},
	})
	lost.in(fleet.Revoked)
	var m memory
	if err := radius.Export(s.server(all), devices(lost, stays, added), m.create); err != nil {
		t.Fatal(err)
	}
	state := l.put(t, &m, "authorize")
	if inForce, err := l.query().FreeRADIUS(t.Context(), state); inForce || err != nil {
		t.Fatalf("before the reload: in force %t, error %v", inForce, err)
	}
	if err := radius.Reload(t.Context(), l.freeradius(), state); err != nil {
		t.Fatalf("%v\n%s", err, l.output)
	}
	l.logins([]row{
		{"the lost board, EAP-TLS", lost.by(useTLS), reject, ""},
		{"the lost board, PEAP", lost.by(usePEAP), reject, ""},
		{"the lost board, TTLS-PAP", lost.by(usePAP), reject, ""},
		{"the other board", stays.by(useTLS), accept, ""},
		{"the added board", added.by(usePEAP), accept, ""},
		{"the name of the state, EAP-TLS", stays.by(useTLS, as("tcpboot-state-"+state.Hex())), reject, ""},
		{"the name of the state, PEAP", stays.by(usePEAP, as("tcpboot-state-"+state.Hex())), reject, ""},
		{"the name of the state as a station too", stays.by(usePAP, as("tcpboot-state-"+state.Hex()), from("tcpboot-state-"+state.Hex())), reject, ""},
	})
	quiet := l.freeradius()
	quiet.Signal = func(context.Context) error { return errors.New("signalled for nothing") }
	if err := radius.Reload(t.Context(), quiet, state); err != nil {
		t.Errorf("in force already: %v", err)
	}
}

// The same for hostapd, where a list of dead certificates has to follow.
func TestReloadHostapd(t *testing.T) {
	t.Parallel()
	s := newSite()
	lost := s.enroll("246f28aa1001", all, 0)
	stays := s.enroll("246f28aa1002", all, 0)
	l := startHostapd(t, s.hostapd(all), devices(lost, stays), nil)
	l.logins([]row{
		{"before, the lost board", lost.by(useTLS), accept, ""},
		{"before, the lost board as the other", lost.by(useTLS, as("246f28aa1002")), accept, ""},
	})
	lost.in(fleet.Revoked)
	var m memory
	if err := radius.Hostapd(s.hostapd(all, lost.Credential), devices(lost, stays), m.create); err != nil {
		t.Fatal(err)
	}
	state := l.put(t, &m, "eap_user", "boards-ca.pem")
	if inForce, err := l.query().Hostapd(t.Context(), state); inForce || err != nil {
		t.Fatalf("before the reload: in force %t, error %v", inForce, err)
	}
	if err := radius.Reload(t.Context(), l.hostapd(), state); err != nil {
		t.Fatalf("%v\n%s", err, l.output)
	}
	l.logins([]row{
		{"the lost board, EAP-TLS", lost.by(useTLS), reject, ""},
		{"the lost board as the other", lost.by(useTLS, as("246f28aa1002")), reject, ""},
		{"the lost board, PEAP", lost.by(usePEAP), reject, ""},
		{"the other board", stays.by(useTLS), accept, ""},
	})
}

// The state is all that can be asked, and clients alone are answered.
func TestStatusTellsNothingElse(t *testing.T) {
	t.Parallel()
	s := newSite()
	b := s.enroll("246f28aa1001", all, 101)
	l := start(t, s.server(all), devices(b), nil)
	for _, row := range []struct{ name, question, secret, want, never string }{
		{"nothing", "", secret, "Received Access-Accept", "Reply-Message"},
		{"a board", `User-Name = "246f28aa1001"`, secret, "Received Access-Accept", "Reply-Message"},
		{"a board behind the name", `User-Name = "tcpboot-state-246f28aa1001"`, secret, "Received Access-Accept", "Reply-Message"},
		{"another state", `User-Name = "tcpboot-state-` + strings.Repeat("0", 64) + `"`, secret, "Received Access-Accept", "Reply-Message"},
		{"with another secret", "", "another-secret", "Sent Status-Server", "Received"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(program(t, "radclient", "freeradius-utils"), "-r", "1", "-t", "2", fmt.Sprintf("127.0.0.1:%d", l.port), "status", row.secret)
			cmd.Stdin = strings.NewReader("Message-Authenticator = 0x00\n" + row.question + "\n")
			out, err := cmd.CombinedOutput() // fails when there is no answer
			if !strings.Contains(string(out), row.want) || strings.Contains(string(out), row.never) {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

func TestQuery(t *testing.T) {
	s := newSite()
	for _, row := range []struct {
		name, address string
		clients       []radius.Client
		want          radius.Query
	}{
		{"everywhere", "0.0.0.0", []radius.Client{{Net: netip.MustParsePrefix("127.0.0.0/8"), Secret: "a"}},
			radius.Query{Server: netip.MustParseAddrPort("127.0.0.1:1812"), Secret: "a"}},
		{"everywhere, IPv6", "::", []radius.Client{{Net: netip.MustParsePrefix("127.0.0.0/8"), Secret: "a"}, {Net: netip.MustParsePrefix("::1/128"), Secret: "b"}},
			radius.Query{Server: netip.MustParseAddrPort("[::1]:1812"), Secret: "b"}},
		{"one address, the smaller network", "10.1.2.3", []radius.Client{{Net: netip.MustParsePrefix("10.0.0.0/8"), Secret: "a"}, {Net: netip.MustParsePrefix("10.1.0.0/16"), Secret: "b"}},
			radius.Query{Server: netip.MustParseAddrPort("10.1.2.3:1812"), Secret: "b"}},
		{"no client of this machine", "0.0.0.0", []radius.Client{{Net: netip.MustParsePrefix("10.0.0.0/8"), Secret: "a"}}, radius.Query{}},
	} {
		srv := s.server(all)
		srv.Address, srv.Clients = netip.MustParseAddr(row.address), row.clients
		got, err := srv.Query()
		if got != row.want || (err == nil) != (row.want != radius.Query{}) {
			t.Errorf("%s: got %v, error %v; want %v", row.name, got, err, row.want)
		}
	}
}

// A clock that passes when it is slept by.
type clock struct{ now time.Time }

func (c *clock) set(r radius.Running) radius.Running {
	c.now = day
	r.Now = func() time.Time { return c.now }
	r.Sleep = func(ctx context.Context, d time.Duration) error { c.now = c.now.Add(d); return ctx.Err() }
	return r
}

// A reload that does not happen is never taken for one.
func TestReloadFails(t *testing.T) {
	t.Parallel()
	s := newSite()
	lost := s.enroll("246f28aa1001", all, 0)
	state := func() fleet.Digest {
		var m memory
		if err := radius.Export(s.server(all), devices(), m.create); err != nil {
			t.Fatal(err)
		}
		return must(radius.State(bytes.NewReader(m.files["authorize"].Bytes())))
	}()
	refuse := errors.New("no such unit")
	for _, row := range []struct {
		name   string
		change func(*lab, *radius.Running)
		want   string
	}{
		{"the signal does nothing", func(_ *lab, r *radius.Running) {
			r.Signal = func(context.Context) error { return nil }
		}, "another list"},
		{"the signal cannot be given", func(_ *lab, r *radius.Running) {
			r.Signal = func(context.Context) error { return refuse }
		}, "no such unit"},
		{"the server has ended", func(l *lab, r *radius.Running) {
			l.end()
			r.Signal = func(context.Context) error { return nil }
		}, "refused"},
		{"a wrong secret", func(l *lab, r *radius.Running) {
			q := l.query()
			q.Secret = "another-secret"
			r.Ask = q.FreeRADIUS
			r.Patience = time.Nanosecond
		}, "no answer"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			l := start(t, s.server(all), devices(lost), nil)
			r := new(clock).set(l.freeradius())
			row.change(l, &r)
			err := radius.Reload(t.Context(), r, state)
			if !errors.Is(err, radius.ErrStillAdmitted) || !strings.Contains(err.Error(), row.want) || !strings.Contains(err.Error(), "still admitted") {
				t.Errorf("error %v, want ErrStillAdmitted and %q", err, row.want)
			}
		})
	}
}

// A server that hangs is given up on when the caller gives up.
func TestReloadHangs(t *testing.T) {
	t.Parallel()
	s := newSite()
	l := start(t, s.server(all), devices(), nil)
	if err := l.server.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	err := radius.Reload(ctx, l.freeradius(), fleet.Digest{})
	if !errors.Is(err, radius.ErrStillAdmitted) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v, want ErrStillAdmitted and %v", err, context.DeadlineExceeded)
	}
}

// Who is asked, how often, and when the signal is given.
func TestReloadPace(t *testing.T) {
	silent := errors.New("no answer")
	for _, row := range []struct {
		name    string
		ask     func(second float64, signals int) (bool, error)
		signals int
		ok      bool
	}{
		{"in force at once", func(float64, int) (bool, error) { return true, nil }, 0, true},
		{"after one signal", func(_ float64, n int) (bool, error) { return n == 1, nil }, 1, true},
		{"the first signal is lost", func(_ float64, n int) (bool, error) { return n == 2, nil }, 2, true},
		{"busy for long after the signal", func(s float64, n int) (bool, error) { return s > 30, silent }, 1, true},
		{"never, with an answer", func(float64, int) (bool, error) { return false, nil }, 10, false},
		{"never, without", func(float64, int) (bool, error) { return false, silent }, 1, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			var c clock
			var signals int
			r := c.set(radius.Running{
				Ask: func(context.Context, fleet.Digest) (bool, error) {
					return row.ask(c.now.Sub(day).Seconds(), signals)
				},
				Signal: func(context.Context) error { signals++; return nil },
			})
			err := radius.Reload(t.Context(), r, fleet.Digest{})
			if (err == nil) != row.ok || signals != row.signals {
				t.Errorf("error %v, %d signals; want ok %t, %d", err, signals, row.ok, row.signals)
			}
			if took := c.now.Sub(day); took > time.Minute+time.Second {
				t.Errorf("took %s", took)
			}
		})
	}
}

// A HUP is given to RADIUS servers and to nobody who has the number of one.
func TestHUP(t *testing.T) {
	t.Parallel()
	s := newSite()
	l := start(t, s.server(all), devices(), nil)
	file := filepath.Join(t.TempDir(), "pid")
	hup := func(text string) error {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return radius.HUP(file)
	}
	if err := hup(fmt.Sprintf("%d\n", l.server.Pid)); err != nil {
		t.Error(err)
	}
	l.wait(t, "Received HUP")
	other := exec.Command("cat")
	in := must(other.StdinPipe())
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"another program": fmt.Sprint(other.Process.Pid), "nothing": "", "a group": "-1", "ourselves": "0", "init": "1", "no number": "x",
	} {
		if err := hup(text); err == nil {
			t.Errorf("%s: a HUP was sent", name)
		}
	}
	in.Close()
	if err := other.Wait(); err != nil {
		t.Errorf("the other program: %v", err)
	}
	if err := radius.HUP(file + "x"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: error %v", err)
	}
}
