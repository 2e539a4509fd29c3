//go:build linux

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tcpboot/tcpboot/pki"
	"github.com/tcpboot/tcpboot/pki/custody"
	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/radius"
	"github.com/tcpboot/tcpboot/pki/registry"
	"github.com/tcpboot/tcpboot/pki/registry/registrytest"
)

const (
	radiusBoards   = 10_000 // in the list, or in the database
	radiusStations = 16     // at a time, each a board of its own: eapol_test rests between its logins
	radiusSecret   = "only-a-measurement"
	radiusRounds   = 4   // of the measurements, in turns: a busy machine is busy for all
	aimLogins      = 0.7 // of the logins by a file, at least
)

// sources are where a server may find the boards; the first is the rival.
var sources = []string{"files", "SQLite", "PostgreSQL"}

// loginMethods are the supplicant's lines: a certificate, and a password.
var loginMethods = []struct{ name, lines string }{
	{"EAP-TLS", "eap=TLS\nclient_cert=\"cert.pem\"\nprivate_key=\"key.pem\"\n"},
	{"TTLS-PAP", "eap=TTLS\nphase2=\"auth=PAP\"\n"},
}

// A radiusBench is one site's boards, and a FreeRADIUS for each place in which it
// may find them.
type radiusBench struct {
	dir                   string
	boards, radius        *pki.Authority
	stations              []*pki.Credential
	embedded, onServer    *registry.Fleet
	mirrorURL, serverRole string
	servers               map[string]radiusServer
}

// A radiusServer is a FreeRADIUS at work.
type radiusServer struct {
	*exec.Cmd
	port uint16
}

// radiusJob lets boards log in at a FreeRADIUS that reads them from a file, from
// SQLite and from PostgreSQL. The handshake, of which both ends run here, is most
// of the work; so the server's own CPU time is told too.
func radiusJob(o options) (results []result, err error) {
	dir, err := os.MkdirTemp(o.dir, "tcpboot-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	defer registrytest.StopServer()
	b := &radiusBench{dir: dir, servers: map[string]radiusServer{}}
	defer b.close()
	if err := b.prepare(); err != nil {
		return nil, err
	}
	paces := map[string]pace{}
	for _, source := range sources {
		if err := b.start(source); err != nil {
			return nil, fmt.Errorf("%s: %w", source, err)
		}
	}
	for range radiusRounds {
		for _, source := range sources {
			if err := b.servers[source].measure(b, source, o.logins/radiusRounds, paces); err != nil {
				return nil, fmt.Errorf("%s: %w", source, err)
			}
		}
	}
	for _, m := range loginMethods {
		file := paces["files"+m.name]
		for _, source := range sources[1:] {
			ours := paces[source+m.name]
			results = append(results, result{fmt.Sprintf("%s, %d boards: from %s", m.name, radiusBoards, source),
				perSecond(ours), perSecond(file) + " from files", ratio(ours.rate() / file.rate()), fmt.Sprintf("≥ %.1f", aimLogins),
				fmt.Sprintf("the handshake; the server's CPU per login: %.1f ms, from files %.1f", ours.micros()/1e3, file.micros()/1e3)})
		}
	}
	return results, nil
}

func (b *radiusBench) close() {
	for _, s := range b.servers {
		s.Process.Kill()
		s.Wait()
	}
	for _, f := range []*registry.Fleet{b.embedded, b.onServer} {
		if f != nil {
			f.Close()
		}
	}
}

// prepare fills both registries with the same boards.
func (b *radiusBench) prepare() (err error) {
	if b.boards, err = newAuthority(pki.Boards); err != nil {
		return err
	}
	if b.radius, err = newAuthority(pki.RADIUS); err != nil {
		return err
	}
	var entries []registry.Entry
	for i := range radiusBoards {
		e := registrytest.Entry(i)
		e.Device.EAP = fleet.TLS | fleet.TTLS
		if i < radiusStations {
			c, err := b.boards.IssueBoard(e.Device.MAC, time.Now())
			if err != nil {
				return err
			}
			b.stations, e.Admission = append(b.stations, c), c.Admission(e.Device.EAP)
		}
		entries = append(entries, e)
	}
	mirror := filepath.Join(b.dir, "radius.db")
	b.mirrorURL = "sqlite:" + mirror
	if b.embedded, err = fillRegistry("sqlite:"+filepath.Join(b.dir, "tcpboot.db"), mirror, entries); err != nil {
		return err
	}
	p, err := registrytest.OneServer()
	if err != nil {
		return err
	}
	url, err := p.NewDatabase()
	if err != nil {
		return err
	}
	if b.onServer, err = fillRegistry(url, "", entries); err != nil {
		return err
	}
	b.serverRole = registrytest.As("bench", url)
	return p.Run(url, "CREATE ROLE bench LOGIN IN ROLE tcpboot_radius", "ANALYZE")
}

func fillRegistry(url, mirror string, entries []registry.Entry) (*registry.Fleet, error) {
	ctx := context.Background()
	f, err := registry.Create(ctx, url, registry.Options{Who: "bench", RADIUS: mirror})
	if err != nil {
		return nil, err
	}
	var macs []fleet.MAC
	for _, e := range entries {
		macs = append(macs, e.Device.MAC)
	}
	return f, errors.Join(f.Add(ctx, entries), f.Activate(ctx, macs))
}

// start starts one server, and lets each station log in once to warm it up.
func (b *radiusBench) start(source string) error {
	dir := filepath.Join(b.dir, source)
	port, err := b.export(dir, source)
	if err != nil {
		return err
	}
	c, err := startRADIUS(dir)
	if err != nil {
		return err
	}
	b.servers[source] = radiusServer{c, port}
	_, err = b.logIn(port, loginMethods[0].lines, radiusStations)
	return err
}

// measure lets the stations log in by each method, and adds what it took.
func (s radiusServer) measure(b *radiusBench, source string, logins int, into map[string]pace) error {
	for _, m := range loginMethods {
		before, err := cpu([]int{s.Process.Pid})
		if err != nil {
			return err
		}
		p, err := b.logIn(s.port, m.lines, logins)
		if err != nil {
			return err
		}
		after, err := cpu([]int{s.Process.Pid})
		if err != nil {
			return err
		}
		p.CPU = (after - before).Seconds()
		sum := into[source+m.name]
		sum.add(p)
		into[source+m.name] = sum
	}
	return nil
}

// export writes the folder of a server and returns the port that it will have.
func (b *radiusBench) export(dir, source string) (port uint16, err error) {
	socket, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	address := netip.MustParseAddrPort(socket.LocalAddr().String())
	socket.Close()
	key, err := custody.Generate(custody.P256)
	if err != nil {
		return 0, err
	}
	cert, err := b.radius.IssueServer("radius.bench", key.Public(), time.Now())
	if err != nil {
		return 0, err
	}
	keyPEM, err := pki.KeyPEM(key)
	if err != nil {
		return 0, err
	}
	s := radius.Server{
		Name: "radius.bench", Address: address.Addr(), Port: address.Port(), EAP: fleet.TLS | fleet.TTLS,
		Chain: pki.CertificatePEM(cert, b.radius.CA), Key: keyPEM, BoardsCA: pki.CertificatePEM(b.boards.CA),
		Clients:  []radius.Client{{Name: "bench", Net: netip.MustParsePrefix("127.0.0.0/8"), Secret: radiusSecret}},
		Database: map[string]string{"SQLite": b.mirrorURL, "PostgreSQL": b.serverRole}[source],
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return 0, err
	}
	return s.Port, radius.Export(s, b.embedded.Devices(context.Background(), registry.Filter{}), func(name string, _ bool) (io.WriteCloser, error) {
		return os.Create(filepath.Join(dir, name))
	})
}

// startRADIUS starts a server, and returns when it takes requests.
func startRADIUS(dir string) (*exec.Cmd, error) {
	path, err := exec.LookPath("freeradius")
	if err != nil {
		path = "/usr/sbin/freeradius"
	}
	c := exec.Command(path, "-f", "-d", dir, "-n", "radiusd")
	out, err := c.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.Start(); err != nil {
		return nil, err
	}
	var said []string
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if strings.Contains(lines.Text(), "Ready to process requests") {
			go io.Copy(io.Discard, out)
			return c, nil
		}
		said = append(said, lines.Text())
	}
	return nil, errors.Join(fmt.Errorf("FreeRADIUS did not start: %s", strings.Join(said, "\n")), c.Wait())
}

