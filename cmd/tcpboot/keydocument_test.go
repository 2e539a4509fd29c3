package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/release/espimage"
)

// TestDocumentCut cuts changes that need a site document off before and behind
// every write that they make. A server that reads the site right then finds it whole;
// after the next verb, or the same one again, keys, site documents and recovery copy
// agree, and a release that was stated before still counts.
func TestDocumentCut(t *testing.T) {
	t.Parallel()
	base, env := newSite(t)
	image := filepath.Join(t.TempDir(), "app.bin")
	if err := os.WriteFile(image, espimage.Build(espimage.Spec{Chip: fleet.Chip("esp32"), Version: "1", Project: "app", Size: 8192}), 0o644); err != nil {
		t.Fatal(err)
	}
	mustRun(t, env, "release", "cut", image, "--version", "1")
	for _, name := range []string{"release", "release-root"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for cut, last := 0, false; !last; cut++ {
				dir := filepath.Join(t.TempDir(), "site")
				if err := copyTree(base, dir); err != nil {
					t.Fatal(err)
				}
				last = cutRotation(t, dir, cut, func(s *session) (*keyPlan, error) {
					p, plan := s.rotation(name)
					return p, plan()
				})
				mustRun(t, at(env, dir), "release", "verify", "1") // as a server would
				checkDocumentCut(t, at(env, dir), dir, name, cut)
				mustRun(t, at(env, dir), "release", "cut", image, "--version", "2")
				mustRun(t, at(env, dir), "release", "verify", "1")
				mustRun(t, at(env, dir), "release", "verify", "2")
			}
		})
	}
}

// checkDocumentCut runs the same verb again, or another, and compares.
func checkDocumentCut(t *testing.T, env []string, dir, name string, cut int) {
	t.Helper()
	if cut%2 == 1 {
		out := mustRun(t, env, "key", "rotate", name, "--code-file", filepath.Join(dir, recoveryCode))
		if !strings.Contains(out, name+" has a new key, from a run that was cut off") {
			t.Errorf("%s cut at %d, and run again: %s", name, cut, out)
		}
	} else {
		mustRun(t, env, "enroll", "246f28aa1001")
	}
	mustRun(t, env, "key", "check")
	mustRun(t, env, "key", "check", "--recovery", "--code-file", filepath.Join(dir, recoveryCode))
	decided := cut > 0
	if exists(filepath.Join(dir, changeFile)) || exists(filepath.Join(dir, "sitedocs", "2.cose")) != decided || (rotations(t, dir) == 1) != decided {
		t.Errorf("%s cut at %d: %d rotations in the trail", name, cut, rotations(t, dir))
	}
}

// TestAttachCut cuts the change off that waited for signatures, as it is carried
// out: what waits is then gone, or still there.
func TestAttachCut(t *testing.T) {
	t.Parallel()
	base, env := newSite(t)
	code := filepath.Join(base, recoveryCode)
	mustRun(t, env, "key", "create", "release-root-2", "--threshold", "2", "--code-file", code)
	away := filepath.Join(t.TempDir(), "root.pem")
	document := filepath.Join(t.TempDir(), "document.cose")
	if err := os.Rename(filepath.Join(base, "keys", "release-root-2.pem"), away); err != nil {
		t.Fatal(err)
	}
	mustRun(t, env, "key", "rotate", "release", "--code-file", code, "--to-sign", document)
	mustRun(t, env, "key", "sign", document, "--key", away)
	for cut, last := 0, false; !last; cut++ {
		dir := filepath.Join(t.TempDir(), "site")
		if err := copyTree(base, dir); err != nil {
			t.Fatal(err)
		}
		last = cutRotation(t, dir, cut, func(s *session) (*keyPlan, error) { return s.attached(document) })
		decided := cut > 0
		if cut%2 == 0 {
			mustRun(t, at(env, dir), "enroll", "246f28aa1001")
			if exists(filepath.Join(dir, waitingFile)) == decided {
				t.Errorf("cut at %d: %s is not as it is to be", cut, waitingFile)
			}
		}
		if !decided || cut%2 == 1 {
			out := mustRun(t, at(env, dir), "key", "attach", document)
			if !strings.Contains(out, "release has a new key") {
				t.Errorf("cut at %d, and run again: %s", cut, out)
			}
		}
		mustRun(t, at(env, dir), "key", "check", "--recovery", "--code-file", filepath.Join(dir, recoveryCode))
		if exists(filepath.Join(dir, changeFile)) || exists(filepath.Join(dir, waitingFile)) || !exists(filepath.Join(dir, "sitedocs", "3.cose")) || rotations(t, dir) != 1 {
			t.Errorf("cut at %d: %d rotations in the trail", cut, rotations(t, dir))
		}
	}
}

// TestAppKeyCut cuts the rotation of an app key off behind every write. Boards of
// both generations get a variant that their loader takes, or the one key that there
// still is.
func TestAppKeyCut(t *testing.T) {
	t.Parallel()
	base, env := newSite(t)
	image := filepath.Join(t.TempDir(), "app.bin")
	if err := os.WriteFile(image, espimage.Build(espimage.Spec{Chip: fleet.Chip("esp32"), Version: "1", Project: "app", Size: 8192}), 0o644); err != nil {
		t.Fatal(err)
	}
	mustRun(t, env, "enroll", "246f28aa1001")
	mustRun(t, env, "device", "set", "246f28aa1001", "--level", "1")
	for cut, last := 0, false; !last; cut++ {
		dir := filepath.Join(t.TempDir(), "site")
		if err := copyTree(base, dir); err != nil {
			t.Fatal(err)
		}
		last = cutRotation(t, dir, cut, func(s *session) (*keyPlan, error) {
			p, plan := s.rotation("app-p256")
			return p, plan()
		}, "--loader", "esp32="+image)
		if cut%2 == 1 {
			mustRun(t, at(env, dir), "key", "rotate", "app-p256", "--loader", "esp32="+image, "--code-file", filepath.Join(dir, recoveryCode))
		}
		out := mustRun(t, at(env, dir), "release", "cut", image, "--version", "2")
		if decided := cut > 0; strings.Contains(out, "variant for the loaders of 1 boards, by app-p256-1") != decided {
			t.Errorf("cut at %d: %s", cut, out)
		}
		mustRun(t, at(env, dir), "release", "verify", "2")
		mustRun(t, at(env, dir), "key", "check")
		mustRun(t, at(env, dir), "key", "check", "--recovery", "--code-file", filepath.Join(dir, recoveryCode))
		if exists(filepath.Join(dir, changeFile)) || rotations(t, dir) > 1 {
			t.Errorf("cut at %d: %d rotations in the trail", cut, rotations(t, dir))
		}
	}
}
