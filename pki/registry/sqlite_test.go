package registry_test

import (
	"bytes"
	"database/sql"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/registry"
	"github.com/tcpboot/tcpboot/pki/registry/registrytest"
	_ "modernc.org/sqlite"
)

func TestContract(t *testing.T) {
	registrytest.Run(t, func(t *testing.T) registrytest.Opener {
		url := "sqlite:" + filepath.Join(t.TempDir(), "a ?#%41 b.db")
		return func(t *testing.T, o registry.Options) *registry.Fleet {
			f, err := registry.Create(t.Context(), url, o)
			if errors.Is(err, fs.ErrExist) || o.ReadOnly {
				f, err = registry.Open(t.Context(), url, o)
			}
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { f.Close() })
			return f
		}
	})
}

var someone = registry.Options{Who: "test"}

// create makes a registry and returns its URL.
func create(t *testing.T) string {
	t.Helper()
	url := "sqlite:" + filepath.Join(t.TempDir(), "tcpboot.db")
	f, err := registry.Create(t.Context(), url, someone)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return url
}

func open(t *testing.T, url string) *registry.Fleet {
	t.Helper()
	f, err := registry.Open(t.Context(), url, someone)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func path(url string) string { return strings.TrimPrefix(url, "sqlite:") }

// byHand runs statements as somebody at a SQL prompt would.
func byHand(t *testing.T, url string, statements ...string) error {
	t.Helper()
	db, err := sql.Open("sqlite", path(url))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, s := range statements {
		if _, err := db.ExecContext(t.Context(), s); err != nil {
			return err
		}
	}
	return nil
}

// shell asks for one text.
func shell(t *testing.T, url, question string) (answer string) {
	t.Helper()
	db, err := sql.Open("sqlite", path(url))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRowContext(t.Context(), question).Scan(&answer); err != nil {
		t.Fatal(err)
	}
	return answer
}

func TestFileModes(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0))
	url := "sqlite:" + filepath.Join(t.TempDir(), "tcpboot.db")
	f, err := registry.Create(t.Context(), url, someone)
	if err != nil {
		t.Fatal(err)
	}
	registrytest.Enrol(t, f, registrytest.Entry(1))
	check := func() {
		t.Helper()
		for _, suffix := range []string{"", "-wal", "-shm"} {
			info, err := os.Stat(path(url) + suffix)
			if err != nil {
				t.Fatal(err)
			}
			if got := info.Mode().Perm(); got != 0o600 {
				t.Errorf("%s: mode %o", info.Name(), got)
			}
		}
	}
	check()
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	check() // the log stays in its place, for readers that may not make it
	if left, err := os.ReadDir(filepath.Dir(path(url))); err != nil || len(left) != 3 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestCreateAndOpen(t *testing.T) {
	whole := create(t)
	data, err := os.ReadFile(path(whole))
	if err != nil {
		t.Fatal(err)
	}
	visits := filepath.Join(t.TempDir(), "visits.db")
	v, err := registry.OpenVisits(t.Context(), visits)
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	visitsData, err := os.ReadFile(visits)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name         string
		data         []byte // nil: no file
		create, open error  // nil: no error; otherwise what it wraps
	}{
		{"no file", nil, nil, fs.ErrNotExist},
		{"an empty file", []byte{}, fs.ErrExist, errAny},
		{"a registry", data, fs.ErrExist, nil},
		{"visits", visitsData, fs.ErrExist, errAny},
		{"another file", []byte(strings.Repeat("tcpboot.yaml ", 100)), fs.ErrExist, errAny},
	} {
		t.Run(row.name, func(t *testing.T) {
			for name, do := range map[string]struct {
				f    func() (*registry.Fleet, error)
				want error
			}{
				"create": {func() (*registry.Fleet, error) {
					return registry.Create(t.Context(), "sqlite:"+put(t, row.data), someone)
				}, row.create},
				"open": {func() (*registry.Fleet, error) {
					return registry.Open(t.Context(), "sqlite:"+put(t, row.data), someone)
				}, row.open},
				"read": {func() (*registry.Fleet, error) {
					return registry.Open(t.Context(), "sqlite:"+put(t, row.data), registry.Options{ReadOnly: true})
				}, row.open},
			} {
				f, err := do.f()
				if err == nil {
					f.Close()
				}
				if (err == nil) != (do.want == nil) || do.want != errAny && !errors.Is(err, do.want) {
					t.Errorf("%s: got %v, want %v", name, err, do.want)
				}
			}
		})
	}
}

var errAny = errors.New("any error")

