package main

import (
	"bufio"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/release/espimage"
)

// cmdImage lays down a stand-in application:  image FILE CHIP VERSION [SIZE]
func cmdImage(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: image FILE CHIP VERSION [SIZE]")
	}
	chip, err := fleet.ParseChip(args[1])
	ts.Check(err)
	spec := espimage.Spec{Chip: chip, Version: args[2], Project: "app", Size: 8192}
	if len(args) > 3 {
		spec.Size, err = strconv.Atoi(args[3])
		ts.Check(err)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), espimage.Build(spec), 0o644))
}

// peer finds a program that judges our output. A missing one fails the test.
func peer(ts *testscript.TestScript, name, pkg string) string {
	for _, n := range []string{name, "/usr/sbin/" + name} {
		if path, err := exec.LookPath(n); err == nil {
			return path
		}
	}
	ts.Fatalf("%s is missing: install the Debian package %s", name, pkg)
	return ""
}

// peers are the servers that a script has running.
type peers struct {
	radius, server func() // stop it; nil when it does not run
}

type peersKey struct{}

func (p *peers) stop() {
	for _, stop := range []*func(){&p.radius, &p.server} {
		if *stop != nil {
			(*stop)()
			*stop = nil
		}
	}
}

func running(ts *testscript.TestScript) *peers { return ts.Value(peersKey{}).(*peers) }

// cmdRADIUS starts a FreeRADIUS on an exported folder as it lies; the one before
// it ends. Where it listens is what the folder says.
//
//	radius DIR
func cmdRADIUS(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: radius DIR")
	}
	p := running(ts)
	if p.radius != nil {
		p.radius()
	}
	cmd := exec.Command(peer(ts, "freeradius", "freeradius"), "-f", "-d", ts.MkAbs(args[0]), "-n", "radiusd")
	p.radius = background(ts, cmd, "Ready to process requests")
}

// cmdServe starts `tcpboot serve` on a port of the system's choice, which goes
// into the variable SERVER; "serve stop" ends it by TERM.
func cmdServe(ts *testscript.TestScript, neg bool, args []string) {
	p := running(ts)
	if p.server != nil {
		p.server()
		p.server = nil
	}
	if len(args) == 1 && args[0] == "stop" {
		return
	}
	port := freePort(ts, "tcp")
	binary, _, _ := strings.Cut(ts.Getenv("PATH"), ":") // testscript puts us first
	cmd := exec.Command(filepath.Join(binary, "tcpboot"), append([]string{"serve", "--listen", "127.0.0.1:" + port}, args...)...)
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = append(os.Environ(), "TCPBOOT_PASSPHRASE_FILE="+ts.Getenv("TCPBOOT_PASSPHRASE_FILE"))
	p.server = background(ts, cmd, "listening")
	ts.Setenv("SERVER", "127.0.0.1:"+port)
}

// cmdPort puts a free UDP port into a variable:  port NAME
func cmdPort(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: port NAME")
	}
	ts.Setenv(args[0], freePort(ts, "udp"))
}

