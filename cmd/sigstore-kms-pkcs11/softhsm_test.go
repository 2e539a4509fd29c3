package main

import (
	"bytes"
	"crypto"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sigstore/sigstore/pkg/signature/kms/cliplugin/common"
)

// softHSM is where Debian's package softhsm2 puts its library.
const softHSM = "/usr/lib/softhsm/libsofthsm2.so"

const testPIN = "73550921"

// run runs a peer program, which a Debian package brings.
func run(t testing.TB, debian, name string, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Fatalf("%s is needed: install the Debian package %s", name, debian)
	}
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
	return string(out)
}

// A testToken is a token of SoftHSM in a folder of its own, with a file for its
// PIN.
type testToken struct{ pinFile string }

func newToken(t testing.TB) testToken {
	t.Helper()
	dir := t.TempDir()
	conf := filepath.Join(dir, "softhsm2.conf")
	writeFile(t, conf, fmt.Sprintf("directories.tokendir = %s/tokens\nobjectstore.backend = file\nlog.level = ERROR\n", dir), 0o600)
	if err := os.Mkdir(filepath.Join(dir, "tokens"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SOFTHSM2_CONF", conf)
	run(t, "softhsm2", "softhsm2-util", "--init-token", "--free", "--label", "the boards", "--pin", testPIN, "--so-pin", "87654321")
	pinFile := filepath.Join(dir, "pin")
	writeFile(t, pinFile, testPIN+"\n", 0o600)
	return testToken{pinFile}
}

func writeFile(t testing.TB, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

// key names a key of the token, as sigstore's client hands it on.
func (k testToken) key(object string) string {
	return "module-path=" + softHSM + ";token=the%20boards;" + object + "?pin-source=file:" + k.pinFile
}

// ask puts a question to serve, without a process of its own.
func ask(t testing.TB, key, message string, m common.MethodArgs) common.PluginResp {
	t.Helper()
	deadline := time.Now().Add(time.Hour)
	text, err := json.Marshal(common.PluginArgs{
		InitOptions: &common.InitOptions{CtxDeadline: &deadline, ProtocolVersion: "v1", KeyResourceID: key, HashFunc: crypto.SHA256},
		MethodArgs:  &m,
	})
	if err != nil {
		t.Fatal(err)
	}
	answer, status := answerTo(t, message, "v1", string(text))
	if (status == 0) != (answer.ErrorMessage == "") {
		t.Errorf("%s: status %d with the error %q", m.MethodName, status, answer.ErrorMessage)
	}
	if strings.Contains(answer.ErrorMessage, testPIN) {
		t.Errorf("%s: the error tells the PIN: %s", m.MethodName, answer.ErrorMessage)
	}
	return answer
}

func answerTo(t testing.TB, message string, args ...string) (answer common.PluginResp, status int) {
	t.Helper()
	var out bytes.Buffer
	status = serve(append([]string{"sigstore-kms-pkcs11"}, args...), strings.NewReader(message), &out)
	if err := json.Unmarshal(out.Bytes(), &answer); err != nil {
		t.Fatalf("%q: %v", out.Bytes(), err)
	}
	return answer, status
}

func askPublic(t testing.TB, key string) common.PluginResp {
	return ask(t, key, "", common.MethodArgs{MethodName: "publicKey", PublicKey: &common.PublicKeyArgs{PublicKeyOptions: &common.PublicKeyOptions{}}})
}

func askCreate(t testing.TB, key, algorithm string) common.PluginResp {
	return ask(t, key, "", common.MethodArgs{MethodName: "createKey", CreateKey: &common.CreateKeyArgs{Algorithm: algorithm}})
}

func askSign(t testing.TB, key, message string, digest []byte, hash crypto.Hash) common.PluginResp {
	return ask(t, key, message, common.MethodArgs{MethodName: "signMessage", SignMessage: &common.SignMessageArgs{
		SignOptions: &common.SignOptions{MessageOptions: common.MessageOptions{Digest: &digest, HashFunc: &hash}},
	}})
}

func askVerify(t testing.TB, key, message string, sig []byte) common.PluginResp {
	return ask(t, key, message, common.MethodArgs{MethodName: "verifySignature", VerifySignature: &common.VerifySignatureArgs{
		Signature: sig, VerifyOptions: &common.VerifyOptions{},
	}})
}