func put(t *testing.T, data []byte) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "x.db")
	if data == nil {
		return name
	}
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestURLs(t *testing.T) {
	for _, url := range []string{"", "tcpboot.db", "sqlite:", "postgres://admin:hunter2@db/tcpboot", "hunter2"} {
		_, err := registry.Open(t.Context(), url, someone)
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v", url, err)
		}
	}
	for _, who := range []string{"", "a\nb", "\x1b[2J"} {
		if _, err := registry.Open(t.Context(), create(t), registry.Options{Who: who}); err == nil {
			t.Errorf("who %q: no error", who)
		}
	}
}

func TestNewerSchema(t *testing.T) {
	url := create(t)
	if err := byHand(t, url, "UPDATE schema_version SET version = 99"); err != nil {
		t.Fatal(err)
	}
	for _, o := range []registry.Options{someone, {ReadOnly: true}} {
		if _, err := registry.Open(t.Context(), url, o); !errors.Is(err, registry.ErrNewer) {
			t.Errorf("%+v: %v", o, err)
		}
	}
	if got := shell(t, url, "SELECT version FROM schema_version"); got != "99" {
		t.Errorf("version is %s now", got)
	}
}

// accidents are statements that a database must refuse by itself, of whichever kind it
// is. The second of two boards is revoked first.
func accidents(t *testing.T, f *registry.Fleet) []string {
	registrytest.Enrol(t, f, registrytest.Entry(1), registrytest.Entry(2))
	if err := f.Revoke(t.Context(), []fleet.MAC{registrytest.MAC(2)}, "lost"); err != nil {
		t.Fatal(err)
	}
	other := registrytest.Admission(1, 1)
	return []string{
		"UPDATE audit SET who = 'nobody' WHERE sequence = 1",
		"DELETE FROM audit",
		"UPDATE device SET state = 'pending' WHERE state = 'active'",
		"UPDATE device SET state = 'active', revoked = NULL WHERE state = 'revoked'",
		"UPDATE device SET state = 'revoked' WHERE state = 'active'",
		"UPDATE device SET state = 'free'",
		"UPDATE device SET mac = '240a00000009' WHERE state = 'active'",
		"DELETE FROM device",
		"DELETE FROM credential",
		"UPDATE credential SET ended = NULL",
		"UPDATE credential SET reason = 'x' WHERE ended IS NOT NULL",
		"UPDATE credential SET issuer = certificate WHERE ended IS NULL",
		"INSERT INTO credential (serial, mac, certificate, issued) VALUES ('" + other.Serial.String() + "', '" +
			registrytest.MAC(1).String() + "', '" + other.Certificate.Hex() + "', '')",
	}
}