// logIn lets the stations log in, so often together.
func (b *radiusBench) logIn(port uint16, method string, logins int) (pace, error) {
	each := max(1, logins/len(b.stations))
	return timed(func() (int, error) {
		var group errgroup.Group
		for i, station := range b.stations {
			group.Go(func() error {
				return b.station(i, station, port, method, each-1)
			})
		}
		return each * len(b.stations), group.Wait()
	})
}

// station logs one board in, and so often again.
func (b *radiusBench) station(n int, c *pki.Credential, port uint16, method string, again int) error {
	dir, mac := filepath.Join(b.dir, "station"+strconv.Itoa(n)), registrytest.MAC(n).String()
	key, err := pki.KeyPEM(c.Key)
	if err != nil {
		return err
	}
	conf := fmt.Sprintf("network={\nkey_mgmt=IEEE8021X\neapol_flags=0\n%sidentity=%q\npassword=%q\nca_cert=\"ca.pem\"\n}\n", method, mac, c.Password)
	err = os.MkdirAll(dir, 0o700)
	for name, text := range map[string][]byte{
		"conf": []byte(conf), "ca.pem": pki.CertificatePEM(b.radius.Root), "cert.pem": pki.CertificatePEM(c.Certificate), "key.pem": key,
	} {
		err = errors.Join(err, os.WriteFile(filepath.Join(dir, name), text, 0o600))
	}
	if err != nil {
		return err
	}
	cmd := exec.Command("eapol_test", "-c", "conf", "-a", "127.0.0.1", "-p", fmt.Sprint(port), "-s", radiusSecret,
		"-r", strconv.Itoa(again), "-t", "60", "-N", "31:s:"+mac)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		return fmt.Errorf("eapol_test as %s: %w: %s", mac, err, strings.Join(lines[max(0, len(lines)-3):], " "))
	}
	return nil
}
