package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestCable runs scripts in which a station is logged in: a cable with a switch on
// one end (hostapd) and a supplicant on the other. It is laid in a network
// namespace of this test's own.
func TestCable(t *testing.T) {
	const here = "TCPBOOT_TEST_IN_NAMESPACE"
	if os.Getenv(here) == "" {
		args := []string{"--net", os.Args[0], "-test.v", "-test.run=^TestCable$"}
		if os.Geteuid() != 0 {
			args = append([]string{"--user", "--map-root-user"}, args...)
		}
		cmd := exec.CommandContext(t.Context(), "unshare", args...)
		cmd.Env = append(os.Environ(), here+"=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	if out, err := exec.Command("ip", "link", "set", "lo", "up").CombinedOutput(); err != nil {
		t.Fatalf("ip (the Debian package iproute2): %v\n%s", err, out)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/cable",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup:               setupScript,
		Cmds:                scriptCommands,
	})
}

const switchConf = `
interface=%[4]s
driver=wired
logger_stdout=-1
logger_stdout_level=0
ieee8021x=1
use_pae_group_addr=1
own_ip_addr=127.0.0.1
auth_server_addr=127.0.0.1
auth_server_port=%[1]s
auth_server_shared_secret=%[2]s
radius_das_client=127.0.0.1 %[2]s
radius_das_port=%[3]s
radius_das_require_event_timestamp=1
radius_das_require_message_authenticator=1
`

// A cable has a switch on one end and at times a station on the other.
type cable struct {
	station      string      // its interface
	verdicts     chan string // the switch's, of each login
	ends, leaves func()      // of the switch, and of the station
}

// switchSays is what the switch says of a login.
var switchSays = regexp.MustCompile(`STA ([0-9a-f:]{17}) IEEE 802\.1X: (authenticated|authentication failed) - EAP type`)

func (c *cable) end() {
	if c != nil {
		c.leaves()
		c.ends()
	}
}

// cmdSwitch lays the cable and starts the switch on it, which asks the RADIUS
// server at $RADIUS, and ends sessions at the port:  switch PORT
func cmdSwitch(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: switch PORT")
	}
	nas, station := "nas"+args[0], "sta"+args[0]
	runIP(ts, "link add "+nas+" type veth peer name "+station)
	runIP(ts, "link set "+nas+" up")
	secret := strings.TrimSpace(ts.ReadFile("keys/radius-client.secret"))
	conf := filepath.Join(ts.Getenv("WORK"), ".switch.conf")
	ts.Check(os.WriteFile(conf, fmt.Appendf(nil, switchConf, ts.Getenv("RADIUS"), secret, args[0], nas), 0o600))
	cmd := exec.Command(peer(ts, "hostapd", "hostapd"), conf)
	out, err := cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	c := &cable{station: station, verdicts: make(chan string, 100), leaves: func() {}}
	c.ends = func() { cmd.Process.Kill(); cmd.Wait() }
	ready := make(chan bool, 1)
	go func() {
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if strings.Contains(lines.Text(), "AP-ENABLED") {
				ready <- true
			}
			if m := switchSays.FindStringSubmatch(lines.Text()); m != nil {
				c.verdicts <- m[1] + " " + m[2]
			}
		}
	}()
	running(ts).cable = c
	select {
	case <-ready:
	case <-time.After(patience):
		ts.Fatalf("the switch is not ready after %s", patience)
	}
}

// cmdAgain makes the station that is on the cable log in again, with what it
// remembers of its TLS session. "!" expects the switch to keep it out.
//
//	again MAC
func cmdAgain(ts *testscript.TestScript, neg bool, args []string) {
	c := running(ts).cable
	if len(args) != 1 || c == nil {
		ts.Fatalf("usage: again MAC")
	}
	cmd := exec.Command(peer(ts, "wpa_cli", "wpasupplicant"), "-p", control(ts), "-i", c.station, "reauthenticate")
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "OK") {
		ts.Fatalf("wpa_cli: %v\n%s", err, out)
	}
	c.expect(ts, args[0], !neg)
}

// control is the folder by which a running supplicant is spoken to.
func control(ts *testscript.TestScript) string { return filepath.Join(ts.Getenv("WORK"), ".station") }

// cmdStation takes the station before it away, and logs one in through the cable
// with what was delivered to a board. "!" expects the switch to keep it out.
//
//	station METHOD MAC DELIVERY
func cmdStation(ts *testscript.TestScript, neg bool, args []string) {
	c := running(ts).cable
	if len(args) != 3 || methods[args[0]] == "" || c == nil {
		ts.Fatalf("usage: switch PORT; station METHOD MAC DELIVERY")
	}
	c.leaves()
	for len(c.verdicts) > 0 {
		<-c.verdicts // about stations before
	}
	runIP(ts, "link set "+c.station+" down")
	runIP(ts, "link set "+c.station+" address "+withColons(args[1]))
	runIP(ts, "link set "+c.station+" up")
	conf := supplicantConf(ts, args[0], args[1], ts.MkAbs(args[2]))
	network, err := os.ReadFile(conf)
	ts.Check(err)
	ts.Check(os.WriteFile(conf, append([]byte("ctrl_interface="+control(ts)+"\n"), network...), 0o600))
	cmd := exec.Command(peer(ts, "wpa_supplicant", "wpasupplicant"), "-D", "wired", "-i", c.station, "-c", conf)
	ts.Check(cmd.Start())
	c.leaves = func() { cmd.Process.Kill(); cmd.Wait() }
	c.expect(ts, args[1], !neg)
}

// expect waits for the switch's verdict on a login.
func (c *cable) expect(ts *testscript.TestScript, mac string, in bool) {
	want := withColons(mac) + " authenticated"
	if !in {
		want = withColons(mac) + " authentication failed"
	}
	select {
	case got := <-c.verdicts:
		if got != want {
			ts.Fatalf("the switch says %s, want %s", got, want)
		}
	case <-time.After(patience):
		ts.Fatalf("the switch says nothing of %s", mac)
	}
}

func runIP(ts *testscript.TestScript, line string) {
	if out, err := exec.Command(peer(ts, "ip", "iproute2"), strings.Fields(line)...).CombinedOutput(); err != nil {
		ts.Fatalf("ip %s: %v\n%s", line, err, out)
	}
}