// TestAccidents tries at a SQL prompt what the database must refuse by itself.
func TestAccidents(t *testing.T) {
	url := create(t)
	f := open(t, url)
	for _, statement := range append(accidents(t, f),
		"REPLACE INTO audit SELECT sequence, time, 'nobody', action, subject, detail, prev, hash FROM audit WHERE sequence = 2",
		"UPDATE credential SET certificate = hex(randomblob(32)) WHERE ended IS NULL",
	) {
		if err := byHand(t, url, statement); err == nil {
			t.Errorf("taken: %s", statement)
		}
	}
	if _, err := f.VerifyAudit(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestTampering changes the trail by hand, the triggers out of the way.
func TestTampering(t *testing.T) {
	for _, row := range []struct {
		name      string
		statement string
		want      uint64
	}{
		{"first removed", "DELETE FROM audit WHERE sequence = 1", 1},
		{"one removed", "DELETE FROM audit WHERE sequence = 4", 4},
		{"last removed", "DELETE FROM audit WHERE sequence = 10", 10},
		{"all removed", "DELETE FROM audit", 1},
		{"removed and closed up", "DELETE FROM audit WHERE sequence = 4; UPDATE audit SET sequence = sequence - 1 WHERE sequence > 4", 4},
		{"time", "UPDATE audit SET time = replace(time, '2026', '2025') WHERE sequence = 5", 5},
		{"who", "UPDATE audit SET who = 'mallory' WHERE sequence = 5", 5},
		{"action", "UPDATE audit SET action = 'device.add ' WHERE sequence = 5", 5},
		{"subject", "UPDATE audit SET subject = '240a00000063' WHERE sequence = 5", 5},
		{"detail", "UPDATE audit SET detail = replace(detail, 'stable', 'beta') WHERE sequence = 5", 5},
		{"text moved between fields", "UPDATE audit SET who = who || 'd', action = substr(action, 2) WHERE sequence = 5", 5},
		{"prev", "UPDATE audit SET prev = hash WHERE sequence = 5", 5},
		{"hash", "UPDATE audit SET hash = prev WHERE sequence = 5", 5},
		{"unreadable hash", "UPDATE audit SET hash = 'x' WHERE sequence = 5", 5},
		{"unreadable time", "UPDATE audit SET time = 'yesterday' WHERE sequence = 5", 5},
		{"two swapped", "UPDATE audit SET sequence = -3 WHERE sequence = 3; UPDATE audit SET sequence = 3 WHERE sequence = 4; UPDATE audit SET sequence = 4 WHERE sequence = -3", 3},
		{"one put in", "INSERT INTO audit SELECT 11, time, who, action, subject, detail, hash, prev FROM audit WHERE sequence = 10", 11},
		{"one before", "INSERT INTO audit SELECT 0, time, who, action, subject, detail, hash, prev FROM audit WHERE sequence = 10", 0},
		{"head", "UPDATE audit_head SET sequence = 9", 10},
	} {
		t.Run(row.name, func(t *testing.T) {
			url := create(t)
			f := open(t, url)
			for n := range 5 {
				registrytest.Enrol(t, f, registrytest.Entry(n))
			}
			if err := byHand(t, url, "DROP TRIGGER audit_no_update; DROP TRIGGER audit_no_delete; DROP TRIGGER audit_no_replace; "+row.statement); err != nil {
				t.Fatal(err)
			}
			_, err := f.VerifyAudit(t.Context())
			var broken *registry.BrokenError
			if !errors.As(err, &broken) || broken.Sequence != row.want {
				t.Errorf("got %v, want row %d", err, row.want)
			}
		})
	}
}

// TestErased looks for the NT hashes of dead credentials in the bytes on disk,
// beside a server that has the registry open all the time.
func TestErased(t *testing.T) {
	url := create(t)
	f := open(t, url)
	server, err := registry.Open(t.Context(), url, registry.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	var dead, alive []fleet.Admission
	var revoke []fleet.MAC
	for n := range 50 {
		e := registrytest.Entry(n)
		e.Device.EAP = fleet.PEAP
		e.Admission = registrytest.WithPassword(e.Admission)
		registrytest.Enrol(t, f, e)
		next := registrytest.WithPassword(registrytest.Admission(n, 1))
		if err := f.Rotate(t.Context(), e.Device.MAC, next, "", 0); err != nil {
			t.Fatal(err)
		}
		if dead = append(dead, e.Admission); n%2 == 0 {
			dead, revoke = append(dead, next), append(revoke, e.Device.MAC)
		} else {
			alive = append(alive, next)
		}
	}
	if err := errors.Join(f.Revoke(t.Context(), revoke, "lost"), f.Close()); err != nil {
		t.Fatal(err)
	}
	var disk []byte
	for _, suffix := range []string{"", "-wal"} {
		data, err := os.ReadFile(path(url) + suffix)
		if err != nil {
			t.Fatal(err)
		}
		disk = append(disk, bytes.ToUpper(data)...)
	}
	for _, a := range dead {
		if bytes.Contains(disk, []byte(strings.ToUpper(hex.EncodeToString(a.NTHash[:])))) {
			t.Errorf("the NT hash of %s is on the disk", a.Serial)
		}
	}
	for _, a := range alive {
		if !bytes.Contains(disk, []byte(a.NTHash.Hex())) {
			t.Errorf("the NT hash of %s is not found where it should be", a.Serial)
		}
	}
}

// TestFlat walks many boards and wants the heap no larger at the end.
func TestFlat(t *testing.T) {
	f, _ := registrytest.New(t)
	const boards = 3_000
	entries := make([]registry.Entry, boards)
	for n := range entries {
		entries[n] = registrytest.Entry(n)
	}
	if err := f.Add(t.Context(), entries); err != nil {
		t.Fatal(err)
	}
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	n, first := 0, uint64(0)
	for d, err := range f.Devices(t.Context(), registry.Filter{}) {
		if err != nil || d.MAC != registrytest.MAC(n) {
			t.Fatalf("board %d: %s, %v", n, d.MAC, err)
		}
		if n++; n == 100 {
			first = heap()
		}
		if n == boards {
			if last := heap(); last > first+128<<10 {
				t.Errorf("heap: %d bytes at board 100, %d at board %d", first, last, n)
			}
		}
	}
	if n != boards {
		t.Errorf("%d boards", n)
	}
}

// FuzzName stores any name that is taken, and reads it back.
func FuzzName(f *testing.F) {
	for _, s := range []string{"", "door", "a'b", "%{x}", "\x00", "\xff", "a\nb", "żółw"} {
		f.Add(s, s)
	}
	r, _ := registrytest.New(f)
	registrytest.Enrol(f, r, registrytest.Entry(1))
	f.Fuzz(func(t *testing.T, name, match string) {
		if err := r.Change(t.Context(), registrytest.MAC(1), registry.Change{Name: &name}); err != nil {
			return
		}
		d, err := r.Device(t.Context(), registrytest.MAC(1))
		if err != nil || d.Name != name {
			t.Fatalf("%q came back as %q, %v", name, d.Name, err)
		}
		for _, err := range r.Devices(t.Context(), registry.Filter{Match: match}) {
			if err != nil {
				t.Fatalf("looking for %q: %v", match, err)
			}
		}
	})
}
