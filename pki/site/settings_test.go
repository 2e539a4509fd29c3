package site

import (
	"bytes"
	"flag"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the golden files anew")

// campus uses every key there is.
func campus() Settings {
	return Settings{
		Name: "campus", SSID: `lab "5" \ #1: été 世 %{x}`, Server: "[2001:db8::1]:8123", Listen: "192.0.2.1:8123",
		Database: "postgres://tcpboot@db.example.net/fleet?sslmode=verify-full", Releases: "/srv/releases", Channel: "beta", Credentials: "rsa2048",
		RADIUS: RADIUS{Kind: "hostapd", EAP: "tls", Listen: "[::]:1812",
			Database: "postgres://radius@db.example.net/fleet?passfile=/etc/freeradius/pgpass&sslmode=verify-full", Clients: []Client{
				{Name: "ap-1", Address: "192.0.2.7", SecretFile: "ap-1.secret"},
				{Name: "wing.b", Address: "2001:db8::/32", SecretFile: "/etc/tcpboot/wing b",
					Disconnect: []string{"[2001:db8::7]:3799", "[2001:db8::8]:1700"}},
			}},
		Hardware: map[string]Hardware{
			"gate": {Chip: "esp32c3", MinRevision: "0.4", Flash: "8MB", Loader: "0xF0000", Slot: "3145728", Signature: "rsa3072", Project: "gate: #2"},
			"true": {Chip: "esp32", MinRevision: "3.0", Flash: "4MB", Loader: "0xF0000", Slot: "0x300000", Signature: "v1"},
		},
		Keys:    map[string]string{"release": "pkcs11:token=fleet;object=release", "boards-root": "keys/offline.pem"},
		Penalty: Penalty{Failures: "0", Burst: "16", Lasts: "1h30m"},
	}
}

func small() Settings {
	s := Defaults()
	s.SSID, s.Server = "lab", "boot.example.net:8123"
	return s
}

// The keys and defaults are frozen from the first release on: a change of these
// files breaks sites that exist.
func TestGolden(t *testing.T) {
	for name, s := range map[string]Settings{"default": small(), "campus": campus()} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join("testdata", name+".yaml")
			got := s.Render()
			if *update {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("rendered:\n%s\nwant:\n%s", got, want)
			}
			if again, err := Parse(file, want); err != nil || !reflect.DeepEqual(again, s) {
				t.Errorf("parsed: %+v, %v\nwant: %+v", again, err, s)
			}
		})
	}
}

func TestParseDefaults(t *testing.T) {
	got, err := Parse("f", []byte("name: site\nssid: lab\nserver: boot.example.net:8123\nhardware: {esp32: {chip: esp32}}"))
	if want := small(); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v\nwant %+v", got, err, want)
	}
}

const minimal = "name: a\nssid: b\nserver: c:1\nhardware:\n  d:\n    chip: esp32\n"

// client is minimal with a RADIUS client that says more.
func client(more string) string {
	return minimal + "radius:\n  clients:\n  - {name: a, address: 192.0.2.0/24, secret_file: s, " + more + "}\n"
}

