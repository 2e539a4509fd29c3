// Package helpertest asks helpers for key stores, and holds what is true of all of
// them. OpenSSL judges their signatures.
package helpertest

import (
	"bytes"
	"crypto"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/sigstore/sigstore/pkg/signature/kms/cliplugin/common"

	"github.com/tcpboot/tcpboot/cmd/sigstore-kms/helper"
)

// An Asker asks a helper, without a process of its own.
type Asker struct {
	helper.Program
	Secret string // that no answer may tell; "" for none
}

// An Answer is one of version v1, or of the mode for digests with PSS.
type Answer struct {
	common.PluginResp
	ProtocolVersion string                  `json:"protocolVersion"`
	SignPSS         *common.SignMessageResp `json:"signPSS"`
}

// Ask puts a question in the protocol's version v1.
func (a Asker) Ask(t testing.TB, key, message string, m common.MethodArgs) Answer {
	t.Helper()
	question := common.PluginArgs{InitOptions: options(key), MethodArgs: &m}
	return a.put(t, message, "v1", question)
}

func options(key string) *common.InitOptions {
	deadline := time.Now().Add(time.Hour)
	return &common.InitOptions{CtxDeadline: &deadline, ProtocolVersion: "v1", KeyResourceID: key, HashFunc: crypto.SHA256}
}

func (a Asker) put(t testing.TB, message, version string, question any) Answer {
	t.Helper()
	text, err := json.Marshal(question)
	if err != nil {
		t.Fatal(err)
	}
	answer, status := a.AnswerTo(t, message, version, string(text))
	if (status == 0) != (answer.ErrorMessage == "") {
		t.Errorf("%s: status %d with the error %q", text, status, answer.ErrorMessage)
	}
	return answer
}

// AnswerTo gives the helper's answer to arguments that may be no question.
func (a Asker) AnswerTo(t testing.TB, message string, args ...string) (answer Answer, status int) {
	t.Helper()
	var out bytes.Buffer
	status = a.Serve(append([]string{a.Name}, args...), strings.NewReader(message), &out)
	if err := json.Unmarshal(out.Bytes(), &answer); err != nil {
		t.Fatalf("%q: %v", out.Bytes(), err)
	}
	if a.Secret != "" && strings.Contains(answer.ErrorMessage, a.Secret) {
		t.Errorf("the error tells the secret: %s", answer.ErrorMessage)
	}
	return answer, status
}

// Public asks for the public half.
func (a Asker) Public(t testing.TB, key string) Answer {
	t.Helper()
	return a.Ask(t, key, "", common.MethodArgs{MethodName: "publicKey", PublicKey: &common.PublicKeyArgs{PublicKeyOptions: &common.PublicKeyOptions{}}})
}

// Create asks for a new key.
func (a Asker) Create(t testing.TB, key, algorithm string) Answer {
	t.Helper()
	return a.Ask(t, key, "", common.MethodArgs{MethodName: "createKey", CreateKey: &common.CreateKeyArgs{Algorithm: algorithm}})
}

// Sign asks for a signature over a digest, or over a message where digest is nil.
func (a Asker) Sign(t testing.TB, key, message string, digest []byte, hash crypto.Hash) Answer {
	t.Helper()
	options := common.MessageOptions{HashFunc: &hash}
	if digest != nil {
		options.Digest = &digest
	}
	return a.Ask(t, key, message, common.MethodArgs{MethodName: "signMessage", SignMessage: &common.SignMessageArgs{
		SignOptions: &common.SignOptions{MessageOptions: options},
	}})
}

// Verify asks whether a signature is the key's.
func (a Asker) Verify(t testing.TB, key, message string, hash crypto.Hash, sig []byte) Answer {
	t.Helper()
	return a.Ask(t, key, message, common.MethodArgs{MethodName: "verifySignature", VerifySignature: &common.VerifySignatureArgs{
		Signature: sig, VerifyOptions: &common.VerifyOptions{MessageOptions: common.MessageOptions{HashFunc: &hash}},
	}})
}

// SignPSS asks for a signature by RSA-PSS.
func (a Asker) SignPSS(t testing.TB, key string, digest []byte, hash crypto.Hash, salt int) Answer {
	t.Helper()
	answer := a.put(t, "", "tcpboot-v1", map[string]any{
		"initOptions": options(key), "methodName": "signPSS",
		"signPSS": map[string]any{"digest": digest, "hashFunc": hash, "saltLength": salt},
	})
	if answer.ProtocolVersion != "tcpboot-v1" {
		t.Errorf("the answer is of version %q", answer.ProtocolVersion)
	}
	return answer
}

// Run runs a peer program, which a Debian package brings.
func Run(t testing.TB, debian, name string, args ...string) string {
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

// WriteFile writes a file of a test.
func WriteFile(t testing.TB, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}
