package registry_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/registry"
	"github.com/tcpboot/tcpboot/pki/registry/registrytest"
)

// admits lists what a RADIUS server finds at path: by board, its rows.
func admits(t *testing.T, path string) map[string]string {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Query("SELECT username, attribute || ' ' || op || ' ' || value FROM radcheck ORDER BY username, id")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	found := make(map[string]string)
	for rows.Next() {
		var mac, row string
		if err := rows.Scan(&mac, &row); err != nil {
			t.Fatal(err)
		}
		found[mac] += row + "\n"
	}
	if rows.Err() != nil {
		t.Fatal(rows.Err())
	}
	return found
}

// byTLS is what a board finds that logs in by its certificate alone.
func byTLS(a fleet.Admission) string {
	return "Tcpboot-Methods := tls\nTcpboot-Serial := " + a.Serial.String() + "\n"
}

// mirrored makes a registry with a mirror.
func mirrored(t *testing.T, now func() time.Time) (f *registry.Fleet, url, path string) {
	t.Helper()
	dir := t.TempDir()
	url, path = "sqlite:"+filepath.Join(dir, "tcpboot.db"), filepath.Join(dir, "radius.db")
	f, err := registry.Create(t.Context(), url, registry.Options{Who: "test", Now: now, RADIUS: path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f, url, path
}

// TestMirror follows boards through their lives.
func TestMirror(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0))
	clock := registrytest.NewClock()
	f, url, path := mirrored(t, clock.Now)
	ctx, mac := t.Context(), registrytest.MAC(1)
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check := func(what, want string) {
		t.Helper()
		if got := admits(t, path)[mac.String()]; got != want {
			t.Errorf("%s: got\n%swant\n%s", what, got, want)
		}
	}
	e := registrytest.Entry(1)
	e.Device.Name, e.Device.VLAN, e.Device.EAP = "'; DROP TABLE radcheck; --", 101, fleet.TLS|fleet.PEAP
	e.Admission = registrytest.WithPassword(e.Admission)
	ok(f.Add(ctx, []registry.Entry{e}))
	check("pending", "")
	ok(f.Activate(ctx, []fleet.MAC{mac}))
	proofs := func(prefix string, a fleet.Admission) string {
		return fmt.Sprintf("%sSerial := %s\n%sNT-Hash := 0x%s\n", prefix, a.Serial, prefix, strings.ToLower(a.NTHash.Hex()))
	}
	const both = "Tcpboot-Methods := tls,peap\nTcpboot-VLAN := 101\n"
	check("active", both+proofs("Tcpboot-", e.Admission))

	next := registrytest.WithPassword(registrytest.Admission(1, 1))
	ok(f.Rotate(ctx, mac, next, "", time.Hour))
	end := fmt.Sprintf("Tcpboot-Old-Until := %d\n", clock.Now().Add(time.Hour).Unix())
	check("in its grace", both+proofs("Tcpboot-", next)+proofs("Tcpboot-Old-", e.Admission)+end)
	clock.Add(2 * time.Hour)
	ok(f.Expire(ctx))
	check("after its grace", both+proofs("Tcpboot-", next))

	ok(f.Change(ctx, mac, registry.Change{EAP: new(fleet.TLS), VLAN: new(fleet.VLAN(0))}))
	check("by TLS alone", byTLS(next))
	ok(f.Change(ctx, mac, registry.Change{EAP: new(fleet.PEAP)}))
	check("by PEAP, without a password", "")
	ok(f.Change(ctx, mac, registry.Change{EAP: new(fleet.TLS)}))
	check("by TLS again", byTLS(next))
	last := registrytest.Admission(1, 2)
	ok(f.Rotate(ctx, mac, last, "lost", 0))
	check("rotated", byTLS(last))

	info, err := os.Stat(path)
	ok(err)
	if info.Mode().Perm() != 0o640 {
		t.Errorf("mode %v", info.Mode())
	}
	for _, suffix := range []string{"-wal", "-shm", "-journal"} {
		if _, err := os.Stat(path + suffix); err == nil {
			t.Errorf("%s lies beside it: a reader would have to write", suffix)
		}
	}
	if data, err := os.ReadFile(path); err != nil || strings.Contains(string(data), strings.ToLower(next.NTHash.Hex())) {
		t.Errorf("an erased NT hash is on the disk (%v)", err)
	}
	ok(f.Revoke(ctx, []fleet.MAC{mac}, "lost"))
	check("revoked", "")
	ok(f.Close())
	if f, err := registry.Open(ctx, url, registry.Options{ReadOnly: true, RADIUS: path}); err != nil {
		t.Error(err)
	} else if err := f.Close(); err != nil {
		t.Error(err)
	}
}

