package radius_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/radius"
)

// secret holds every character that a RADIUS secret may have.
const secret = "aZ09!&()*+,-./:;<=>?@[]^_|~"

// A lab is a running FreeRADIUS on an exported folder, and a supplicant that
// asks it by way of an access point.
type lab struct {
	t      *testing.T
	dir    string
	port   uint16
	output *log
}

// start exports what srv says of boards, lets change alter the folder, and runs
// the server on it until the test ends.
func start(t *testing.T, srv radius.Server, boards iter.Seq2[fleet.Device, error], change func(dir string)) *lab {
	t.Helper()
	bin := program(t, "freeradius", "freeradius")
	for {
		l := &lab{t: t, dir: folder(t), port: freePort(t), output: new(log)}
		srv.Port = l.port
		if err := radius.Export(srv, boards, creator(l.dir)); err != nil {
			t.Fatal(err)
		}
		if change != nil {
			change(l.dir)
		}
		l.give()
		err := l.run(bin)
		if err == nil {
			return l
		}
		if !strings.Contains(l.output.String(), "Address already in use") {
			t.Fatalf("FreeRADIUS: %v\n%s", err, l.output)
		}
	}
}

// program finds a peer, or fails the test with the package that brings it.
func program(t *testing.T, name, pkg string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		path, err = exec.LookPath("/usr/sbin/" + name)
	}
	if err != nil {
		t.Fatalf("%s is missing: install the Debian package %s", name, pkg)
	}
	return path
}

// folder is a new folder that another user may enter.
func folder(t *testing.T) string {
	t.Helper()
	top, err := os.MkdirTemp("", "radius")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(top) })
	if err := os.Chmod(top, 0o711); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(top, "exported here")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

// creator writes an export's files into dir, readable by one user alone.
func creator(dir string) func(string, bool) (io.WriteCloser, error) {
	return func(name string, _ bool) (io.WriteCloser, error) {
		return os.OpenFile(filepath.Join(dir, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o400)
	}
}

// nobody is who the server runs as when the test runs as root.
const nobody = 65534

// give makes the folder read-only and nobody's, when we are root.
func (l *lab) give() {
	if os.Geteuid() == 0 {
		files, _ := filepath.Glob(filepath.Join(l.dir, "*"))
		for _, f := range append(files, l.dir) {
			if err := os.Chown(f, nobody, nobody); err != nil {
				l.t.Fatal(err)
			}
		}
	}
	if err := os.Chmod(l.dir, 0o500); err != nil {
		l.t.Fatal(err)
	}
}

// run starts the server and waits until it is ready; it ends with the test.
func (l *lab) run(bin string) error {
	cmd := exec.Command(bin, "-d", l.dir, "-n", "radiusd", "-f")
	cmd.Dir = "/"
	if os.Geteuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	ready := make(chan struct{})
	r, w := io.Pipe()
	cmd.Stdout, cmd.Stderr = w, w
	if err := cmd.Start(); err != nil {
		return err
	}
	go l.output.follow(r, "Ready to process requests", ready)
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait(); w.Close() }()
	select {
	case <-ready:
		l.t.Cleanup(func() { cmd.Process.Kill(); <-ended })
		return nil
	case err := <-ended:
		return errors.Join(errors.New("ended before it was ready"), err)
	case <-time.After(30 * time.Second):
		cmd.Process.Kill()
		return errors.New("not ready after 30 s")
	}
}

// A log is what the server printed so far.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// follow keeps what r gives and closes ready at the line that holds word.
func (g *log) follow(r io.Reader, word string, ready chan struct{}) {
	seen := false
	for lines := bufio.NewScanner(r); lines.Scan(); {
		g.mu.Lock()
		fmt.Fprintln(&g.text, lines.Text())
		g.mu.Unlock()
		if !seen && strings.Contains(lines.Text(), word) {
			seen = true
			close(ready)
		}
	}
}

func (g *log) String() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.text.String()
}

func freePort(t *testing.T) uint16 {
	t.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return c.LocalAddr().(*net.UDPAddr).AddrPort().Port()
}

// The methods as a supplicant's configuration says them.
const (
	useTLS          = "eap=TLS"
	usePEAP         = "eap=PEAP\nphase2=\"auth=MSCHAPV2\""
	usePAP          = "eap=TTLS\nphase2=\"auth=PAP\""
	useMSCHAPv2     = "eap=TTLS\nphase2=\"auth=MSCHAPV2\""
	useMSCHAP       = "eap=TTLS\nphase2=\"auth=MSCHAP\""
	useCHAP         = "eap=TTLS\nphase2=\"auth=CHAP\""
	useTunnelledEAP = "eap=TTLS\nphase2=\"autheap=MSCHAPV2\""
	useGTC          = "eap=PEAP\nphase2=\"auth=GTC\""
)

// A login is what a station and its access point say.
type login struct {
	method    string
	identity  string
	anonymous string // outer identity; empty: the same
	station   string // Calling-Station-Id; empty: the identity as an address
	nasSays   string // Calling-Station-Id in another spelling; "-": none
	password  string
	cert      cert
	ca        []byte // what the server must descend from
	name      string // what its certificate must name; empty: no matter
	more      string // further lines of the supplicant's configuration
	again     bool   // a second time, with the session resumed if the server lets
}

// by is b logging in properly by method, to the server of site s.
func (b *board) by(method string, s *site) login {
	return login{
		method: method, identity: b.MAC.String(), station: b.MAC.String(),
		password: b.password, cert: b.cert, ca: bundle(s.radius.root), name: radiusName,
	}
}

