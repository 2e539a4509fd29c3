package radius_test

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tcpboot/tcpboot/pki"
)

// The methods as a supplicant's configuration says them.
const (
	useTLS      = "eap=TLS"
	usePEAP     = "eap=PEAP\nphase2=\"auth=MSCHAPV2\""
	usePAP      = "eap=TTLS\nphase2=\"auth=PAP\""
	useMSCHAPv2 = "eap=TTLS\nphase2=\"auth=MSCHAPV2\""
)

// A login is what a station and its access point say.
type login struct {
	method    string // and further lines of the supplicant's configuration
	identity  string
	anonymous string // outer identity; empty: the same
	password  string
	cert      cert
	ca        []byte // what the server must descend from
	name      string // what its certificate must name; empty: no matter
	station   string // Calling-Station-Id as the access point spells it; "-": none
	again     bool   // a second time, with the session resumed if the server lets
}

// by is b logging in properly by method, with such changes as make it less so.
func (b *board) by(method string, changes ...func(*login)) login {
	mac := b.Device.MAC.String()
	x := login{
		method: method, identity: mac, station: mac, password: b.Password, cert: b.cert(),
		ca: pki.CertificatePEM(b.site.radius.Root), name: pki.RADIUSName("lab"),
	}
	for _, change := range changes {
		change(&x)
	}
	return x
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

// login asks the server once, or twice; an error means that nothing was learned.
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
	if x.name != "" {
		fmt.Fprintf(conf, "domain_match=%q\n", x.name)
	}
	path := func(name string) string { return filepath.Join(dir, name) }
	fmt.Fprintf(conf, "password=%x\nca_cert=%q\n", x.password, path("ca.pem"))
	if strings.HasPrefix(x.method, useTLS) {
		fmt.Fprintf(conf, "client_cert=%q\nprivate_key=%q\n", path("cert.pem"), path("key.pem"))
	}
	fmt.Fprintln(conf, "}")
	return errors.Join(
		os.WriteFile(path("conf"), []byte(conf.String()), 0o600),
		os.WriteFile(path("ca.pem"), x.ca, 0o600),
		os.WriteFile(path("cert.pem"), x.cert.chain, 0o600),
		os.WriteFile(path("key.pem"), x.cert.key, 0o600))
}

func (x login) args(dir string, port uint16) []string {
	station := "31:x:" + hex.EncodeToString([]byte(x.station))
	if x.station == "-" {
		station = "31"
	}
	args := []string{"-c", filepath.Join(dir, "conf"), "-a", "127.0.0.1", "-p", fmt.Sprint(port), "-s", secret, "-t", "20", "-N", station}
	if x.again {
		args = append(args, "-r", "1")
	}
	return args
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

// try makes one login.
func (l *lab) try(t *testing.T, x login) outcome {
	t.Helper()
	o, err := l.login(t.Context(), program(t, "eapol_test", "eapoltest"), x)
	if err != nil {
		t.Fatal(err)
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
	slots := make(chan bool, 16)
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
			name := r.login.identity
			if l.silent {
				name = ""
			}
			if r.want == accept && got[i].user != name {
				t.Errorf("accept names %q, want %q", got[i].user, name)
			}
		})
	}
}
