package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/registry"
	"github.com/tcpboot/tcpboot/pki/registry/registrytest"
	"github.com/tcpboot/tcpboot/release/espimage"
)

// ageKeys makes a recipient, and the file of its identity.
func ageKeys(t *testing.T) (to, identity string) {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	identity = filepath.Join(t.TempDir(), "identity")
	if err := os.WriteFile(identity, []byte(id.String()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return id.Recipient().String(), identity
}

// TestBackupWhileOthersWork backs a site up again and again while boards are
// enrolled, revoked and releases cut: each backup is a whole site.
func TestBackupWhileOthersWork(t *testing.T) {
	t.Parallel()
	dir, env := newSite(t)
	to, identity := ageKeys(t)
	app := filepath.Join(t.TempDir(), "app.bin")
	if err := os.WriteFile(app, espimage.Build(espimage.Spec{Chip: "esp32", Version: "1", Project: "app", Size: 8192}), 0o600); err != nil {
		t.Fatal(err)
	}
	const rounds = 5
	var work sync.WaitGroup
	work.Go(func() {
		for n := range rounds {
			mac := fmt.Sprintf("246f28aa%04x", n)
			mustRun(t, env, "enroll", mac)
			mustRun(t, env, "revoke", mac)
		}
	})
	work.Go(func() {
		for n := range rounds {
			mustRun(t, env, "release", "cut", app, "--version", fmt.Sprintf("1.%d", n), "--hardware", "esp32")
			mustRun(t, env, "release", "publish", fmt.Sprintf("1.%d", n))
		}
	})
	work.Go(func() {
		for n := range rounds {
			file := filepath.Join(filepath.Dir(dir), fmt.Sprintf("%d.backup", n))
			mustRun(t, env, "backup", "--recipient", to, file)
			again := filepath.Join(filepath.Dir(dir), fmt.Sprintf("again%d", n))
			mustRun(t, env, "restore", file, "--site", again, "--identity", identity, "--as-of-backup")
			mustRun(t, at(env, again), "audit", "verify")
			mustRun(t, at(env, again), "release", "list")
			f := openFleet(t, "sqlite:"+filepath.Join(again, "tcpboot.db"))
			offers, err := f.Offers(t.Context())
			if err != nil {
				t.Error(err)
			}
			for _, o := range offers {
				mustRun(t, at(env, again), "release", "verify", o.Version)
			}
		}
	})
	work.Wait()
}

func openFleet(t *testing.T, url string) *registry.Fleet {
	t.Helper()
	f, err := registry.Open(t.Context(), url, registry.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// TestRestoreKilled kills restores at random moments, and runs them again: there
// is no site or a whole one, and what died stays dead.
func TestRestoreKilled(t *testing.T) {
	t.Parallel()
	base, env := newSite(t)
	to, identity := ageKeys(t)
	file := filepath.Join(t.TempDir(), "site.backup")
	mustRun(t, env, "enroll", "246f28aa1002", "246f28aa1003")
	mustRun(t, env, "backup", "--recipient", to, file)
	mustRun(t, env, "revoke", "246f28aa1002", "--reason", "stolen")
	mustRun(t, env, "rotate", "246f28aa1003")
	dead := func(t *testing.T, dir string) {
		t.Helper()
		f := openFleet(t, "sqlite:"+filepath.Join(dir, "tcpboot.db"))
		d, err := f.Device(t.Context(), fleet.MAC{0x24, 0x6f, 0x28, 0xaa, 0x10, 0x02})
		if err != nil || d.State != fleet.Revoked {
			t.Errorf("%s, %v", d.State, err)
		}
		mustRun(t, at(env, dir), "audit", "verify")
	}
	t.Run("anew", func(t *testing.T) {
		for n := range 10 {
			dir := filepath.Join(t.TempDir(), "site")
			restore := []string{"restore", file, "--site", dir, "--identity", identity, "--crl", filepath.Join(base, crlFile)}
			killing{verb: restore}.runFor(t, env, time.Duration(n)*15*time.Millisecond)
			if !exists(dir) {
				mustRun(t, env, restore...) // which clears away what the other has left
				if left, err := os.ReadDir(filepath.Dir(dir)); err != nil || len(left) != 1 {
					t.Errorf("left behind: %v, %v", left, err)
				}
			}
			dead(t, dir)
		}
	})
	t.Run("into", func(t *testing.T) {
		for n := range 10 {
			dir := filepath.Join(t.TempDir(), "site")
			if err := copyTree(base, dir); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "tcpboot.db"), []byte("broken"), 0o600); err != nil {
				t.Fatal(err)
			}
			restore := []string{"restore", file, "--into", dir, "--identity", identity}
			killing{verb: restore}.runFor(t, env, time.Duration(n)*15*time.Millisecond)
			if _, err := exec.Command("tcpboot", "--site", dir, "audit", "verify").Output(); err != nil {
				mustRun(t, env, restore...)
			}
			dead(t, dir)
		}
	})
}

// TestRestoreOnPostgres puts an old copy of a site's database back, as pg_restore
// would: every verb refuses it, until it has learned what died since.
func TestRestoreOnPostgres(t *testing.T) {
	p := registrytest.Server(t)
	t.Cleanup(registrytest.StopServer)
	dir, env := newSite(t)
	url := p.Database(t)
	database := strings.TrimPrefix(strings.Split(url, "?")[0], "postgres://owner@/")
	f, err := registry.Create(t.Context(), url, registry.Options{Who: "x"})
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	settings := filepath.Join(dir, "tcpboot.yaml")
	text, err := os.ReadFile(settings)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(settings, []byte(strings.Replace(string(text), "sqlite:tcpboot.db", url, 1)), 0o640); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"tcpboot.db", "tcpboot.db-wal", "tcpboot.db-shm", headFile} {
		os.Remove(filepath.Join(dir, name))
	}
	mustRun(t, env, "enroll", "246f28aa1002", "246f28aa1003")
	sql := func(statement string) {
		t.Helper()
		if err := p.Run(p.URL("owner", "postgres"), statement); err != nil {
			t.Fatal(err)
		}
	}
	to, identity := ageKeys(t)
	file := filepath.Join(t.TempDir(), "site.backup")
	if out := mustRun(t, env, "backup", "--recipient", to, file); !strings.Contains(out, "not in it: the registry: back the database up with pg_dump") {
		t.Errorf("backup said %q", out)
	}
	sql("CREATE DATABASE old TEMPLATE " + database)
	mustRun(t, env, "revoke", "246f28aa1002", "--reason", "stolen")

	// The folder is lost, the database lives on.
	again := filepath.Join(t.TempDir(), "again")
	mustRun(t, env, "restore", file, "--site", again, "--identity", identity, "--crl", filepath.Join(dir, crlFile))
	if out := mustRun(t, at(env, again), "audit", "verify"); strings.Contains(out, "not there") {
		t.Errorf("a registry that was whole has lost rows: %s", out)
	}

	sql("DROP DATABASE " + database)
	sql("ALTER DATABASE old RENAME TO " + database)
	for _, verb := range []string{"enroll 246f28aa1009", "rotate 246f28aa1003", "radius export", "device list"} {
		cmd := exec.Command("tcpboot", strings.Fields(verb)...)
		cmd.Env = env
		if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "an older copy was put in its place") {
			t.Errorf("%s: %v\n%s", verb, err, out)
		}
	}
	mustRun(t, env, "restore", "--into", dir)
	if out := mustRun(t, env, "device", "show", "246f28aa1002"); !strings.Contains(out, "revoked") {
		t.Errorf("after the restore:\n%s", out)
	}
	mustRun(t, env, "enroll", "246f28aa1009")
	mustRun(t, env, "audit", "verify")
}
