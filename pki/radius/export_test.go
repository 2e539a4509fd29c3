package radius_test

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"iter"
	"maps"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tcpboot/tcpboot/pki"
	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/radius"
)

var update = flag.Bool("update", false, "write the golden files anew")

// A memory is a folder in memory.
type memory struct {
	files   map[string]*bytes.Buffer
	secrets []string
	closed  []string
}

func (m *memory) create(name string, secret bool) (io.WriteCloser, error) {
	if m.files == nil {
		m.files = make(map[string]*bytes.Buffer)
	}
	m.files[name] = new(bytes.Buffer)
	if secret {
		m.secrets = append(m.secrets, name)
	}
	return memoryFile{m, name}, nil
}

type memoryFile struct {
	m    *memory
	name string
}

func (f memoryFile) Write(p []byte) (int, error) { return f.m.files[f.name].Write(p) }
func (f memoryFile) Close() error                { f.m.closed = append(f.m.closed, f.name); return nil }

// fixed is a device whose line does not depend on chance.
func fixed(mac string, eap fleet.EAP, vlan fleet.VLAN, admissions ...fleet.Admission) *board {
	return &board{Device: fleet.Device{
		MAC: must(fleet.ParseMAC(mac)), Name: "it's \"%{User-Name}\"", Hardware: "esp32", Channel: "stable",
		State: fleet.Active, EAP: eap, VLAN: vlan, Admissions: admissions,
	}}
}

// admission is one whose serial and hash repeat n.
func admission(n byte) (a fleet.Admission) {
	for i := range a.Serial {
		a.Serial[i], a.NTHash[i] = n, n+1
	}
	return a
}

func until(a fleet.Admission, t time.Time) fleet.Admission {
	a.Until = t
	return a
}

func TestGolden(t *testing.T) {
	s := newSite()
	noHash := fleet.Admission{Serial: admission(0x66).Serial}
	boards := []*board{
		fixed("246f28aa1001", all, 101, admission(0x11)),
		fixed("246f28aa1002", fleet.TLS, 0, admission(0x22)),
		fixed("246f28aa1003", fleet.PEAP, 4094, admission(0x33)),
		fixed("246f28aa1004", all, 0, admission(0x44), until(admission(0x45), day)),
		fixed("246f28aa1005", fleet.TTLS|fleet.TLS, 0, admission(0x55), until(noHash, time.Time{})),
		fixed("246f28aa1006", all, 0, noHash),
		fixed("246f28aa1007", fleet.PEAP, 0, noHash),
		fixed("246f28aa1008", all, 0),
		fixed("246f28aa1009", all, 0, admission(0x77)).in(fleet.Revoked),
		fixed("246f28aa100a", all, 0, admission(0x88)).in(fleet.Pending),
	}
	for _, eap := range []fleet.EAP{all, fleet.TLS, fleet.TTLS | fleet.PEAP} {
		t.Run(eap.String(), func(t *testing.T) {
			srv := s.server(eap)
			srv.Clients = append(srv.Clients, radius.Client{Name: "campus-6", Net: netip.MustParsePrefix("fd00:1::/32"), Secret: "0123456789"})
			var got, again memory
			if err := errors.Join(radius.Export(srv, devices(boards...), got.create), radius.Export(srv, devices(boards...), again.create)); err != nil {
				t.Fatal(err)
			}
			for name, data := range got.files {
				if !bytes.Equal(data.Bytes(), again.files[name].Bytes()) {
					t.Errorf("%s differs when written again", name)
				}
			}
			if want := []string{"radius.key", "clients.conf", "authorize"}; !slices.Equal(got.secrets, want) {
				t.Errorf("secret files: %q, want %q", got.secrets, want)
			}
			if len(got.closed) != len(got.files) {
				t.Errorf("closed %q of %d files", got.closed, len(got.files))
			}
			compare(t, strings.ReplaceAll(eap.String(), ",", "-"), got.files)
		})
	}
	t.Run("fragment", func(t *testing.T) {
		w := new(bytes.Buffer)
		if err := radius.Authorize(w, devices(boards...)); err != nil {
			t.Fatal(err)
		}
		compare(t, "fragment", map[string]*bytes.Buffer{"authorize": w})
	})
}

