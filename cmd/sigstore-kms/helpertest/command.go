package helpertest

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// SignsImage has tcpboot sign an image for an MCU with a key that the helper of the
// module under test makes available, and prove it: the two as people run them,
// each in a process of its own. key has its scheme.
func SignsImage(t *testing.T, key string) {
	t.Helper()
	dir := t.TempDir()
	scheme, _, _ := strings.Cut(key, ":")
	build(t, ".", filepath.Join(dir, "sigstore-kms-"+scheme), ".")
	build(t, "../..", filepath.Join(dir, "tcpboot"), "./cmd/tcpboot", "CGO_ENABLED=0")
	program, signed := filepath.Join(dir, "program"), filepath.Join(dir, "signed")
	WriteFile(t, program, strings.Repeat("a program ", 100), 0o600)
	for _, args := range [][]string{
		{"sign", program, "--key", key, "--version", "1.2.3", "--pad-header", "--out", signed},
		{"verify", signed, "--key", key},
	} {
		cmd := exec.Command(filepath.Join(dir, "tcpboot"), append([]string{"release", "mcuboot"}, args...)...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("tcpboot %s: %v\n%s", args[0], err, out)
		}
		if args[0] == "verify" && !bytes.Contains(out, []byte("  proved  signature: by the ")) {
			t.Errorf("tcpboot verify:\n%s", out)
		}
	}
}

func build(t *testing.T, from, to, what string, environ ...string) {
	t.Helper()
	cmd := exec.Command("go", "build", "-C", from, "-o", to, what)
	cmd.Env = append(os.Environ(), environ...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build %s: %v\n%s", what, err, out)
	}
}
