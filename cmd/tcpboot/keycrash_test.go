package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/tcpboot/tcpboot/pki/registry"
)

// TestKeyChangeCut cuts rotations off before and behind every write that they
// make. After the next verb, or after the same one again, key, certificate,
// settings, recovery copy and audit trail agree: on the old key when the moment had
// not come, and else on the new one.
func TestKeyChangeCut(t *testing.T) {
	t.Parallel()
	base, env := newSite(t)
	mustRun(t, env, "enroll", "246f28aa1001", "246f28aa1002")
	mustRun(t, env, "radius", "export")
	for name, key := range map[string]string{"boards-ca": "", "servers-ca": "keys/elsewhere.pem", "radius-ca": "", "radius": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for cut, last := 0, false; !last; cut++ {
				dir := filepath.Join(t.TempDir(), "site")
				if err := copyTree(base, dir); err != nil {
					t.Fatal(err)
				}
				last = cutRotation(t, dir, cut, func(s *session) (*keyPlan, error) {
					k, err := certifiedNamed("cut", name)
					p := newKeyPlan(s, k, "key.rotate")
					return p, errors.Join(err, p.plan(true))
				}, "--key", key)
				checkCut(t, base, dir, at(env, dir), name, cut)
			}
		})
	}
}

var errCut = errors.New("cut off")

// cutRotation begins a rotation and stops: at 0 when it is written down, at 1 right
// behind its moment, then a write later each time. last reports that there is none
// more to stop at.
func cutRotation(t *testing.T, dir string, cut int, plan func(*session) (*keyPlan, error), flags ...string) (last bool) {
	t.Helper()
	app := newApp(nil, new(bytes.Buffer), new(bytes.Buffer))
	app.Commands = append(app.Commands, &cli.Command{Name: "cut", Flags: keyRotateVerb.Flags, Action: withSite(func(s *session) error {
		p, err := plan(s)
		if err := errors.Join(err, p.begin(&p.change)); err != nil {
			return err
		}
		writes := len(p.change.Files)
		last = cut == writes+2
		some := keyChange{Files: p.change.Files[:min(max(cut-1, 0), writes)]}
		if last {
			some.Keys = p.change.Keys
		}
		if cut > 0 {
			err = errors.Join(p.decide(&p.change), p.apply(&some))
		}
		return errors.Join(err, errCut)
	})})
	args := append([]string{"tcpboot", "--site", dir, "--passphrase-file", filepath.Join(readyDir, "passphrase"), "cut", "--code-file", filepath.Join(dir, recoveryCode)}, flags...)
	if err := app.RunContext(context.Background(), args); err == nil || err.Error() != errCut.Error() {
		t.Fatalf("cut at %d: %v", cut, err)
	}
	return last
}

// checkCut runs another verb, or the same one again, and compares.
func checkCut(t *testing.T, base, dir string, env []string, name string, cut int) {
	t.Helper()
	decided := cut > 0
	if again := cut%2 == 1; again {
		out := mustRun(t, env, "key", "rotate", name, "--code-file", filepath.Join(dir, recoveryCode))
		if !strings.Contains(out, name+" has a new key and certificate, from a run that was cut off") {
			t.Errorf("%s cut at %d, and run again: %s", name, cut, out)
		}
	} else {
		mustRun(t, env, "rotate", "246f28aa1002") // signs, and renders
	}
	mustRun(t, env, "key", "check")
	mustRun(t, env, "key", "check", "--recovery", "--code-file", filepath.Join(dir, recoveryCode))
	if _, err := os.Lstat(filepath.Join(dir, changeFile)); err == nil {
		t.Errorf("%s cut at %d: %s is there still", name, cut, changeFile)
	}
	if n := rotations(t, dir); (n == 1) != decided {
		t.Errorf("%s cut at %d: %d rotations in the trail", name, cut, n)
	}
	was, errWas := os.ReadFile(filepath.Join(base, "certs", name+".pem"))
	is, errIs := os.ReadFile(filepath.Join(dir, "certs", name+".pem"))
	if err := errors.Join(errWas, errIs); err != nil || bytes.Equal(was, is) == decided {
		t.Errorf("%s cut at %d: the certificate is the one from before: %v, %v", name, cut, bytes.Equal(was, is), err)
	}
	if _, err := tls.LoadX509KeyPair(filepath.Join(dir, "radius", "radius.pem"), filepath.Join(dir, "radius", radiusKeyFile)); err != nil {
		t.Errorf("%s cut at %d: the export: %v", name, cut, err)
	}
	readState(t, dir).check(t, dir)
}

// rotations counts the rotated keys in the audit trail.
func rotations(t *testing.T, dir string) (n int) {
	t.Helper()
	f, err := registry.Open(t.Context(), "sqlite:"+filepath.Join(dir, "tcpboot.db"), registry.Options{ReadOnly: true, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for row, err := range f.Audit(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if row.Action == "key.rotate" {
			n++
		}
	}
	return n
}

// TestKeyRotationKilled kills a rotation at random points and runs it again: there
// is one new boards CA, and not two.
func TestKeyRotationKilled(t *testing.T) {
	t.Parallel()
	base, env := newSite(t)
	mustRun(t, env, "enroll", "246f28aa1001", "246f28aa1002")
	mustRun(t, env, "radius", "export")
	k := killing{verb: []string{"key", "rotate", "boards-ca", "--code-file", filepath.Join(base, recoveryCode)}}
	var whole atomic.Int64
	whole.Store(int64(time.Second))
	for i := range 5 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			dir := k.kill(t, base, env, &whole)
			mustRun(t, at(env, dir), k.verb...)
			mustRun(t, at(env, dir), "enroll", "246f28aa1003")
			mustRun(t, at(env, dir), "key", "check")
			if n := rotations(t, dir); n != 1 {
				t.Errorf("%d rotations, want 1", n)
			}
			readState(t, dir).check(t, dir)
		})
	}
}
