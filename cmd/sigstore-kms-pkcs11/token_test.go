package main

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sigstore/sigstore/pkg/signature"
	"golang.org/x/sys/unix"
)

// openssl verifies what the token signs, with the public key that it shows.
func TestKeysOfEachAlgorithm(t *testing.T) {
	token := newToken(t)
	dir := t.TempDir()
	message, digest := "the first board", sha256.Sum256([]byte("the first board"))
	for i, a := range algorithms {
		t.Run(a.name, func(t *testing.T) {
			if _, err := signature.ParseSignatureAlgorithmFlag(a.name); err != nil {
				t.Errorf("sigstore does not know this algorithm: %v", err)
			}
			key := token.key("object=" + a.name + ";id=0" + string(rune('1'+i)))
			made := askCreate(t, key, a.name)
			if made.ErrorMessage != "" {
				t.Fatal(made.ErrorMessage)
			}
			again := askPublic(t, token.key("object="+a.name))
			if again.ErrorMessage != "" || !bytes.Equal(again.PublicKey.PublicKeyPEM, made.CreateKey.PublicKeyPEM) {
				t.Fatalf("the public key reads otherwise: %+v", again)
			}
			public, file, sig := filepath.Join(dir, a.name), filepath.Join(dir, "message"), filepath.Join(dir, "sig")
			writeFile(t, public, string(made.CreateKey.PublicKeyPEM), 0o600)
			writeFile(t, file, message, 0o600)
			for how, given := range map[string][]byte{"by digest": digest[:], "by message": nil} {
				answer := askSign(t, key, message, given, crypto.SHA256)
				if answer.ErrorMessage != "" {
					t.Fatalf("%s: %s", how, answer.ErrorMessage)
				}
				writeFile(t, sig, string(answer.SignMessage.Signature), 0o600)
				run(t, "openssl", "openssl", "dgst", "-sha256", "-verify", public, "-signature", sig, file)
				if v := askVerify(t, key, message, answer.SignMessage.Signature); v.ErrorMessage != "" {
					t.Errorf("%s: our own verification: %s", how, v.ErrorMessage)
				}
				if v := askVerify(t, key, "another board", answer.SignMessage.Signature); v.ErrorMessage == "" {
					t.Errorf("%s: verified for another message", how)
				}
			}
		})
	}
}

// What pkcs11-tool says of a new key: it is in the token to stay.
func TestANewKeyCannotLeave(t *testing.T) {
	token := newToken(t)
	if made := askCreate(t, token.key("object=ca;id=01"), "ecdsa-sha2-256-nistp256"); made.ErrorMessage != "" {
		t.Fatal(made.ErrorMessage)
	}
	out := run(t, "opensc", "pkcs11-tool", "--module", softHSM, "--token-label", "the boards", "--login", "--pin", testPIN, "--list-objects", "--type", "privkey")
	if want := "sensitive, always sensitive, never extractable, local"; !strings.Contains(out, want) {
		t.Errorf("no %q in\n%s", want, out)
	}
}

func TestCreateRefuses(t *testing.T) {
	token := newToken(t)
	if made := askCreate(t, token.key("object=ca;id=0a10"), "ecdsa-sha2-256-nistp256"); made.ErrorMessage != "" {
		t.Fatal(made.ErrorMessage)
	}
	for name, row := range map[string]struct{ key, algorithm, want string }{
		"the same key":         {"object=ca;id=0a10", "ecdsa-sha2-256-nistp256", "already"},
		"its label":            {"object=ca;id=0a11", "ecdsa-sha2-256-nistp256", "already"},
		"its id":               {"object=cb;id=%0A%10", "ecdsa-sha2-256-nistp256", "already"},
		"no id":                {"object=cb", "ecdsa-sha2-256-nistp256", "both an object and an id"},
		"no label":             {"id=02", "ecdsa-sha2-256-nistp256", "both an object and an id"},
		"no algorithm":         {"object=cb;id=02", "", "want one of"},
		"an unknown algorithm": {"object=cb;id=02", "ed25519", "want one of"},
	} {
		if answer := askCreate(t, token.key(row.key), row.algorithm); !strings.Contains(answer.ErrorMessage, row.want) {
			t.Errorf("%s: %q, want %q", name, answer.ErrorMessage, row.want)
		}
	}
}

