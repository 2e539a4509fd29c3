package main

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/registry"
	"github.com/tcpboot/tcpboot/pki/registry/registrytest"
)

// machines copies a site that has its registry on PostgreSQL: each copy is a machine
// on which somebody works.
func machines(t *testing.T, n int) (url string, dirs, env []string) {
	t.Helper()
	url = registrytest.Server(t).Database(t)
	f, err := registry.Create(t.Context(), url, registry.Options{Who: "test"})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	dir, env := newSite(t)
	settings := filepath.Join(dir, "tcpboot.yaml")
	text, err := os.ReadFile(settings)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(settings, []byte(strings.Replace(string(text), "sqlite:tcpboot.db", url, 1)), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, headFile)); err != nil { // of the file that was its registry
		t.Fatal(err)
	}
	for range n {
		to := filepath.Join(t.TempDir(), "site")
		if err := copyTree(dir, to); err != nil {
			t.Fatal(err)
		}
		dirs = append(dirs, to)
	}
	return url, dirs, env
}

// Several machines enrol the same boards at once, again and again until each is
// content. Every board has one live credential, and it is one that was delivered.
func TestMachinesAtOnce(t *testing.T) {
	t.Parallel()
	url, dirs, env := machines(t, 4)
	macs := strings.Fields("246f28aa1001 246f28aa1002 246f28aa1003")
	var all sync.WaitGroup
	for _, dir := range dirs {
		all.Go(func() {
			for _, mac := range macs {
				enrolUntilDone(t, at(env, dir), mac)
			}
		})
	}
	all.Wait()
	f, err := registry.Open(t.Context(), url, registry.Options{ReadOnly: true, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for d, err := range f.Devices(t.Context(), registry.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		if d.State != fleet.Active || len(d.Admissions) != 1 {
			t.Errorf("%s is %s, with %d live credentials", d.MAC, d.State, len(d.Admissions))
			continue
		}
		delivered := 0
		for _, dir := range dirs {
			if deliveredSerial(t, outbox{filepath.Join(dir, "boards")}.place(d.MAC)) == d.Admissions[0].Serial {
				delivered++
			}
		}
		if delivered != 1 {
			t.Errorf("%s: its credential was delivered %d times", d.MAC, delivered)
		}
	}
	if n, err := f.Count(t.Context(), registry.Filter{}); err != nil || n != len(macs) {
		t.Errorf("%d boards, %v", n, err)
	}
	if _, err := f.VerifyAudit(t.Context()); err != nil {
		t.Error(err)
	}
}

// enrolUntilDone enrols one board. A machine that lost the race says so, or finds
// the board enrolled; and to run the command again is always right.
func enrolUntilDone(t *testing.T, env []string, mac string) {
	for range 20 {
		cmd := exec.Command("tcpboot", "enroll", mac)
		cmd.Env = env
		out, err := cmd.CombinedOutput()
		if err == nil {
			return
		}
		if !strings.Contains(string(out), "enrolled anew by somebody else meanwhile") && !strings.Contains(string(out), "the board is active") {
			t.Errorf("enroll %s: %v\n%s", mac, err, out)
			return
		}
	}
	t.Errorf("enroll %s: never done", mac)
}

// The site goes into SQL mode while a verb is at work that began before. What that
// verb changes is in the mirror all the same when it says that it is done.
func TestIntoSQLModeMeanwhile(t *testing.T) {
	t.Parallel()
	dir, env := newSite(t)
	mustRun(t, env, "enroll", "246f28aa1001")
	slow := exec.Command("tcpboot", "enroll", "--from", "-")
	slow.Env = env
	list, err := slow.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := slow.Start(); err != nil {
		t.Fatal(err)
	}
	for !hasOpen(t, slow.Process.Pid, "tcpboot.db") {
	}
	mustRun(t, env, "radius", "export", "--format", "sql")
	if _, err := list.Write([]byte("mac\n246f28aa1002\n")); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(list.Close(), slow.Wait()); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "radius-db", "radius.db")+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	got, err := column(db, "SELECT DISTINCT username FROM radcheck ORDER BY username")
	if want := []string{"246f28aa1001", "246f28aa1002"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("admitted are %v, %v; want %v", got, err, want)
	}
}

// hasOpen reports whether a process has a file of that name open.
func hasOpen(t *testing.T, pid int, name string) bool {
	t.Helper()
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(files, func(file string) bool {
		target, err := os.Readlink(file)
		return err == nil && filepath.Base(target) == name
	})
}

// The RADIUS server's user, who is nobody else, gets to what it reads, would start on it,
// and sees nothing else of the site. (A test that is not root's runs it as itself.)
func TestWayOfTheGroup(t *testing.T) {
	t.Parallel()
	ready, err := readySite()
	if err != nil {
		t.Fatal(err)
	}
	top, err := os.MkdirTemp("", "tcpboot-group-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(top) })
	dir := filepath.Join(top, "site")
	if err := errors.Join(os.Chmod(top, 0o711), copyTree(ready, dir)); err != nil {
		t.Fatal(err)
	}
	_, env := newSite(t)
	root, group := os.Geteuid() == 0, "nogroup"
	if !root {
		g, err := user.LookupGroupId(fmt.Sprint(os.Getegid()))
		if err != nil {
			t.Fatal(err)
		}
		group = g.Name
	}
	mustRun(t, at(env, dir), "enroll", "246f28aa1001")
	mustRun(t, at(env, dir), "radius", "export", "--format", "sql", "--group", group)
	as := func(name string, args ...string) *exec.Cmd {
		cmd := exec.Command(name, args...)
		cmd.Dir = "/"
		if root {
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		}
		return cmd
	}
	out, err := as("sqlite3", filepath.Join(dir, "radius-db", "radius.db"), "SELECT DISTINCT username FROM radcheck").CombinedOutput()
	if err != nil || string(out) != "246f28aa1001\n" {
		t.Errorf("the group reads %q, %v", out, err)
	}
	path, err := exec.LookPath("freeradius")
	if err != nil {
		path = "/usr/sbin/freeradius"
	}
	if out, err := as(path, "-C", "-d", filepath.Join(dir, "radius"), "-n", "radiusd").CombinedOutput(); err != nil { // all but taking its port
		t.Errorf("FreeRADIUS would not start: %v\n%s", err, out)
	}
	for _, closed := range []string{".", "keys", "boards", "certs", "tcpboot.db", "tcpboot.yaml", "recovery.pem", "radius.exports"} {
		if out, err := as("ls", filepath.Join(dir, closed)+"/.").CombinedOutput(); root && err == nil {
			t.Errorf("%s is open to the group: %s", closed, out)
		}
		if out, err := as("cat", filepath.Join(dir, closed)).CombinedOutput(); root && err == nil {
			t.Errorf("%s is read by the group: %.40q", closed, out)
		}
	}
}