func TestParseRefuses(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"nothing", "", "f: empty"},
		{"a remark", "# x\n", "f: empty"},
		{"null", "---\n", "f:2:1: want keys with values"},
		{"a list", "- a\n", "f:1:1: want keys with values"},
		{"not YAML", "a: [\n", "f:1: not YAML: did not find expected node content"},
		{"a second document", minimal + "---\nname: b\n", "f:7:1: a second document"},
		{"rubbish behind", minimal + "---\n\t[", "f:8: not YAML: found character that cannot start any token"},
		{"unknown key", minimal + "sid: x\n", `f:7:1: unknown key "sid"; the keys here are channel, credentials, database, hardware, keys, listen, name, penalty, radius, releases, server, ssid`},
		{"unknown key inside", minimal + "radius:\n  kinds: x\n", `f:8:3: radius: unknown key "kinds"; the keys here are clients, database, eap, kind, listen`},
		{"too many failures", minimal + "penalty: {failures: 17}\n", `f:7:21: penalty.failures: "17": want 0 to 16`},
		{"no time", minimal + "penalty: {lasts: 10ms}\n", `f:7:18: penalty.lasts: "10ms": want a second or more, as in 180s or 24h`},
		{"twice", minimal + "ssid: x\n", `f:7:1: key "ssid" is on line 2 already`},
		{"hardware twice", minimal + "  d:\n    chip: esp32\n", `f:7:3: hardware: key "d" is on line 5 already`},
		{"merge", minimal + "<<: {name: x}\n", `f:7:1: unknown key "<<"; the keys here are channel, credentials, database, hardware, keys, listen, name, penalty, radius, releases, server, ssid`},
		{"alias", "name: &n a\nssid: *n\n", "f:1:7: name: want a text"},
		{"alias of a mapping", minimal + "radius: &r {}\nkeys: *r\n", "f:7:9: radius: want keys with values"},
		{"missing", "name: a\nserver: c:1\nhardware: {d: {chip: esp32}}\n", "f:1:1: ssid is missing"},
		{"no hardware", "name: a\nssid: b\nserver: c:1\nhardware: {}\n", "f:1:1: hardware: want at least one entry"},
		{"hardware without chip", minimal + "  e: {flash: 4MB}\n", "f:7:6: hardware.e: chip is missing"},
		{"SSID a number", strings.Replace(minimal, "ssid: b", "ssid: 0123", 1), "f:2:7: ssid: YAML reads 0123 as int, not as text; put it in quotes"},
		{"SSID a bool", strings.Replace(minimal, "ssid: b", "ssid: true", 1), "f:2:7: ssid: YAML reads true as bool, not as text; put it in quotes"},
		{"SSID a list", strings.Replace(minimal, "ssid: b", "ssid: [b]", 1), "f:2:7: ssid: want a text"},
		{"SSID nothing", strings.Replace(minimal, "ssid: b", "ssid:", 1), "f:2:6: ssid: YAML reads  as null, not as text; put it in quotes"},
		{"SSID empty", strings.Replace(minimal, "ssid: b", `ssid: ""`, 1), "f:2:7: ssid: empty"},
		{"SSID of 33 bytes", strings.Replace(minimal, "ssid: b", "ssid: "+strings.Repeat("é", 16)+"x", 1), `f:2:7: ssid: "` + strings.Repeat("é", 16) + `x": 33 bytes, and Wi-Fi takes at most 32`},
		{"SSID with a line break", strings.Replace(minimal, "ssid: b", `ssid: "a\nCONFIG_X=y"`, 1), `f:2:7: ssid: "a\nCONFIG_X=y": unprintable character U+000A`},
		{"SSID in a block", strings.Replace(minimal, "ssid: b", "ssid: |\n  b", 1), `f:2:7: ssid: "b\n": unprintable character U+000A`},
		{"binary", strings.Replace(minimal, "ssid: b", "ssid: !!binary YQ==", 1), "f:2:7: ssid: YAML reads YQ== as binary, not as text; put it in quotes"},
		{"site not a label", strings.Replace(minimal, "name: a", "name: A.b", 1), `f:1:7: name: "A.b": want 1 to 63 lower-case letters, digits and -, neither first nor last a -`},
		{"server without port", strings.Replace(minimal, "c:1", "c", 1), `f:3:9: server: "c": want address:port`},
		{"server without host", strings.Replace(minimal, "c:1", `":1"`, 1), `f:3:9: server: ":1": want host:port; a board needs to know the host`},
		{"port 0", strings.Replace(minimal, "c:1", `"c:0"`, 1), `f:3:9: server: "c:0": want a port from 1 to 65535`},
		{"port 65536", strings.Replace(minimal, "c:1", `"c:65536"`, 1), `f:3:9: server: "c:65536": want a port from 1 to 65535`},
		{"port 08", strings.Replace(minimal, "c:1", `"c:08"`, 1), `f:3:9: server: "c:08": want a port from 1 to 65535`},
		{"host with a blank", strings.Replace(minimal, "c:1", `"c d:1"`, 1), `f:3:9: server: "c d:1": "c d" is neither a host name nor an address`},
		{"hardware name", minimal + "  ../x: {chip: esp32}\n", `f:7:3: hardware: "../x": want 1 to 63 letters, digits and . _ - and a letter or digit first`},
		{"chip", minimal + "  e: {chip: ESP32}\n", `f:7:13: hardware.e.chip: "ESP32": want a chip like "esp32" or "esp32c3"`},
		{"signature", minimal + "    signature: rsa\n", `f:7:16: hardware.d.signature: "rsa": want one of by-chip, v1, rsa3072, p256, p384`},
		{"revision", minimal + "    min_revision: 300\n", `f:7:19: hardware.d.min_revision: "300": want a chip revision like "3.0"`},
		{"flash", minimal + "    flash: 3MB\n", `f:7:12: hardware.d.flash: "3MB": want one of 1MB, 2MB, 4MB, 8MB, 16MB, 32MB, 64MB, 128MB`},
		{"slot not a number", minimal + "    slot: 3M\n", `f:7:11: hardware.d.slot: "3M": want a number of bytes like 0x300000`},
		{"slot octal", minimal + "    slot: 010000\n", `f:7:11: hardware.d.slot: "010000": want a number of bytes like 0x300000`},
		{"slot not whole sectors", minimal + "    slot: 0x300001\n", `f:7:11: hardware.d.slot: "0x300001": not a multiple of 0x1000, a sector of flash`},
		{"slot too large", minimal + "    slot: 0x400000\n", `f:6:5: hardware.d: loader 0xF0000 and slot 0x400000 do not fit into 4MB of flash`},
		{"kind", minimal + "radius:\n  kind: cisco\n", `f:8:9: radius.kind: "cisco": want one of freeradius, hostapd`},
		{"eap", minimal + "radius:\n  eap: tls,md5\n", `f:8:8: radius.eap: "md5": want one of tls, peap, ttls`},
		{"eap twice", minimal + "radius:\n  eap: tls,tls\n", `f:8:8: radius.eap: "tls,tls": tls twice`},
		{"clients", minimal + "radius:\n  clients: x\n", `f:8:12: radius.clients: want a list`},
		{"client address", minimal + "radius:\n  clients:\n  - {name: a, address: 192.0.2.1/24, secret_file: s}\n",
			`f:9:24: radius.clients.0.address: "192.0.2.1/24": has bits behind its mask; 192.0.2.0/24 is meant, or an address`},
		{"client twice", minimal + "radius:\n  clients:\n  - {name: a, address: 192.0.2.1, secret_file: s}\n  - {name: a, address: 192.0.2.2, secret_file: s}\n",
			`f:10:5: radius.clients.1: name "a" is another's already`},
		{"a secret itself", minimal + "radius:\n  clients:\n  - {name: a, address: 192.0.2.1, secret: s}\n",
			`f:9:35: radius.clients.0: unknown key "secret"; the keys here are address, disconnect, name, secret_file`},
		{"disconnect not a list", client("disconnect: 192.0.2.1:3799"), "f:9:66: radius.clients.0.disconnect: want a list"},
		{"disconnect without a port", client("disconnect: [192.0.2.1]"), `f:9:67: radius.clients.0.disconnect.0: "192.0.2.1": want an address and a port like 192.0.2.7:3799`},
		{"disconnect by name", client("disconnect: ['ap:3799']"), `f:9:67: radius.clients.0.disconnect.0: "ap:3799": want an address and a port like 192.0.2.7:3799`},
		{"disconnect in another spelling", client("disconnect: ['192.0.2.1:03799']"), `f:9:67: radius.clients.0.disconnect.0: "192.0.2.1:03799": want an address and a port like 192.0.2.7:3799`},
		{"disconnect at port 0", client("disconnect: ['192.0.2.1:0']"), `f:9:67: radius.clients.0.disconnect.0: "192.0.2.1:0": want an address and a port like 192.0.2.7:3799`},
		{"disconnect elsewhere", client("disconnect: ['192.0.2.1:1', '192.0.3.1:1']"), "f:9:5: radius.clients.0: disconnect.1: 192.0.3.1:1 is not within the client's address, 192.0.2.0/24"},
		{"disconnect twice", client("disconnect: ['192.0.2.1:1', '192.0.2.1:1']"), "f:9:5: radius.clients.0: disconnect.1: 192.0.2.1:1 is there already"},
		{"releases", minimal + "releases: http://h/n\n", `f:7:11: releases: "http://h/n": want a folder, or oci://HOST/REPOSITORY`},
		{"releases without a repository", minimal + "releases: oci://h\n", `f:7:11: releases: "oci://h": want oci://HOST/REPOSITORY, without a tag`},
		{"releases with a tag", minimal + "releases: oci://h/n:v\n", `f:7:11: releases: "oci://h/n:v": want oci://HOST/REPOSITORY, without a tag`},
		{"releases with a password", minimal + "releases: oci://u:secret@h/n\n", "f:7:11: releases: neither a password nor a digest belongs here; passwords are in the Docker configuration"},
		{"database", minimal + "database: mysql://x\n", "f:7:11: database: want sqlite:PATH or postgres://USER@HOST/NAME"},
		{"database password", minimal + "database: postgres://u:secret@h/n\n", "f:7:11: database: a password does not belong here; PGPASSFILE names a file for it"},
		{"database password as a parameter", minimal + "database: postgres://h/n?password=secret\n", "f:7:11: database: a password does not belong here; PGPASSFILE names a file for it"},
		{"database of RADIUS beside a file", minimal + "radius:\n  database: postgres://u@h/n\n", "f:1:1: radius.database: want sqlite:PATH, because the registry is a file too"},
		{"database of RADIUS beside a server", minimal + "database: postgres://u@h/n\nradius:\n  database: sqlite:x\n", "f:1:1: radius.database: want postgres://USER@HOST/NAME: the server reads the registry itself"},
		{"database of RADIUS the registry", minimal + "radius:\n  database: sqlite:./tcpboot.db\n", "f:1:1: radius.database: this is the registry, and the server needs a file of its own"},
		{"database of RADIUS with a password", minimal + "radius:\n  database: postgres://u:secret@h/n\n", "f:8:13: radius.database: a password does not belong here; PGPASSFILE names a file for it"},
		{"key role", minimal + "keys:\n  relase: x\n", `f:8:11: keys.relase: "relase": want boards, radius, servers, server, ocsp, release-root, release, app or mcuboot, or one of them with -WORD behind`},
		{"too long", minimal + "releases: " + strings.Repeat("x", 1025), "f:7:11: releases: longer than 1024 bytes"},
		{"too large", strings.Repeat("#", MaxSettings+1), "f: larger than 262144 bytes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := Parse("f", []byte(tt.text)); err == nil || err.Error() != tt.want {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
		})
	}
}

