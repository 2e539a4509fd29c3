package main

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tcpboot/tcpboot/pki"
	"github.com/tcpboot/tcpboot/pki/delivery"
	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/registry"
)

// TestEnrolmentKilled kills the enrolment of a list at random points and runs it
// again: no board twice, none lost, and everything that says so agrees.
func TestEnrolmentKilled(t *testing.T) {
	t.Parallel()
	const boards = 50
	list := filepath.Join(t.TempDir(), "boards.csv")
	text := "mac,name,vlan\n"
	for i := range boards {
		text += fmt.Sprintf("246f28aa%04x,board %d,%d\n", 0x1000+i, i, 100+i)
	}
	if err := os.WriteFile(list, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	killing{
		points:  100,
		prepare: []string{"radius", "export"},
		verb:    []string{"enroll", "--from", list},
		finished: func(t *testing.T, s siteState) {
			if len(s.active) != boards || len(s.pending) != 0 {
				t.Errorf("%d boards active and %d pending, want %d and none", len(s.active), len(s.pending), boards)
			}
		},
	}.run(t)
}

// TestRotationKilled does so with rotations: what is delivered always ends up
// being what is in force.
func TestRotationKilled(t *testing.T) {
	t.Parallel()
	macs := strings.Fields("246f28aa1001 246f28aa1002 246f28aa1003 246f28aa1004 246f28aa1005 246f28aa1006 246f28aa1007 246f28aa1008")
	killing{
		points:  30,
		prepare: append([]string{"enroll"}, macs...),
		verb:    append([]string{"rotate"}, macs...),
		finished: func(t *testing.T, s siteState) {
			if len(s.active) != len(macs) {
				t.Errorf("%d boards active, want %d", len(s.active), len(macs))
			}
		},
	}.run(t)
}

// A killing kills one command at random points, each on a site of its own, and
// runs it again to its end.
type killing struct {
	points        int
	prepare, verb []string
	finished      func(*testing.T, siteState)
}

func (k killing) run(t *testing.T) {
	base, env := newSite(t)
	mustRun(t, at(env, base), k.prepare...)
	if _, err := os.Stat(filepath.Join(base, "radius", "authorize")); err != nil {
		mustRun(t, at(env, base), "radius", "export")
	}
	was := readState(t, base)
	var untouched, halfway atomic.Int32
	var whole atomic.Int64 // how long a run takes
	whole.Store(int64(time.Second))
	t.Run("at", func(t *testing.T) {
		for i := range k.points {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				dir := k.kill(t, base, env, &whole)
				now := readState(t, dir)
				switch {
				case now.head == was.head:
					untouched.Add(1)
				case len(now.pending) > 0 || now.unsettled > 0:
					halfway.Add(1)
				}
				mustRun(t, at(env, dir), k.verb...)
				after := readState(t, dir)
				after.check(t, dir)
				k.finished(t, after)
			})
		}
	})
	t.Logf("%d runs killed: %d before the first change, %d half-way", k.points, untouched.Load(), halfway.Load())
}

// kill runs the command on a copy of the site and kills it at a random moment of
// its run. How long a run takes it learns from those that were faster than the
// kill, and it picks from a little more than that, so that there are some.
func (k killing) kill(t *testing.T, base string, env []string, whole *atomic.Int64) (dir string) {
	for range 30 {
		dir = filepath.Join(t.TempDir(), "site")
		if err := copyTree(base, dir); err != nil {
			t.Fatal(err)
		}
		delay, began := randomBelow(t, whole.Load()*5/4), time.Now()
		if k.runFor(t, at(env, dir), delay) {
			t.Logf("killed after %v", delay)
			return dir
		}
		whole.Store(int64(time.Since(began)))
		readState(t, dir).check(t, dir)
	}
	t.Fatal("always faster than the kill")
	return ""
}

// runFor runs the command and kills it after delay; false means that it had ended.
func (k killing) runFor(t *testing.T, env []string, delay time.Duration) (killed bool) {
	cmd := exec.Command("tcpboot", k.verb...)
	cmd.Env = env
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(delay, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	err := cmd.Wait()
	if e := new(exec.ExitError); err != nil && (!errors.As(err, &e) || e.Exited()) {
		t.Fatalf("%v: %v", k.verb, err)
	}
	return err != nil
}

// randomBelow picks a moment of a run.
func randomBelow(t *testing.T, whole int64) time.Duration {
	n, err := rand.Int(rand.Reader, big.NewInt(whole))
	if err != nil {
		t.Fatal(err)
	}
	return time.Duration(n.Int64())
}

// at is the environment in which tcpboot works on the site in dir.
func at(env []string, dir string) []string {
	return append(slices.Clone(env), "TCPBOOT_SITE="+dir)
}

// mustRun runs tcpboot, which must succeed, and returns what it said.
func mustRun(t *testing.T, env []string, args ...string) string {
	t.Helper()
	cmd := exec.Command("tcpboot", args...)
	cmd.Env = env
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("tcpboot %v: %v\n%s", args, err, out)
	}
	return string(out)
}

