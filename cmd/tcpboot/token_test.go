package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/rogpeppe/go-internal/testscript"
)

// softHSM is where Debian's package softhsm2 puts its library.
const softHSM = "/usr/lib/softhsm/libsofthsm2.so"

// cmdToken makes a SoftHSM token and builds the PKCS#11 helper. Keys in the
// token are named by $TOKEN with ";object=NAME;id=NN?" and $PIN behind.
//
//	token
func cmdToken(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: token")
	}
	dir := filepath.Join(ts.Getenv("WORK"), ".token")
	conf, pin := filepath.Join(dir, "softhsm2.conf"), filepath.Join(dir, "pin")
	ts.Check(os.MkdirAll(filepath.Join(dir, "tokens"), 0o700))
	ts.Check(os.MkdirAll(filepath.Join(dir, "helpers"), 0o700))
	ts.Check(os.WriteFile(conf, fmt.Appendf(nil, "directories.tokendir = %s/tokens\nobjectstore.backend = file\nlog.level = ERROR\n", dir), 0o600))
	ts.Check(os.WriteFile(pin, []byte("73550921\n"), 0o600))
	for _, make := range []*exec.Cmd{
		exec.Command(peer(ts, "softhsm2-util", "softhsm2"), "--init-token", "--free", "--label", "boards", "--pin", "73550921", "--so-pin", "87654321"),
		exec.Command("go", "build", "-C", filepath.Join("..", "sigstore-kms-pkcs11"), "-o", filepath.Join(dir, "helpers", "sigstore-kms-pkcs11"), "."),
	} {
		make.Env = append(os.Environ(), "SOFTHSM2_CONF="+conf, "CGO_ENABLED=1")
		if out, err := make.CombinedOutput(); err != nil {
			ts.Fatalf("%s: %v\n%s", make.Path, err, out)
		}
	}
	ts.Check(os.Chmod(filepath.Join(dir, "helpers", "sigstore-kms-pkcs11"), 0o755))
	ts.Setenv("SOFTHSM2_CONF", conf)
	ts.Setenv("TCPBOOT_HELPERS", filepath.Join(dir, "helpers"))
	ts.Setenv("TOKEN", "pkcs11:module-path="+softHSM+";token=boards")
	ts.Setenv("PIN", "pin-source=file:"+pin)
}
