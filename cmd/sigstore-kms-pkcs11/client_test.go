package main

import (
	"bytes"
	"crypto"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/sigstore/sigstore/pkg/signature/kms"
)

// build makes the program under the name that a client looks for, as the only
// thing on PATH.
func build(t *testing.T, name string) {
	t.Helper()
	dir := t.TempDir()
	out, err := exec.Command("go", "build", "-o", filepath.Join(dir, name), ".").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Setenv("PATH", dir)
}

// The client is sigstore's own, the one in cosign, which puts nothing but a hash
// and a reference in.
func TestSigstoresClient(t *testing.T) {
	token := newToken(t)
	build(t, "sigstore-kms-token")
	ctx := t.Context()
	key, err := kms.Get(ctx, "token://"+token.key("object=ca;id=01"), crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	if got := key.SupportedAlgorithms(); strings.Join(got, " ") != "ecdsa-sha2-256-nistp256 ecdsa-sha2-384-nistp384 rsa-sign-pkcs1-2048-sha256 rsa-sign-pkcs1-3072-sha256 rsa-sign-pss-2048-sha256 rsa-sign-pss-3072-sha256" {
		t.Errorf("algorithms: %v", got)
	}
	made, err := key.CreateKey(ctx, key.DefaultAlgorithm())
	if err != nil {
		t.Fatal(err)
	}
	read, err := key.PublicKey()
	if err != nil || !made.(interface{ Equal(crypto.PublicKey) bool }).Equal(read) {
		t.Fatalf("another key comes back: %v, %v", read, err)
	}
	message := []byte("a release")
	sig, err := key.SignMessage(bytes.NewReader(message))
	if err != nil {
		t.Fatal(err)
	}
	if err := key.VerifySignature(bytes.NewReader(sig), bytes.NewReader(message)); err != nil {
		t.Error(err)
	}
	if err := key.VerifySignature(bytes.NewReader(sig), strings.NewReader("another")); err == nil {
		t.Error("verified for another message")
	}
	if _, err := key.CreateKey(ctx, "ed25519"); err == nil || !strings.Contains(err.Error(), "want one of") {
		t.Errorf("got %v, want the helper's own words", err)
	}
}

// SoftHSM fails when several processes log in at once, so they must not.
func TestManyAtOnce(t *testing.T) {
	token := newToken(t)
	build(t, "sigstore-kms-token")
	key, err := kms.Get(t.Context(), "token://"+token.key("object=ca;id=01"), crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := key.CreateKey(t.Context(), key.DefaultAlgorithm()); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 8 {
				if _, err := key.SignMessage(strings.NewReader("a release")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
}

// The program answers an error, and its status says so too.
func TestStatus(t *testing.T) {
	build(t, "helper")
	cmd := exec.Command("helper", "v1", "{}")
	out, _ := cmd.Output()
	if cmd.ProcessState.ExitCode() != 1 || !bytes.HasPrefix(out, []byte(`{"errorMessage":`)) {
		t.Errorf("status %d, %q", cmd.ProcessState.ExitCode(), out)
	}
}