// TestMirrorMended spoils the mirror by hand.
func TestMirrorMended(t *testing.T) {
	const insert = "INSERT INTO radcheck (id, username, attribute, op, value) VALUES "
	for _, row := range []struct{ name, statement string }{
		{"untouched", "SELECT 1"},
		{"a stranger let in", insert + "(1, '240a00ffffff', 'Tcpboot-Methods', ':=', 'tls')"},
		{"somebody with no MAC let in", insert + "(1, 'bob', 'Cleartext-Password', ':=', 'x')"},
		{"a revoked board let in", insert + "(1, '" + registrytest.MAC(3).String() + "', 'Tcpboot-Methods', ':=', 'tls')"},
		{"another serial", "UPDATE radcheck SET value = 'x' WHERE attribute = 'Tcpboot-Serial' AND username = '" + registrytest.MAC(2).String() + "'"},
		{"another operator", "UPDATE radcheck SET op = '=='"},
		{"one more fact", insert + "(9, '" + registrytest.MAC(1).String() + "', 'Auth-Type', ':=', 'Accept')"},
		{"everybody out", "DELETE FROM radcheck"},
		{"a reply", "INSERT INTO radreply (id, username, attribute, op, value) VALUES (1, '240a00000001', 'Tunnel-Type', ':=', 'VLAN')"},
	} {
		t.Run(row.name, func(t *testing.T) {
			f, _, path := mirrored(t, nil)
			registrytest.Enrol(t, f, registrytest.Entry(1), registrytest.Entry(2), registrytest.Entry(3))
			if err := f.Revoke(t.Context(), []fleet.MAC{registrytest.MAC(3)}, "lost"); err != nil {
				t.Fatal(err)
			}
			if err := byHand(t, path, row.statement); err != nil {
				t.Fatal(err)
			}
			before, err := f.Head(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if err := f.SyncRADIUS(t.Context()); err != nil {
				t.Fatal(err)
			}
			checkMirror(t, f, path)
			if got := shell(t, path, "SELECT count(*) FROM radreply"); got != "0" {
				t.Errorf("%s replies", got)
			}
			if after, err := f.Head(t.Context()); err != nil || after != before {
				t.Errorf("the trail went from %v to %v (%v)", before, after, err)
			}
		})
	}
}

// checkMirror wants the mirror to admit whom the registry admits, all by TLS.
func checkMirror(t *testing.T, f *registry.Fleet, path string) {
	t.Helper()
	want := make(map[string]string)
	for d, err := range f.Devices(t.Context(), registry.Filter{States: []fleet.State{fleet.Active}}) {
		if err != nil {
			t.Fatal(err)
		}
		want[d.MAC.String()] = byTLS(d.Admissions[0])
	}
	if got := admits(t, path); !maps.Equal(got, want) {
		t.Errorf("mirror: got %v, want %v", got, want)
	}
}

// TestMirrorMade makes mirrors for registries that had none, also in the place of
// one that belongs to another.
func TestMirrorMade(t *testing.T) {
	url := create(t)
	f := open(t, url)
	for n := 0; n < 1_200; n += 400 {
		var entries []registry.Entry
		for i := range 400 {
			entries = append(entries, registrytest.Entry(n+i))
		}
		registrytest.Enrol(t, f, entries...)
	}
	if err := f.SyncRADIUS(t.Context()); err == nil {
		t.Error("synchronized no mirror")
	}
	path := filepath.Join(t.TempDir(), "radius.db")
	with := registry.Options{Who: "test", RADIUS: path}
	f, err := registry.Open(t.Context(), url, with)
	if err != nil {
		t.Fatal(err)
	}
	checkMirror(t, f, path)
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string]struct{ path, want string }{
		"newer":                   {path, "newer tcpboot"},
		"the registry itself":     {strings.TrimPrefix(url, "sqlite:"), "not a database of tcpboot"},
		"in a folder that is not": {filepath.Join(path, "x", "radius.db"), ""},
	} {
		if name == "newer" {
			if err := byHand(t, path, "PRAGMA user_version = 99"); err != nil {
				t.Fatal(err)
			}
		}
		with.RADIUS = row.path
		if _, err := registry.Open(t.Context(), url, with); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestMirrorFirst lets the mirror fail. A board that cannot be taken out is not
// revoked either, so that nobody believes it were; one that cannot be put in is
// said to stay out, and comes in when the registry is opened next.
func TestMirrorFirst(t *testing.T) {
	f, url, path := mirrored(t, nil)
	ctx := t.Context()
	registrytest.Enrol(t, f, registrytest.Entry(1))
	mac := registrytest.MAC(1)
	fail := func(table, event string) {
		t.Helper()
		if err := byHand(t, path, "CREATE TRIGGER stop BEFORE "+event+" ON "+table+" BEGIN SELECT RAISE(ABORT, 'full'); END"); err != nil {
			t.Fatal(err)
		}
	}
	mend := func() {
		t.Helper()
		if err := byHand(t, path, "DROP TRIGGER stop"); err != nil {
			t.Fatal(err)
		}
	}
	fail("radcheck", "DELETE")
	for name, do := range map[string]func() error{
		"revoke": func() error { return f.Revoke(ctx, []fleet.MAC{mac}, "lost") },
		"rotate": func() error { return f.Rotate(ctx, mac, registrytest.Admission(1, 1), "lost", 0) },
	} {
		if err := do(); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", name, err)
		}
		if d, err := f.Device(ctx, mac); err != nil || d.State != fleet.Active || d.Admissions[0] != registrytest.Admission(1, 0) {
			t.Errorf("%s: %+v, %v", name, d, err)
		}
	}
	mend()
	checkMirror(t, f, path)

	fail("radcheck", "INSERT")
	err := f.Rotate(ctx, mac, registrytest.Admission(1, 1), "lost", 0)
	if err == nil || !strings.Contains(err.Error(), "the change is made") {
		t.Errorf("rotate: %v", err)
	}
	if d, err := f.Device(ctx, mac); err != nil || d.Admissions[0] != registrytest.Admission(1, 1) {
		t.Errorf("rotated: %+v, %v", d, err)
	}
	if got := admits(t, path); len(got) != 0 {
		t.Errorf("admits %v", got)
	}
	mend()
	if f, err = registry.Open(ctx, url, registry.Options{Who: "test", RADIUS: path}); err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	checkMirror(t, f, path)
}

// TestMirrorKilled kills a writer again and again. Whatever the mirror admits
// then, the registry admits too; and it admits all of it when the registry was
// opened again.
func TestMirrorKilled(t *testing.T) {
	f, url, path := mirrored(t, nil)
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	t.Setenv("REGISTRY_TEST_RADIUS", path)
	for round := range 8 {
		cmd, lines := start(t, "write", url, round*10_000)
		for n := 0; lines.Scan(); n++ {
			if n == 3+5*round {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := cmd.Wait(); err == nil {
			t.Fatal("the child was not killed")
		}
		plain := open(t, url)
		for mac, rows := range admits(t, path) {
			m, err := fleet.ParseMAC(mac)
			if err != nil {
				t.Fatal(err)
			}
			if d, err := plain.Device(t.Context(), m); err != nil || d.State != fleet.Active || byTLS(d.Admissions[0]) != rows {
				t.Errorf("admits %s by\n%s, the registry has %+v (%v)", mac, rows, d, err)
			}
		}
		f, err := registry.Open(t.Context(), url, registry.Options{Who: "test", RADIUS: path})
		if err != nil {
			t.Fatal(err)
		}
		checkMirror(t, f, path)
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestMirrorProcesses lets processes change the same boards at once.
func TestMirrorProcesses(t *testing.T) {
	f, url, path := mirrored(t, nil)
	var done []chan error
	for k := range 4 {
		rival, err := registry.Open(t.Context(), url, registry.Options{Who: "test", RADIUS: path})
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		done = append(done, ended)
		go func() { ended <- errors.Join(live(rival, k), rival.Close()) }()
	}
	for _, ended := range done {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	checkMirror(t, f, path)
}

// live enrols, rotates and revokes boards that others do the same to.
func live(f *registry.Fleet, k int) error {
	ctx := context.Background()
	for n := range 12 {
		e := registrytest.Entry(n)
		e.Admission = registrytest.Admission(n, 10*k)
		mac := []fleet.MAC{e.Device.MAC}
		for _, err := range []error{
			f.Add(ctx, []registry.Entry{e}),
			f.Activate(ctx, mac),
			f.Rotate(ctx, mac[0], registrytest.Admission(n, 10*k+1), "", time.Duration(n%2)*time.Nanosecond),
		} {
			var state *registry.StateError
			var gone *registry.RevokedError
			if err != nil && !errors.As(err, &state) && !errors.As(err, &gone) {
				return err
			}
		}
		if slices.Contains([]int{3, 7, 8}, n) {
			if err := f.Revoke(ctx, mac, "lost"); err != nil && !errors.As(err, new(*registry.RevokedError)) {
				return err
			}
		}
	}
	return f.Expire(ctx)
}
