package main

import (
	"bufio"
	"bytes"
	"crypto/sha1" // the boot protocol's
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/release/espimage"
)

// cmdImage lays down a stand-in application:  image FILE CHIP VERSION [SIZE [SECURE-VERSION]]
func cmdImage(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: image FILE CHIP VERSION [SIZE [SECURE-VERSION]]")
	}
	chip, err := fleet.ParseChip(args[1])
	ts.Check(err)
	spec := espimage.Spec{Chip: chip, Version: args[2], Project: "app", Size: 8192}
	if len(args) > 3 {
		spec.Size, err = strconv.Atoi(args[3])
		ts.Check(err)
	}
	if len(args) > 4 {
		n, err := strconv.ParseUint(args[4], 10, 32)
		ts.Check(err)
		spec.SecureVersion = uint32(n)
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
	radius, server, ocsp, registry func() (said string, err error) // end it; nil when it does not run

	pid   *os.Process // the server's
	cable *cable      // nil when none is laid
}

type peersKey struct{}

func (p *peers) stop() {
	p.cable.end()
	for _, end := range []func() (string, error){p.radius, p.server, p.ocsp, p.registry} {
		if end != nil {
			_, _ = end() // the script is over; what it looked at it stopped itself
		}
	}
	p.radius, p.server, p.ocsp, p.registry, p.cable = nil, nil, nil, nil, nil
}

func running(ts *testscript.TestScript) *peers { return ts.Value(peersKey{}).(*peers) }

// cmdRADIUS starts a FreeRADIUS, or a hostapd, on an exported folder as it lies; the one before
// it ends. Where it listens is what the folder says.
//
//	radius DIR
func cmdRADIUS(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: radius DIR")
	}
	p := running(ts)
	if p.radius != nil {
		_, err := p.radius()
		ts.Check(err)
	}
	cmd := exec.Command(peer(ts, "freeradius", "freeradius"), "-f", "-d", ts.MkAbs(args[0]), "-n", "radiusd")
	ready := "Ready to process requests"
	if _, err := os.Stat(filepath.Join(ts.MkAbs(args[0]), "hostapd.conf")); err == nil {
		cmd, ready = exec.Command(peer(ts, "hostapd", "hostapd"), "hostapd.conf"), "AP-ENABLED"
		cmd.Dir = ts.MkAbs(args[0])
	}
	p.radius = background(ts, cmd, ready)
	ts.Check(os.WriteFile(ts.MkAbs("radius.pid"), fmt.Appendln(nil, cmd.Process.Pid), 0o644))
}

// cmdServe starts `tcpboot serve` on a port of the system's choice, which goes
// into the variable SERVER; "serve stop" ends it by TERM, which it must take for
// a wish and not for a failure. Its log is then in serve.log.
//
//	serve [FLAG...] | stop
func cmdServe(ts *testscript.TestScript, neg bool, args []string) {
	p := running(ts)
	if p.server != nil {
		said, err := p.server()
		p.server = nil
		ts.Check(os.WriteFile(ts.MkAbs("serve.log"), []byte(said), 0o600))
		ts.Check(err)
	}
	if len(args) == 1 && args[0] == "stop" {
		return
	}
	port := freePort(ts, "tcp")
	cmd := exec.Command("tcpboot", append([]string{"serve", "--listen", "127.0.0.1:" + port}, args...)...)
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = append(os.Environ(), "TCPBOOT_PASSPHRASE_FILE="+serverPassphrase(ts), "PGUSER="+ts.Getenv("PGUSER"),
		"CREDENTIALS_DIRECTORY="+ts.Getenv("CREDENTIALS_DIRECTORY"))
	p.server, p.pid = background(ts, cmd, "listening"), cmd.Process
	ts.Setenv("SERVER", "127.0.0.1:"+port)
}

// serverPassphrase makes a passphrase file for the server's key alone, in a script
// that has not taken its own away.
func serverPassphrase(ts *testscript.TestScript) (file string) {
	if ts.Getenv("TCPBOOT_PASSPHRASE_FILE") == "" {
		return ""
	}
	file = ts.MkAbs(".servers.pass")
	ts.Check(os.WriteFile(file, []byte("servers: "+readyPassphrase+"\n"), 0o600))
	return file
}