func TestCheck(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   func(*Settings)
		want string
	}{
		{"SSID with quotes", func(s *Settings) { s.SSID = `a"b\c'` }, ""},
		{"SSID only blanks", func(s *Settings) { s.SSID = "  " }, ""},
		{"SSID not UTF-8", func(s *Settings) { s.SSID = "\xff" }, "ssid: not UTF-8"},
		{"SSID with an escape", func(s *Settings) { s.SSID = "\x1b[2J" }, `ssid: "\x1b[2J": unprintable character U+001B`},
		{"SSID with U+FFFD", func(s *Settings) { s.SSID = "\ufffd" }, `ssid: "�": unprintable character U+FFFD`},
		{"server", func(s *Settings) { s.Server = "" }, `server: "": want address:port`},
		{"no hardware", func(s *Settings) { s.Hardware = nil }, "hardware: want at least one entry"},
		{"hardware", func(s *Settings) { s.Hardware["x"] = Hardware{} }, `hardware.x: chip: "": want a chip like "esp32" or "esp32c3"`},
		{"client", func(s *Settings) { s.RADIUS.Clients = []Client{{}} }, `radius.clients.0.name: "": want 1 to 63 letters, digits and . _ - and a letter or digit first`},
		{"two clients", func(s *Settings) {
			c := Client{Name: "a", Address: "192.0.2.1", SecretFile: "f"}
			s.RADIUS.Clients = []Client{c, c}
		}, `radius.clients.1: name "a" is another's already`},
		{"disconnect at a client's one address", func(s *Settings) {
			s.RADIUS.Clients = []Client{{Name: "a", Address: "192.0.2.1", SecretFile: "f", Disconnect: []string{"192.0.2.1:3799"}}}
		}, ""},
		{"disconnect beside it", func(s *Settings) {
			s.RADIUS.Clients = []Client{{Name: "a", Address: "192.0.2.1", SecretFile: "f", Disconnect: []string{"192.0.2.2:3799"}}}
		}, "radius.clients.0.disconnect.0: 192.0.2.2:3799 is not within the client's address, 192.0.2.1"},
		{"key", func(s *Settings) { s.Keys = map[string]string{"app": ""} }, "keys.app: empty"},
		{"radius", func(s *Settings) { s.RADIUS.EAP = "" }, `radius.eap: "": want one of tls, peap, ttls`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := small()
			tt.do(&s)
			got := ""
			if err := s.Check(); err != nil {
				got = err.Error()
			}
			if got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// What people wrote stays, whatever their style; what cannot be added to is said.
func TestSetRADIUSDatabase(t *testing.T) {
	const url = "sqlite:radius-db/radius.db"
	for _, tt := range []struct{ name, radius, want, err string }{
		{"as init writes it", "radius:\n  kind: freeradius # ours\n", "radius:\n  # Where the server looks the boards up by itself, at each login.\n  database: \"" + url + "\"\n  kind: freeradius # ours\n", ""},
		{"flow", "radius: {kind: freeradius}\n", "", "tcpboot.yaml: its radius section is not written with a line per entry"},
		{"none", "", "", "tcpboot.yaml: its radius section is not written with a line per entry"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), SettingsFile)
			if err := os.WriteFile(file, []byte(minimal+tt.radius), 0o600); err != nil {
				t.Fatal(err)
			}
			s, err := Open(filepath.Dir(file))
			if err != nil {
				t.Fatal(err)
			}
			err = s.SetRADIUSDatabase(url)
			text, _ := os.ReadFile(file)
			switch {
			case tt.err != "":
				if err == nil || !strings.HasSuffix(err.Error(), tt.err) || string(text) != minimal+tt.radius {
					t.Errorf("%v, file\n%s", err, text)
				}
			case err != nil || string(text) != minimal+tt.want || s.Settings.RADIUS.Database != url:
				t.Errorf("%v, file\n%s", err, text)
			}
		})
	}
}