func TestSignRefuses(t *testing.T) {
	token := newToken(t)
	key := token.key("object=ca;id=01")
	if made := askCreate(t, key, "ecdsa-sha2-256-nistp256"); made.ErrorMessage != "" {
		t.Fatal(made.ErrorMessage)
	}
	digest := sha256.Sum256(nil)
	for name, row := range map[string]struct {
		key    string
		digest []byte
		hash   crypto.Hash
		want   string
	}{
		"a short digest":  {key, digest[:31], crypto.SHA256, "unexpected length"},
		"another hash's":  {key, digest[:], crypto.SHA384, "unexpected length"},
		"SHA-1":           {key, digest[:20], crypto.SHA1, "unsupported hash"},
		"no hash":         {key, digest[:], 0, "unsupported hash"},
		"no such key":     {token.key("object=cb"), digest[:], crypto.SHA256, "not found"},
		"no such token":   {strings.Replace(key, "boards", "beards", 1), digest[:], crypto.SHA256, "could not find"},
		"a PIN":           {key + "&pin-value=" + testPIN, digest[:], crypto.SHA256, "shows the PIN"},
		"no library":      {strings.Replace(key, "hsm2.so", "hsm3.so", 1), digest[:], crypto.SHA256, "no such file"},
		"not a library":   {strings.Replace(key, softHSM, "/etc/passwd", 1), digest[:], crypto.SHA256, "failed to open module"},
		"a folder for it": {strings.Replace(key, softHSM, "/usr/lib", 1), digest[:], crypto.SHA256, "not a regular file"},
	} {
		answer := askSign(t, row.key, "", row.digest, row.hash)
		if !strings.Contains(answer.ErrorMessage, row.want) {
			t.Errorf("%s: %q, want %q", name, answer.ErrorMessage, row.want)
		}
	}
}

func TestPINFile(t *testing.T) {
	token := newToken(t)
	key := token.key("object=ca;id=01")
	if made := askCreate(t, key, "ecdsa-sha2-256-nistp256"); made.ErrorMessage != "" {
		t.Fatal(made.ErrorMessage)
	}
	for name, row := range map[string]struct {
		text string
		mode os.FileMode
		want string
	}{
		"right":              {testPIN, 0o400, ""},
		"with a line's end":  {testPIN + "\r\n", 0o600, ""},
		"wrong":              {"9999" + testPIN, 0o600, "CKR_PIN_INCORRECT"},
		"readable by others": {testPIN, 0o640, "mode 0640: others can read it"},
		"empty":              {"\n", 0o600, "empty"},
		"two lines":          {testPIN + "\n" + testPIN, 0o600, "more than one line"},
		"much":               {strings.Repeat(testPIN, 100), 0o600, "longer than"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.Remove(token.pinFile); err != nil {
				t.Fatal(err)
			}
			writeFile(t, token.pinFile, row.text, row.mode)
			answer := askPublic(t, key)
			if row.want == "" && answer.ErrorMessage != "" || !strings.Contains(answer.ErrorMessage, row.want) {
				t.Errorf("%q, want %q", answer.ErrorMessage, row.want)
			}
		})
	}
	if answer := askPublic(t, strings.Replace(key, token.pinFile, filepath.Dir(token.pinFile), 1)); !strings.Contains(answer.ErrorMessage, "not a regular file") {
		t.Errorf("a folder: %q", answer.ErrorMessage)
	}
	pipe := filepath.Join(filepath.Dir(token.pinFile), "pipe")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if answer := askPublic(t, strings.Replace(key, token.pinFile, pipe, 1)); !strings.Contains(answer.ErrorMessage, "not a regular file") {
		t.Errorf("a pipe: %q", answer.ErrorMessage)
	}
	if answer := askPublic(t, strings.Replace(key, "/pin", "/nip", 1)); !strings.Contains(answer.ErrorMessage, "no such file") {
		t.Errorf("no file: %q", answer.ErrorMessage)
	}
}

// A key of a kind that nothing here checks is not used, whoever made it.
func TestAKeyOfAnotherKind(t *testing.T) {
	token := newToken(t)
	run(t, "opensc", "pkcs11-tool", "--module", softHSM, "--token-label", "the boards", "--login", "--pin", testPIN,
		"--keypairgen", "--key-type", "rsa:2048", "--label", "small", "--id", "05")
	if answer := askPublic(t, token.key("id=05")); !strings.Contains(answer.ErrorMessage, "not of the kinds") {
		t.Errorf("got %+v", answer)
	}
}
