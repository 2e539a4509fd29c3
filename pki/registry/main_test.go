package registry_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/registry"
	"github.com/tcpboot/tcpboot/pki/registry/registrytest"
)

// children are what this test binary does as a process of its own.
var children = map[string]func(f *registry.Fleet, n int) error{
	"write": writeForEver,
	"enrol": enrolAll,
}

func TestMain(m *testing.M) {
	if name := os.Getenv("REGISTRY_TEST_CHILD"); name != "" {
		if err := child(name); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	status := m.Run()
	registrytest.StopServer()
	os.Exit(status)
}

func child(name string) error {
	var n int
	if _, err := fmt.Sscan(os.Getenv("REGISTRY_TEST_NUMBER"), &n); err != nil {
		return err
	}
	f, err := registry.Open(context.Background(), os.Getenv("REGISTRY_TEST_URL"), registry.Options{Who: name, RADIUS: os.Getenv("REGISTRY_TEST_RADIUS")})
	if err != nil {
		return err
	}
	return errors.Join(children[name](f, n), f.Close())
}

// start runs a child; the scanner reads what it acknowledges.
func start(t *testing.T, name, url string, n int) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "REGISTRY_TEST_CHILD="+name, "REGISTRY_TEST_URL="+url, fmt.Sprint("REGISTRY_TEST_NUMBER=", n))
	cmd.Stderr = t.Output()
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	return cmd, bufio.NewScanner(out)
}

// writeForEver takes board after board through its life, from the n-th on. It
// prints a line when a change was acknowledged; each makes one audit row.
func writeForEver(f *registry.Fleet, n int) error {
	ctx := context.Background()
	for ; ; n++ {
		mac := []fleet.MAC{registrytest.MAC(n)}
		for _, step := range []func() error{
			func() error { return f.Add(ctx, []registry.Entry{registrytest.Entry(n)}) },
			func() error { return f.Activate(ctx, mac) },
			func() error { return f.Rotate(ctx, mac[0], registrytest.Admission(n, 1), "lost", 0) },
			func() error { return f.Revoke(ctx, mac, "retired") },
		} {
			if err := step(); err != nil {
				return err
			}
			fmt.Println(mac[0])
		}
	}
}

// TestKill kills a writer again and again. What it acknowledged is there, and at
// most the one change more that it could not acknowledge any longer.
func TestKill(t *testing.T) {
	t.Run("SQLite", func(t *testing.T) {
		url := create(t)
		kill(t, url)
		if got := shell(t, url, "PRAGMA integrity_check"); got != "ok" {
			t.Errorf("integrity: %s", got)
		}
	})
	t.Run("PostgreSQL", func(t *testing.T) { kill(t, createOn(t, registrytest.Server(t))) })
}

func kill(t *testing.T, url string) {
	acknowledged, before := make(map[string]int), uint64(0)
	for round := range 8 {
		cmd, lines := start(t, "write", url, round*10_000)
		for n := 0; lines.Scan(); n++ {
			acknowledged[lines.Text()]++
			before++
			if n == 3+7*round {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := cmd.Wait(); err == nil || cmd.ProcessState.Exited() {
			t.Fatalf("the child was not killed: %v", err)
		}
		before = checkKilled(t, url, acknowledged, before)
	}
}

// checkKilled looks at what a killed writer left, and returns the length of the
// trail.
func checkKilled(t *testing.T, url string, acknowledged map[string]int, rows uint64) uint64 {
	t.Helper()
	f := open(t, url)
	defer f.Close()
	head, err := f.VerifyAudit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if head.Sequence != rows && head.Sequence != rows+1 {
		t.Fatalf("%d rows in the trail, %d changes acknowledged", head.Sequence, rows)
	}
	trail := make(map[string]int)
	for r, err := range f.Audit(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		trail[r.Subject]++
	}
	states := []fleet.State{"", fleet.Pending, fleet.Active, fleet.Active, fleet.Revoked}
	for mac, steps := range acknowledged {
		m, err := fleet.ParseMAC(mac)
		if err != nil {
			t.Fatal(err)
		}
		d, err := f.Device(t.Context(), m)
		if trail[mac] < steps || err != nil || d.State != states[trail[mac]] {
			t.Errorf("%s: %d steps acknowledged, %d in the trail, is %q (%v)", mac, steps, trail[mac], d.State, err)
		}
	}
	return head.Sequence
}

const contested = 20

// enrolAll tries to enrol every contested board, with the n-th credential each,
// and prints those that it won.
func enrolAll(f *registry.Fleet, n int) error {
	ctx := context.Background()
	for board := range contested {
		e := registrytest.Entry(board)
		e.Admission = registrytest.Admission(board, n)
		err := f.Add(ctx, []registry.Entry{e})
		if err == nil {
			err = f.Activate(ctx, []fleet.MAC{e.Device.MAC})
		}
		var lost *registry.StateError
		switch {
		case err == nil:
			fmt.Println(e.Device.MAC, e.Admission.Serial)
		case !errors.As(err, &lost):
			return err
		}
	}
	return nil
}

// TestProcesses lets processes enrol the same boards at once. Each board is won
// once, and what admits it is what its winner delivered.
func TestProcesses(t *testing.T) {
	t.Run("SQLite", func(t *testing.T) { compete(t, create(t)) })
	t.Run("PostgreSQL", func(t *testing.T) { compete(t, createOn(t, registrytest.Server(t))) })
}

func compete(t *testing.T, url string) {
	type process struct {
		cmd   *exec.Cmd
		lines *bufio.Scanner
	}
	var processes []process
	for n := range 4 {
		cmd, lines := start(t, "enrol", url, n)
		processes = append(processes, process{cmd, lines})
	}
	won := make(map[string]string)
	for _, p := range processes {
		for p.lines.Scan() {
			mac, serial, _ := strings.Cut(p.lines.Text(), " ")
			if won[mac] != "" {
				t.Errorf("%s: won twice, with %s and %s", mac, won[mac], serial)
			}
			won[mac] = serial
		}
		if err := p.cmd.Wait(); err != nil {
			t.Error(err)
		}
	}
	f := open(t, url)
	for board := range contested {
		d, err := f.Device(t.Context(), registrytest.MAC(board))
		if err != nil || len(d.Admissions) != 1 || d.Admissions[0].Serial.String() != won[d.MAC.String()] {
			t.Errorf("%+v (%v), won by %s", d, err, won[d.MAC.String()])
		}
	}
	if _, err := f.VerifyAudit(t.Context()); err != nil {
		t.Error(err)
	}
}