func TestNumbers(t *testing.T) {
	s := campus()
	if host, port := s.ServerAddr(); host != "2001:db8::1" || port != 8123 {
		t.Errorf("server is %s, %d", host, port)
	}
	h := s.Hardware["gate"]
	if h.Revision() != 4 || h.FlashSize() != 8<<20 || h.LoaderSize() != 0xF0000 || h.SlotSize() != 0x300000 {
		t.Errorf("%+v: revision %d, flash %#x, loader %#x, slot %#x", h, h.Revision(), h.FlashSize(), h.LoaderSize(), h.SlotSize())
	}
	if got := (Hardware{MinRevision: "3.10"}).Revision(); got != 310 {
		t.Errorf("3.10 is %d", got)
	}
	for _, f := range flashSizes {
		if (Hardware{Flash: f}).FlashSize() == 0 {
			t.Errorf("%s is nothing", f)
		}
	}
	want := []netip.AddrPort{netip.MustParseAddrPort("[2001:db8::7]:3799"), netip.MustParseAddrPort("[2001:db8::8]:1700")}
	if got := s.RADIUS.Clients[1].DisconnectAt(); !slices.Equal(got, want) {
		t.Errorf("disconnect at %s, want %s", got, want)
	}
	if s.Key("release") != "pkcs11:token=fleet;object=release" || s.Key("app") != "keys/app.pem" {
		t.Errorf("keys: %s, %s", s.Key("release"), s.Key("app"))
	}
}