// cmdOCSP starts `tcpboot ocsp` on a port of the system's choice, with a passphrase
// file that opens the responder's key and no other; its URL goes into the variable
// OCSP. "ocsp stop" ends it by TERM; its log is then in ocsp.log.
//
//	ocsp | ocsp stop
func cmdOCSP(ts *testscript.TestScript, neg bool, args []string) {
	p := running(ts)
	if len(args) == 1 && args[0] == "stop" {
		said, err := p.ocsp()
		p.ocsp = nil
		ts.Check(os.WriteFile(ts.MkAbs("ocsp.log"), []byte(said), 0o600))
		ts.Check(err)
		return
	}
	if neg || len(args) != 0 {
		ts.Fatalf("usage: ocsp | ocsp stop")
	}
	only := serverPassphrase(ts)
	address := "127.0.0.1:" + freePort(ts, "tcp")
	cmd := exec.Command("tcpboot", "ocsp", "--listen", address, "--passphrase-file", only)
	cmd.Dir = ts.MkAbs(".")
	p.ocsp = background(ts, cmd, "listening")
	ts.Setenv("OCSP", "http://"+address+"/")
}

// cmdByGet asks the responder at $OCSP by GET:  byget QUESTION ANSWER
func cmdByGet(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: byget QUESTION ANSWER")
	}
	question := base64.StdEncoding.EncodeToString([]byte(ts.ReadFile(args[0])))
	got, err := http.Get(ts.Getenv("OCSP") + url.PathEscape(question))
	ts.Check(err)
	defer got.Body.Close()
	answer, err := io.ReadAll(got.Body)
	ts.Check(err)
	if got.StatusCode != http.StatusOK {
		ts.Fatalf("%s", got.Status)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), answer, 0o644))
}

// cmdDrain asks the running server for a board's image, tells the server to end
// once the image has begun to come, and takes the rest when the server accepts nobody
// any more: all of it must come. It must be more than the kernel takes in for us.
//
//	drain MAC
func cmdDrain(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: drain MAC")
	}
	conn, err := net.Dial("tcp", ts.Getenv("SERVER"))
	ts.Check(err)
	defer conn.Close()
	_, err = conn.Write([]byte(args[0]))
	ts.Check(err)
	header := make([]byte, 24)
	_, err = io.ReadFull(conn, header)
	ts.Check(err)
	terminated.Store(running(ts).pid, true)
	ts.Check(running(ts).pid.Signal(syscall.SIGTERM))
	for more, err := net.Dial("tcp", ts.Getenv("SERVER")); err == nil; more, err = net.Dial("tcp", ts.Getenv("SERVER")) {
		more.Close()
	}
	ts.Check(conn.(*net.TCPConn).SetReadBuffer(1 << 20)) // so small a window takes minutes
	image := make([]byte, binary.LittleEndian.Uint32(header))
	_, err = io.ReadFull(conn, image)
	ts.Check(err)
	if sum := sha1.Sum(image); !bytes.Equal(sum[:], header[4:]) {
		ts.Fatalf("the image came damaged")
	}
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

// supplicants are the lines by which a station is an old one. Which supplicants
// are like that says the test of package pki/radius.
var supplicants = map[string]string{
	"":     "",
	"2017": "openssl_ciphers=\"AES256-SHA:AES128-SHA:@SECLEVEL=0\"\nphase1=\"tls_disable_tlsv1_0=0 tls_disable_tlsv1_1=1 tls_disable_tlsv1_2=1 tls_disable_tlsv1_3=1\"\n",
	"rsa":  "openssl_ciphers=\"AES128-SHA256:AES128-SHA:AES256-SHA\"\nphase1=\"tls_disable_tlsv1_0=1 tls_disable_tlsv1_1=1 tls_disable_tlsv1_2=0 tls_disable_tlsv1_3=1\"\n",
}

