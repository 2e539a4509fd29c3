package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/tcpboot/tcpboot/cmd/sigstore-kms/helpertest"
)

// softHSM is where Debian's package softhsm2 puts its library.
const softHSM = "/usr/lib/softhsm/libsofthsm2.so"

const testPIN = "73550921"

// A testToken is a token of SoftHSM in a folder of its own, with a file for its
// PIN.
type testToken struct {
	helpertest.Asker
	pinFile string
}

func newToken(t testing.TB) testToken {
	t.Helper()
	dir := t.TempDir()
	conf := filepath.Join(dir, "softhsm2.conf")
	helpertest.WriteFile(t, conf, fmt.Sprintf("directories.tokendir = %s/tokens\nobjectstore.backend = file\nlog.level = ERROR\n", dir), 0o600)
	if err := os.Mkdir(filepath.Join(dir, "tokens"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SOFTHSM2_CONF", conf)
	helpertest.Run(t, "softhsm2", "softhsm2-util", "--init-token", "--free", "--label", "the boards", "--pin", testPIN, "--so-pin", "87654321")
	pinFile := filepath.Join(dir, "pin")
	helpertest.WriteFile(t, pinFile, testPIN+"\n", 0o600)
	return testToken{helpertest.Asker{Program: program, Secret: testPIN}, pinFile}
}

// key names a key of the token, as sigstore's client hands it on.
func (k testToken) key(object string) string {
	return "module-path=" + softHSM + ";token=the%20boards;" + object + "?pin-source=file:" + k.pinFile
}