// What two settings share, one must not change for the other.
func TestDefaultsAreFresh(t *testing.T) {
	Defaults().Hardware["x"] = Hardware{}
	if got := Defaults().Hardware; len(got) != 1 {
		t.Errorf("defaults now have %v", maps.Keys(got))
	}
}

func FuzzParse(f *testing.F) {
	f.Add(small().Render())
	f.Add(campus().Render())
	f.Add([]byte(minimal))
	f.Add([]byte("a: &a [*a]\n---\n? [x]\n: !!int y"))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := Parse("f", data)
		if err != nil {
			return
		}
		if again, err := Parse("f", s.Render()); err != nil || !reflect.DeepEqual(again, s) {
			t.Fatalf("%+v became %+v, %v, through\n%s", s, again, err, s.Render())
		}
	})
}

func FuzzRender(f *testing.F) {
	f.Add("lab", "release", "keys/a.pem", "proj")
	f.Add(`"\#'`, "app-2", "pkcs11:a=b;c", "yes")
	f.Add("null", "radius", "~", "0x1")
	f.Fuzz(func(t *testing.T, ssid, role, uri, project string) {
		s := small()
		h := DefaultHardware("esp32")
		h.Project = project
		s.SSID, s.Keys, s.Hardware[role] = ssid, map[string]string{role: uri}, h
		s.RADIUS.Clients = []Client{{Name: "a", Address: "192.0.2.1", SecretFile: uri}}
		if s.Check() != nil {
			return
		}
		if again, err := Parse("f", s.Render()); err != nil || !reflect.DeepEqual(again, s) {
			t.Fatalf("%+v became %+v, %v, through\n%s", s, again, err, s.Render())
		}
	})
}

