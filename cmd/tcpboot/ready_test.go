package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

const readyPassphrase = "only a test"

var readyDir string // where the ready site is made

// readySite makes a site once, by init, for tests to copy. Its keys are sealed
// again with few iterations of PBKDF2: what makes a passphrase costly to guess
// makes a hundred tests slow.
var readySite = sync.OnceValues(func() (dir string, err error) {
	dir = filepath.Join(readyDir, "site")
	passphrase := filepath.Join(readyDir, "passphrase")
	if err := os.WriteFile(passphrase, []byte(readyPassphrase+"\n"), 0o600); err != nil {
		return "", err
	}
	cmd := exec.Command("tcpboot", "--site", dir, "--passphrase-file", passphrase,
		"init", "--name", "lab", "--ssid", "lab", "--server", "127.0.0.1:8123", "--radius-listen", "127.0.0.1:1812")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%v\n%s", err, out)
	}
	return dir, sealAnew(dir, passphrase)
})

// sealAnew seals every key of the site, and the recovery copy, with few iterations.
func sealAnew(dir, passphrase string) error {
	var recovery bytes.Buffer
	for _, k := range siteKeys {
		file := filepath.Join(dir, "keys", k.name+".pem")
		plain, err := exec.Command("openssl", "pkey", "-in", file, "-passin", "file:"+passphrase).Output()
		if err != nil {
			return fmt.Errorf("openssl pkey -in %s: %w", k.name, err)
		}
		sealed, err := sealQuickly(plain, passphrase)
		if err != nil {
			return err
		}
		copied, err := sealQuickly(plain, filepath.Join(dir, recoveryCode))
		if err != nil {
			return err
		}
		fmt.Fprintf(&recovery, "# %s\n%s", k.name, copied)
		if err := os.WriteFile(file, sealed, 0o600); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(dir, recoveryFile), recovery.Bytes(), 0o600)
}

func sealQuickly(plain []byte, passphrase string) ([]byte, error) {
	seal := exec.Command("openssl", "pkcs8", "-topk8", "-v2", "aes-256-cbc", "-v2prf", "hmacWithSHA256",
		"-iter", "1000", "-passout", "file:"+passphrase)
	seal.Stdin = bytes.NewReader(plain)
	return seal.Output()
}

// newSite copies the ready site for a test. It returns the site's folder and
// the environment in which tcpboot works on it.
func newSite(t *testing.T) (dir string, env []string) {
	t.Helper()
	ready, err := readySite()
	if err != nil {
		t.Fatal(err)
	}
	dir = filepath.Join(t.TempDir(), "site")
	if err := copyTree(ready, dir); err != nil {
		t.Fatal(err)
	}
	env = append(os.Environ(), "TCPBOOT_SITE="+dir, "TCPBOOT_PASSPHRASE_FILE="+filepath.Join(readyDir, "passphrase"))
	return dir, env
}

// copyTree copies files and folders with their modes.
func copyTree(from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		target := filepath.Join(to, strings.TrimPrefix(path, from))
		if d.IsDir() {
			return os.MkdirAll(target, info.Mode().Perm())
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(target, text, info.Mode().Perm())
	})
}

// cmdSite makes the script's folder a site called lab, whose RADIUS server is
// to listen at a free port, in the variable RADIUS. Its registry is a file, or a
// new database as by the command "database".
//
//	site [postgres]
func cmdSite(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 1 || len(args) == 1 && args[0] != "postgres" {
		ts.Fatalf("usage: site [postgres]")
	}
	ready, err := readySite()
	ts.Check(err)
	ts.Check(copyTree(ready, ts.MkAbs(".")))
	cmdPort(ts, false, []string{"RADIUS"})
	cmdReplace(ts, false, []string{"tcpboot.yaml", "127.0.0.1:1812", "127.0.0.1:" + ts.Getenv("RADIUS")})
	if len(args) == 1 {
		onPostgres(ts)
	}
}

// cmdReplace replaces text in a file, which must be there:  replace FILE OLD NEW
func cmdReplace(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: replace FILE OLD NEW")
	}
	path, text := ts.MkAbs(args[0]), ts.ReadFile(args[0])
	if !strings.Contains(text, args[1]) {
		ts.Fatalf("%s: no %q in it", args[0], args[1])
	}
	info, err := os.Stat(path)
	ts.Check(err)
	ts.Check(os.WriteFile(path, []byte(strings.ReplaceAll(text, args[1], args[2])), info.Mode().Perm()))
}
