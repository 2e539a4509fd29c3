package radius_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/radius"
)

// inNamespace is true in a network namespace of this test's own. Elsewhere it
// runs the test in one and is false.
func inNamespace(t *testing.T) bool {
	t.Helper()
	const here = "TCPBOOT_TEST_IN_NAMESPACE"
	if os.Getenv(here) != "" {
		return true
	}
	args := []string{"--net"}
	if os.Geteuid() != 0 {
		args = append(args, "--user", "--map-root-user")
	}
	args = append(args, os.Args[0], "-test.v", "-test.run=^"+t.Name()+"$")
	cmd := exec.CommandContext(t.Context(), program(t, "unshare", "util-linux"), args...)
	cmd.Env = append(os.Environ(), here+"=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return false
}

// Addresses and secrets of the access switch.
var (
	nasAddress  = netip.MustParseAddrPort("127.0.0.1:3799")
	nasSecret   = "a-nas-secret"
	stationMAC  = must(fleet.ParseMAC("246f28aa1001"))
	elsewhere   = must(fleet.ParseMAC("246f28aa1002"))
	nobodyThere = must(fleet.ParseMAC("246f28aa10ff"))
)

// A port is one end of a cable with a switch on it (hostapd) and a station on the
// other (wpa_supplicant).
type port struct {
	t      *testing.T
	dir    string
	server *lab // RADIUS
	nas    *lab
}

const nasConf = `
interface=nas
driver=wired
logger_stdout=-1
logger_stdout_level=0
ieee8021x=1
use_pae_group_addr=1
own_ip_addr=127.0.0.1
nas_identifier=switch
auth_server_addr=127.0.0.1
auth_server_port=%d
auth_server_shared_secret=%s
radius_das_client=127.0.0.1 %s
radius_das_port=%d
radius_das_require_event_timestamp=1
radius_das_require_message_authenticator=1
`

// cable lays the cable, puts a RADIUS server in place that admits boards, and
// starts the switch.
func cable(t *testing.T, s *site, boards ...*board) *port {
	t.Helper()
	for _, line := range []string{
		"link set lo up",
		"link add nas type veth peer name station",
		"link set nas up",
	} {
		if out, err := exec.Command(program(t, "ip", "iproute2"), strings.Fields(line)...).CombinedOutput(); err != nil {
			t.Fatalf("ip %s: %v\n%s", line, err, out)
		}
	}
	p := &port{t: t, dir: t.TempDir()}
	p.server = &lab{t: t, dir: folder(t), root: true, output: newLog()}
	srv := s.hostapd(all)
	if err := radius.Hostapd(srv, devices(boards...), creator(p.server.dir)); err != nil {
		t.Fatal(err)
	}
	p.server.launchIn(p.server.dir, "AP-ENABLED", "hostapd", "hostapd", "hostapd.conf")
	conf := fmt.Sprintf(nasConf, srv.Port, secret, nasSecret, nasAddress.Port())
	if err := os.WriteFile(filepath.Join(p.dir, "nas.conf"), []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	p.nas = &lab{t: t, root: true, output: newLog()}
	p.nas.launchIn(p.dir, "AP-ENABLED", "hostapd", "hostapd", "nas.conf")
	return p
}

func (l *lab) launchIn(dir, ready, bin, pkg string, args ...string) {
	l.t.Helper()
	cmd := exec.Command(program(l.t, bin, pkg), args...)
	cmd.Dir = dir
	if _, err := l.launch(cmd, ready); err != nil {
		l.t.Fatalf("%s: %v\n%s", bin, err, l.output)
	}
}

// login logs a station in with the given address, as x says, and waits until the
// switch has opened the port to it. It returns what takes the station away.
func (p *port) login(mac fleet.MAC, x login) (leave func()) {
	p.t.Helper()
	ip := program(p.t, "ip", "iproute2")
	for _, line := range []string{"link set station down", "link set station address " + colons(mac), "link set station up"} {
		if out, err := exec.Command(ip, strings.Fields(line)...).CombinedOutput(); err != nil {
			p.t.Fatalf("ip %s: %v\n%s", line, err, out)
		}
	}
	if err := x.write(p.dir); err != nil {
		p.t.Fatal(err)
	}
	station := &lab{t: p.t, root: true, output: newLog()}
	station.launchIn(p.dir, "CTRL-EVENT-CONNECTED", "wpa_supplicant", "wpasupplicant", "-D", "wired", "-i", "station", "-c", "conf")
	p.nas.wait(p.t, "STA "+colons(mac)+" IEEE 802.1X: authenticated")
	return station.end
}

func colons(mac fleet.MAC) string {
	d := mac.String()
	return fmt.Sprintf("%s:%s:%s:%s:%s:%s", d[:2], d[2:4], d[4:6], d[6:8], d[8:10], d[10:])
}

// A running session ends when it is told to, and by whoever may tell it.
func TestDisconnect(t *testing.T) {
	t.Parallel()
	if !inNamespace(t) {
		return
	}
	s := newSite()
	b := s.enroll(stationMAC.String(), all, 101)
	p := cable(t, s, b)
	cut := func(patience time.Duration, secret string, mac fleet.MAC, now time.Time) error {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		return radius.Disconnect(ctx, nasAddress, secret, mac, now)
	}
	const soon, later = 300 * time.Millisecond, 10 * time.Second
	ended := "AP-STA-DISCONNECTED "

	leave := p.login(stationMAC, b.by(useTLS))
	for _, row := range []struct {
		name  string
		err   error
		check func(error) bool
	}{
		{"a board that is not there", cut(later, nasSecret, nobodyThere, time.Now()), isNoSession},
		{"a wrong secret", cut(soon, "x"+nasSecret, stationMAC, time.Now()), isSilence},
		{"yesterday's request", cut(soon, nasSecret, stationMAC, time.Now().Add(-24*time.Hour)), isSilence},
	} {
		if !row.check(row.err) || p.nas.output.has(ended) {
			t.Fatalf("%s: error %v\n%s", row.name, row.err, p.nas.output)
		}
	}
	if err := cut(later, nasSecret, stationMAC, time.Now()); err != nil {
		t.Fatalf("the board: %v\n%s", err, p.nas.output)
	}
	p.nas.wait(t, ended+colons(stationMAC))
	leave()

	p.login(elsewhere, b.by(useTLS))
	if err := cut(later, nasSecret, stationMAC, time.Now()); err != nil {
		t.Fatalf("its credential at another station: %v\n%s", err, p.nas.output)
	}
	p.nas.wait(t, ended+colons(elsewhere))
}

func isNoSession(err error) bool {
	nak := new(radius.NAKError)
	return errors.Is(err, radius.ErrNoSession) && errors.As(err, &nak) && nak.Cause == 503
}

func isSilence(err error) bool {
	return err != nil && !errors.Is(err, radius.ErrNoSession) && strings.Contains(err.Error(), "no answer")
}

// Nobody there: an error, at once or when the caller gives up.
func TestDisconnectNobody(t *testing.T) {
	nobody := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), freePort(t))
	if err := radius.Disconnect(t.Context(), nobody, nasSecret, stationMAC, day); err == nil {
		t.Error("nobody answers: no error")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := radius.Disconnect(ctx, nobody, nasSecret, stationMAC, day); !errors.Is(err, context.Canceled) {
		t.Errorf("given up: error %v", err)
	}
}

func TestNAKError(t *testing.T) {
	for cause, want := range map[uint32]string{
		503: "refused: no such session (503)",
		403: "refused: not the access point that was asked for (403)",
		0:   "refused: no reason given (0)",
		999: "refused: cause 999",
	} {
		err := &radius.NAKError{Cause: cause}
		if err.Error() != want || errors.Is(err, radius.ErrNoSession) != (cause == 503) {
			t.Errorf("cause %d: %q, want %q", cause, err, want)
		}
	}
}