// compare holds files, but for the keys and certificates, against testdata/dir.
func compare(t *testing.T, dir string, files map[string]*bytes.Buffer) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if strings.HasPrefix(name, "radius.") || strings.HasSuffix(name, ".pem") {
			continue
		}
		golden, got := filepath.Join("testdata", dir, name), files[name].Bytes()
		if *update {
			if err := errors.Join(os.MkdirAll(filepath.Dir(golden), 0o755), os.WriteFile(golden, got, 0o644)); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s: got\n%s\nwant\n%s", golden, got, want)
		}
	}
}

// Nothing of what is refused gets into a file.
func TestRefusedServer(t *testing.T) {
	s := newSite()
	client := func(change func(*radius.Client)) func(*radius.Server) {
		return func(srv *radius.Server) { change(&srv.Clients[0]) }
	}
	withSecret := func(text string) func(*radius.Server) {
		return client(func(c *radius.Client) { c.Secret = text })
	}
	for _, row := range []struct {
		name   string
		change func(*radius.Server)
		want   string
	}{
		{"no address", func(s *radius.Server) { s.Address = netip.Addr{} }, "address"},
		{"address with a zone", func(s *radius.Server) { s.Address = netip.MustParseAddr("fe80::1%eth0\n}") }, "zone"},
		{"port 0, which would mean 1812", func(s *radius.Server) { s.Port = 0 }, "port 0"},
		{"no method", func(s *radius.Server) { s.EAP = 0 }, "EAP"},
		{"unknown method", func(s *radius.Server) { s.EAP = 1 << 6 }, "EAP"},
		{"name with a line end", func(s *radius.Server) { s.Name = "radius.lab\n$INCLUDE x" }, "RADIUS name"},
		{"name of another server", func(s *radius.Server) { s.Name = "radius.lab2" }, "RADIUS certificate"},
		{"no certificate", func(s *radius.Server) { s.Chain = nil }, "certificate"},
		{"another key", func(srv *radius.Server) { srv.Key = certify(s.radius, "radius.lab").key }, "key"},
		{"a board's certificate", func(srv *radius.Server) {
			c := s.enroll("246f28aa1001", all, 0).cert()
			srv.Chain, srv.Key = c.chain, c.key
		}, "RADIUS certificate"},
		{"no boards CA", func(s *radius.Server) { s.BoardsCA = nil }, "boards CA"},
		{"a root as boards CA", func(srv *radius.Server) { srv.BoardsCA = pki.CertificatePEM(s.boards.Root) }, "root"},
		{"a leaf as boards CA", func(srv *radius.Server) { srv.BoardsCA = s.enroll("246f28aa1001", all, 0).cert().chain }, "not a CA"},
		{"rubbish as boards CA", func(s *radius.Server) {
			s.BoardsCA = []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
		}, "boards CA"},
		{"client without a name", client(func(c *radius.Client) { c.Name = "" }), "RADIUS client"},
		{"client name that closes its section", client(func(c *radius.Client) { c.Name = "x {\n}" }), "RADIUS client"},
		{"client name that expands", client(func(c *radius.Client) { c.Name = "%{x}" }), "RADIUS client"},
		{"client without a network", client(func(c *radius.Client) { c.Net = netip.Prefix{} }), "network"},
		{"client with host bits", client(func(c *radius.Client) { c.Net = netip.MustParsePrefix("10.0.0.1/8") }), "host bits"},
		{"client twice", func(s *radius.Server) { s.Clients = append(s.Clients, s.Clients[0]) }, "twice"},
		{"network twice", func(s *radius.Server) {
			s.Clients = append(s.Clients, radius.Client{Name: "b", Net: s.Clients[0].Net, Secret: "01234567"})
		}, "twice"},
		{"short secret", withSecret("0123456"), "7 characters"},
		{"long secret", withSecret(strings.Repeat("x", 129)), "129 characters"},
		{"secret with a quote", withSecret(`hunter2-"`), "letters, digits"},
		{"secret with a line end", withSecret("hunter2-\n"), "letters, digits"},
		{"secret with a backslash", withSecret(`hunter2-\`), "letters, digits"},
		{"secret that expands", withSecret("hunter2-${confdir}"), "letters, digits"},
		{"secret that is not ASCII", withSecret("hunter2-ä"), "letters, digits"},
	} {
		t.Run(row.name, func(t *testing.T) {
			srv := s.server(all)
			row.change(&srv)
			var m memory
			err := radius.Export(srv, devices(), m.create)
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Fatalf("error %v, want one with %q", err, row.want)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("error %q tells the secret", err)
			}
			if len(m.files) != 0 {
				t.Errorf("wrote %d files", len(m.files))
			}
		})
	}
}

// What settings may hold, the server takes.
func TestSettingsAreValid(t *testing.T) {
	t.Parallel()
	s := newSite()
	for _, row := range []struct {
		name   string
		change func(*radius.Server)
	}{
		{"no client", func(s *radius.Server) { s.Clients = nil }},
		{"any address", func(s *radius.Server) { s.Address = netip.IPv4Unspecified() }},
		{"IPv6", func(s *radius.Server) {
			s.Address = netip.MustParseAddr("2001:db8::1")
			s.Clients[0].Net = netip.MustParsePrefix("2001:db8::/32")
		}},
		{"two CAs, while one is renewed", func(srv *radius.Server) {
			srv.BoardsCA = append(srv.BoardsCA, newSite().server(all).BoardsCA...)
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			srv := s.server(all)
			row.change(&srv)
			dir := folder(t)
			if err := radius.Export(srv, devices(), creator(dir)); err != nil {
				t.Fatal(err)
			}
			check := exec.Command(program(t, "freeradius", "freeradius"), "-CX", "-d", dir, "-n", "radiusd")
			if out, err := check.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

func TestRefusedBoards(t *testing.T) {
	ok := fixed("246f28aa1002", all, 0, admission(0x22))
	for _, row := range []struct {
		name  string
		board *board
		want  string
	}{
		{"the same board again", ok, "order"},
		{"out of order", fixed("246f28aa1001", all, 0, admission(0x11)), "order"},
		{"VLAN out of range", fixed("246f28aa1003", all, 4095, admission(0x11)), "VLAN 4095"},
		{"three credentials", fixed("246f28aa1003", all, 0, admission(1), admission(2), admission(3)), "3 live credentials"},
		{"an end to the newest", fixed("246f28aa1003", all, 0, until(admission(1), day)), "newest"},
		{"no serial", fixed("246f28aa1003", all, 0, fleet.Admission{}), "serial"},
	} {
		t.Run(row.name, func(t *testing.T) {
			err := radius.Authorize(io.Discard, devices(ok, row.board))
			if err == nil || !strings.Contains(err.Error(), row.want) || !strings.Contains(err.Error(), row.board.Device.MAC.String()) {
				t.Errorf("error %v, want one with %q and the board", err, row.want)
			}
		})
	}
}

// A file that could not be completed is not closed, and none follows it.
func TestFailures(t *testing.T) {
	s := newSite()
	lost := errors.New("database gone")
	var m memory
	err := radius.Export(s.server(all), func(yield func(fleet.Device, error) bool) { yield(fleet.Device{}, lost) }, m.create)
	if !errors.Is(err, lost) || slices.Contains(m.closed, "authorize") {
		t.Errorf("error %v, closed %q; want %v and authorize left open", err, m.closed, lost)
	}
	full := errors.New("disk full")
	err = radius.Export(s.server(all), devices(), func(string, bool) (io.WriteCloser, error) { return nil, full })
	if !errors.Is(err, full) {
		t.Errorf("error %v, want %v", err, full)
	}
	if err := radius.Authorize(failing{full}, devices(fixed("246f28aa1001", all, 0, admission(1)))); !errors.Is(err, full) {
		t.Errorf("error %v, want %v", err, full)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

// Memory does not grow with the number of boards.
func TestStreams(t *testing.T) {
	const boards = 100_000
	var early, late uint64
	if err := radius.Authorize(io.Discard, many(boards, func(i int) {
		switch i {
		case boards / 10:
			early = heap()
		case boards - 1:
			late = heap()
		}
	})); err != nil {
		t.Fatal(err)
	}
	if late > early+64<<10 {
		t.Errorf("heap of %d bytes at a tenth, %d at the end", early, late)
	}
}

// many yields n boards and says before each which it is.
func many(n int, at func(i int)) iter.Seq2[fleet.Device, error] {
	d := fixed("246f28aa1001", all, 101, admission(1), until(admission(2), day)).Device
	return func(yield func(fleet.Device, error) bool) {
		for i := range n {
			at(i)
			d.MAC[3], d.MAC[4], d.MAC[5] = byte(i>>16), byte(i>>8), byte(i)
			if !yield(d, nil) {
				return
			}
		}
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func BenchmarkAuthorize(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if err := radius.Authorize(io.Discard, many(1000, func(int) {})); err != nil {
			b.Fatal(err)
		}
	}
}