func TestAddHardware(t *testing.T) {
	h := DefaultHardware("esp32s3")
	for _, tt := range []struct{ name, text, want string }{
		{"as rendered", string(small().Render()), ""},
		{"minimal", minimal, ""},
		{"remarks stay", "name: a # 1\nssid: b\nserver: c:1\nhardware: # 2\n # 3\n d: # 4\n  {chip: esp32} # 5\n# 6\n", ""},
		{"CR LF", strings.ReplaceAll(minimal, "\n", "\r\n"), ""},
		{"in braces", "name: a\nssid: b\nserver: c:1\nhardware: {d: {chip: esp32}}\n", "f: its hardware section is not written with a line per entry"},
		{"there already", strings.ReplaceAll(minimal, "  d:", "  s3:"), `f: hardware "s3" is there already`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			was, err := Parse("f", []byte(tt.text))
			if err != nil {
				t.Fatal(err)
			}
			data, now, err := addHardware("f", []byte(tt.text), was, map[string]Hardware{"s3": h})
			if tt.want != "" {
				if err == nil || err.Error() != tt.want {
					t.Errorf("got %v, want %s", err, tt.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if again, err := Parse("f", data); err != nil || !reflect.DeepEqual(again, now) || now.Hardware["s3"] != h {
				t.Errorf("%+v, %v", again, err)
			}
			if rest := strings.Replace(string(data), h.render("s3", strings.Repeat(" ", indentOf(string(data)))), "", 1); rest != tt.text {
				t.Errorf("more than the entry changed:\n%s\nwas:\n%s", data, tt.text)
			}
		})
	}
}

func indentOf(text string) int {
	for line := range strings.Lines(text) {
		if at := strings.Index(line, "s3:"); at >= 0 {
			return at
		}
	}
	return -1
}

func TestPenalty(t *testing.T) {
	failures, burst, within, lasts := 3, 5, 180*time.Second, 24*time.Hour
	campus().Penalty.Change(&failures, &burst, &within, &lasts)
	if failures != 0 || burst != 16 || within != 180*time.Second || lasts != 90*time.Minute {
		t.Errorf("got %d, %d, %s, %s", failures, burst, within, lasts)
	}
}