// cmdLogin asks the RADIUS server at $RADIUS as a board would, with what was
// delivered to it. "!" expects a reject. STATION, the claimed radio address, is
// the MAC unless it is given. $SUPPLICANT says of which age the station is: 2017
// (TLS 1.0 and RSA alone), rsa (TLS 1.2 and RSA alone), or today's.
//
//	login METHOD MAC DELIVERY [STATION]
func cmdLogin(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 3 || methods[args[0]] == "" {
		ts.Fatalf("usage: login METHOD MAC DELIVERY [STATION]")
	}
	method, mac, delivery := args[0], args[1], ts.MkAbs(args[2])
	station := mac
	if len(args) > 3 {
		station = args[3]
	}
	file := supplicantConf(ts, method, mac, delivery)
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
	if accepted {
		checkVLAN(ts, string(out))
	}
}

// supplicantConf writes what a supplicant reads to log in with a delivery.
func supplicantConf(ts *testscript.TestScript, method, mac, delivery string) (file string) {
	supplicant, known := supplicants[ts.Getenv("SUPPLICANT")]
	if !known {
		ts.Fatalf("SUPPLICANT: no %q", ts.Getenv("SUPPLICANT"))
	}
	in := func(name string) string { return filepath.Join(delivery, "main", name) }
	conf := fmt.Sprintf("network={\nkey_mgmt=IEEE8021X\neapol_flags=0\nidentity=%[1]q\n"+methods[method]+supplicant+"ca_cert=%[5]q\ndomain_match=\"radius.lab\"\n}\n",
		mac, in("wpa2_client.crt"), in("wpa2_client.key"), password(ts, delivery), in("wpa2_ca.pem"))
	file = filepath.Join(ts.Getenv("WORK"), ".eapol.conf")
	ts.Check(os.WriteFile(file, []byte(conf), 0o600))
	return file
}

var vlanAnswer = regexp.MustCompile(`\(Tunnel-Private-Group-Id\) length=\d+\s+Value: ([0-9a-f]+)`)

// checkVLAN compares the VLAN in eapol_test's log of an answer with $VLAN, which
// is a number, "none", or empty where nobody asks.
func checkVLAN(ts *testscript.TestScript, log string) {
	want, got := ts.Getenv("VLAN"), "none"
	if m := vlanAnswer.FindStringSubmatch(log); m != nil {
		text, err := hex.DecodeString(m[1])
		ts.Check(err)
		got = string(text)
	}
	if want != "" && got != want {
		ts.Fatalf("VLAN %s in the answer, want %s", got, want)
	}
}

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

// background starts a script's peer and waits until it prints ready.
func background(ts *testscript.TestScript, cmd *exec.Cmd, ready string) (end func() (said string, err error)) {
	end, err := start(cmd, ready)
	ts.Check(err)
	return end
}

// terminated are processes that were sent TERM already: a second one tells a server
// to hurry.
var terminated sync.Map

// start starts cmd and waits until it prints ready. end stops it by TERM and
// returns all that it said.
func start(cmd *exec.Cmd, ready string) (end func() (said string, err error), err error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd.Stdout, cmd.Stderr = w, w
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(err, r.Close(), w.Close())
	}
	var said strings.Builder
	isReady, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		defer r.Close()
		waiting := true
		for lines := bufio.NewScanner(r); lines.Scan(); {
			said.WriteString(lines.Text() + "\n")
			if waiting && strings.Contains(lines.Text(), ready) {
				waiting = false
				close(isReady)
			}
		}
	}()
	w.Close() // cmd has its own: the lines end when it does
	end = func() (string, error) {
		if _, already := terminated.LoadAndDelete(cmd.Process); !already {
			_ = cmd.Process.Signal(syscall.SIGTERM)
		}
		<-ended
		return said.String(), cmd.Wait()
	}
	select {
	case <-isReady:
		return end, nil
	case <-ended:
		return nil, fmt.Errorf("%s ended before it was ready: %w\n%s", cmd.Path, cmd.Wait(), &said)
	}
}