func freePort(ts *testscript.TestScript, network string) string {
	if network == "udp" {
		c, err := net.ListenPacket("udp", "127.0.0.1:0")
		ts.Check(err)
		defer c.Close()
		return strconv.Itoa(c.LocalAddr().(*net.UDPAddr).Port)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

// methods are the supplicant's lines of each way to log in.
var methods = map[string]string{
	"tls":           "eap=TLS\nclient_cert=%[2]q\nprivate_key=%[3]q\n",
	"peap":          "eap=PEAP\npassword=%[4]q\nphase2=\"auth=MSCHAPV2\"\n",
	"ttls-pap":      "eap=TTLS\npassword=%[4]q\nphase2=\"auth=PAP\"\n",
	"ttls-mschapv2": "eap=TTLS\npassword=%[4]q\nphase2=\"auth=MSCHAPV2\"\n",
}

// cmdLogin asks the RADIUS server at $RADIUS as a board would, with what was
// delivered to it. "!" expects a reject. STATION, the claimed radio address, is
// the MAC unless it is given.
//
//	login METHOD MAC DELIVERY [STATION]
func cmdLogin(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 3 {
		ts.Fatalf("usage: login METHOD MAC DELIVERY [STATION]")
	}
	method, mac, delivery := args[0], args[1], ts.MkAbs(args[2])
	station := mac
	if len(args) > 3 {
		station = args[3]
	}
	in := func(name string) string { return filepath.Join(delivery, "main", name) }
	conf := fmt.Sprintf("network={\nkey_mgmt=IEEE8021X\nidentity=%[1]q\n"+methods[method]+"ca_cert=%[5]q\ndomain_match=\"radius.lab\"\n}\n",
		mac, in("wpa2_client.crt"), in("wpa2_client.key"), password(ts, delivery), in("wpa2_ca.pem"))
	file := filepath.Join(ts.Getenv("WORK"), ".eapol.conf")
	ts.Check(os.WriteFile(file, []byte(conf), 0o600))
	secret, err := os.ReadFile(ts.MkAbs("keys/radius-client.secret"))
	ts.Check(err)
	out, err := exec.Command(peer(ts, "eapol_test", "eapoltest"), "-c", file, "-a", "127.0.0.1", "-p", ts.Getenv("RADIUS"),
		"-s", strings.TrimSpace(string(secret)), "-M", withColons(station), "-t", "10").CombinedOutput()
	accepted := err == nil
	if !accepted && !strings.Contains(string(out), "Access-Reject") {
		ts.Fatalf("eapol_test: neither accepted nor rejected: %v\n%s", err, out)
	}
	if accepted == neg {
		ts.Fatalf("login %s as %s: accepted %v", method, mac, accepted)
	}
	if vlan := ts.Getenv("VLAN"); accepted && vlan != "" && !strings.Contains(string(out), hexOf(vlan)) {
		ts.Fatalf("no VLAN %s in the answer:\n%s", vlan, out)
	}
}

// hexOf is how eapol_test prints the text of Tunnel-Private-Group-Id.
func hexOf(vlan string) string { return fmt.Sprintf("Value: '%s'", vlan) }

func withColons(mac string) string {
	var b strings.Builder
	for i := 0; i+2 <= len(mac); i += 2 {
		if i > 0 {
			b.WriteByte(':')
		}
		b.WriteString(mac[i : i+2])
	}
	return b.String()
}

// password reads the delivered password as the board's build would.
func password(ts *testscript.TestScript, delivery string) string {
	text, err := os.ReadFile(filepath.Join(delivery, "sdkconfig.defaults"))
	ts.Check(err)
	for line := range strings.Lines(string(text)) {
		if v, ok := strings.CutPrefix(line, "CONFIG_EAP_PASSWORD="); ok {
			return strings.Trim(v, "\"\n")
		}
	}
	ts.Fatalf("%s: no password", delivery)
	return ""
}

// cmdTree writes a folder's files, modes and digests into a file, to compare two
// states of it:  tree DIR FILE
func cmdTree(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: tree DIR FILE")
	}
	root := ts.MkAbs(args[0])
	var out strings.Builder
	ts.Check(filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		info, err := d.Info()
		name, _ := filepath.Rel(root, path)
		fmt.Fprintf(&out, "%s %v %x\n", name, info.Mode(), sha256.Sum256(text))
		return err
	}))
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(out.String()), 0o644))
}

// background starts cmd and waits until it prints ready.
func background(ts *testscript.TestScript, cmd *exec.Cmd, ready string) (stop func()) {
	r, w, err := os.Pipe()
	ts.Check(err)
	cmd.Stdout, cmd.Stderr = w, w
	ts.Check(cmd.Start())
	w.Close()
	ended := make(chan struct{})
	stop = func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		<-ended
	}
	lines := bufio.NewScanner(r)
	var said []string
	for lines.Scan() {
		said = append(said, lines.Text())
		if strings.Contains(lines.Text(), ready) {
			go func() {
				for lines.Scan() {
				}
				_ = cmd.Wait()
				close(ended)
			}()
			return stop
		}
	}
	_ = cmd.Wait()
	ts.Fatalf("%s ended before it was ready:\n%s", cmd.Path, strings.Join(said, "\n"))
	return nil
}