// A siteState is what a site says of its boards, at any moment.
type siteState struct {
	active    map[fleet.MAC]fleet.Serial // in force by the registry
	pending   map[fleet.MAC]bool
	admitted  map[fleet.MAC]fleet.Serial // by radius/authorize
	unsettled int                        // active boards whose delivery is only staged
	head      registry.Head
}

// readState reads it, and checks what must hold even right after a kill: the
// trail is whole, no board is there twice, an active board's delivery is there,
// in its place or staged, and RADIUS admits active boards alone.
func readState(t *testing.T, dir string) siteState {
	t.Helper()
	ctx := context.Background()
	f, err := registry.Open(ctx, "sqlite:"+filepath.Join(dir, "tcpboot.db"), registry.Options{ReadOnly: true, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s := siteState{active: map[fleet.MAC]fleet.Serial{}, pending: map[fleet.MAC]bool{}}
	if s.head, err = f.VerifyAudit(ctx); err != nil {
		t.Error(err)
	}
	for d, err := range f.Devices(ctx, registry.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		s.add(t, dir, d)
	}
	s.admitted = readAuthorize(t, filepath.Join(dir, "radius", "authorize"))
	for m := range s.admitted {
		if _, ok := s.active[m]; !ok {
			t.Errorf("%s is admitted and not active", m)
		}
	}
	return s
}

func (s *siteState) add(t *testing.T, dir string, d fleet.Device) {
	if _, active := s.active[d.MAC]; active || s.pending[d.MAC] {
		t.Errorf("%s is there twice", d.MAC)
	}
	if d.State != fleet.Active {
		s.pending[d.MAC] = true
		return
	}
	if len(d.Admissions) != 1 {
		t.Fatalf("%s: %d credentials", d.MAC, len(d.Admissions))
	}
	serial := d.Admissions[0].Serial
	s.active[d.MAC] = serial
	box := outbox{filepath.Join(dir, "boards")}
	if deliveredSerial(t, box.place(d.MAC)) == serial {
		return
	}
	s.unsettled++
	if deliveredSerial(t, box.next(d.MAC)) != serial {
		t.Errorf("%s: the credential in force was never delivered", d.MAC)
	}
}

// check compares everything after a run that came to its end.
func (s siteState) check(t *testing.T, dir string) {
	t.Helper()
	if s.unsettled > 0 {
		t.Errorf("%d deliveries are staged still", s.unsettled)
	}
	for m, serial := range s.active {
		if s.admitted[m] != serial {
			t.Errorf("%s: RADIUS admits serial %s, in force is %s", m, s.admitted[m], serial)
		}
	}
	err := filepath.WalkDir(filepath.Join(dir, "boards"), func(path string, d fs.DirEntry, err error) error {
		if strings.HasPrefix(d.Name(), ".") || strings.HasSuffix(d.Name(), ".next") {
			t.Errorf("left behind: %s", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

var authorizeLine = regexp.MustCompile(`(?m)^([0-9a-f]{12}) .*Tcpboot-Serial := '([0-9a-f]{32})'`)

func readAuthorize(t *testing.T, path string) map[fleet.MAC]fleet.Serial {
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	admitted := map[fleet.MAC]fleet.Serial{}
	for _, line := range authorizeLine.FindAllSubmatch(text, -1) {
		m, err := fleet.ParseMAC(string(line[1]))
		if err != nil {
			t.Fatal(err)
		}
		if _, twice := admitted[m]; twice {
			t.Errorf("%s stands twice in %s", m, path)
		}
		if admitted[m], err = fleet.ParseSerial(string(line[2])); err != nil {
			t.Fatal(err)
		}
	}
	return admitted
}

// deliveredSerial is the serial of the certificate in a delivery; zero when
// there is none.
func deliveredSerial(t *testing.T, place string) fleet.Serial {
	text, err := os.ReadFile(filepath.Join(place, delivery.CertificateFile))
	if errors.Is(err, fs.ErrNotExist) {
		return fleet.Serial{}
	}
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		t.Fatalf("%s: no certificate", place)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return pki.SerialOf(cert)
}