// The verdicts.
const (
	accept    = "accept"
	reject    = "reject"
	badServer = "the station refused the server"
	silence   = "no answer"
)

// An outcome is how a login ended.
type outcome struct {
	verdict string
	vlan    string
	user    string // User-Name of the accept
	output  string // all that the supplicant said
}

// login asks the server once; -1 or a signal of the supplicant is an error.
func (l *lab) login(ctx context.Context, bin string, x login) (outcome, error) {
	dir, err := os.MkdirTemp("", "station")
	if err != nil {
		return outcome{}, err
	}
	defer os.RemoveAll(dir)
	if err := x.write(dir); err != nil {
		return outcome{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, 40*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, bin, x.args(dir, l.port)...).CombinedOutput()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		return outcome{}, err
	}
	return read(string(out)), ctx.Err()
}

// write lays the supplicant's files down in dir.
func (x login) write(dir string) error {
	conf := new(strings.Builder)
	fmt.Fprintf(conf, "network={\nkey_mgmt=IEEE8021X\neapol_flags=0\n%s\nidentity=%x\n", x.method, x.identity)
	if x.anonymous != "" {
		fmt.Fprintf(conf, "anonymous_identity=%x\n", x.anonymous)
	}
	if x.password != "" {
		fmt.Fprintf(conf, "password=%x\n", x.password)
	}
	files := map[string][]byte{"ca.pem": x.ca}
	if strings.Contains(x.method, "TLS") && x.cert.leaf != nil && !strings.Contains(x.method, "TTLS") {
		files["cert.pem"], files["key.pem"] = bundle(x.cert.leaf), x.cert.keyPEM()
		fmt.Fprintf(conf, "client_cert=%q\nprivate_key=%q\n", filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"))
	}
	fmt.Fprintf(conf, "ca_cert=%q\n", filepath.Join(dir, "ca.pem"))
	if x.name != "" {
		fmt.Fprintf(conf, "domain_match=%q\n", x.name)
	}
	fmt.Fprintf(conf, "%s\n}\n", x.more)
	files["conf"] = []byte(conf.String())
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			return err
		}
	}
	return nil
}

func (x login) args(dir string, port uint16) []string {
	args := []string{"-c", filepath.Join(dir, "conf"), "-a", "127.0.0.1", "-p", fmt.Sprint(port), "-s", secret, "-t", "20"}
	switch x.nasSays {
	case "":
		args = append(args, "-M", must(net.ParseMAC(colons(x.station))).String())
	case "-":
		args = append(args, "-N", "31")
	default:
		args = append(args, "-N", "31:x:"+hex.EncodeToString([]byte(x.nasSays)))
	}
	if x.again {
		args = append(args, "-r", "1")
	}
	return args
}

// colons writes twelve hex digits with a colon between all pairs.
func colons(digits string) string {
	return strings.Join(slices.Collect(func(yield func(string) bool) {
		for pair := range slices.Chunk([]byte(digits), 2) {
			if !yield(string(pair)) {
				return
			}
		}
	}), ":")
}

var (
	acceptText = regexp.MustCompile(`(?s)RADIUS message: code=2 .*?\n((?:   .*?\n)+)`)
	attribute  = regexp.MustCompile(`Attribute (\d+) .*\n\s+Value: (.*)\n`)
)

// read judges what eapol_test printed.
func read(out string) outcome {
	o := outcome{verdict: silence, output: out}
	switch {
	case strings.Contains(out, "CTRL-EVENT-EAP-TLS-CERT-ERROR"):
		o.verdict = badServer
	case strings.HasSuffix(strings.TrimSpace(out), "SUCCESS"):
		o.verdict = accept
	case strings.Contains(out, "Access-Reject"):
		o.verdict = reject
	}
	if m := acceptText.FindStringSubmatch(out); m != nil {
		for _, a := range attribute.FindAllStringSubmatch(m[1], -1) {
			switch a[1] {
			case "1":
				o.user = strings.Trim(a[2], "'")
			case "81":
				text, _ := hex.DecodeString(a[2])
				o.vlan = string(text)
			}
		}
	}
	return o
}

// A row is one login and how it must end.
type row struct {
	name  string
	login login
	want  string
	vlan  string
}

// logins tries all rows, several at a time: what takes time is the second for
// which the server holds a refusal back.
func (l *lab) logins(rows []row) {
	l.t.Helper()
	bin := program(l.t, "eapol_test", "eapoltest")
	got := make([]outcome, len(rows))
	errs := make([]error, len(rows))
	slots := make(chan bool, 8)
	var wg sync.WaitGroup
	for i, r := range rows {
		wg.Go(func() {
			slots <- true
			got[i], errs[i] = l.login(l.t.Context(), bin, r.login)
			<-slots
		})
	}
	wg.Wait()
	for i, r := range rows {
		l.t.Run(r.name, func(t *testing.T) {
			if errs[i] != nil {
				t.Fatal(errs[i])
			}
			if got[i].verdict != r.want || got[i].vlan != r.vlan {
				t.Errorf("got %s, VLAN %q; want %s, VLAN %q\n%s\n%s", got[i].verdict, got[i].vlan, r.want, r.vlan, got[i].output, l.output)
			}
			if r.want == accept && got[i].user != r.login.station {
				t.Errorf("accept names %q, want %q", got[i].user, r.login.station)
			}
		})
	}
}
