package main

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tcpboot/tcpboot/cmd/sigstore-kms/helpertest"
)

// Keys in a token sign either way, whatever they were made for.
func TestKeysOfEachAlgorithm(t *testing.T) {
	token := newToken(t)
	ids := map[string]string{}
	key := func(algorithm string) string {
		if ids[algorithm] == "" {
			ids[algorithm] = fmt.Sprintf("%02d", len(ids)+1)
		}
		return token.key("object=" + algorithm + ";id=" + ids[algorithm])
	}
	helpertest.Contract{Asker: token.Asker, Key: key, AnySalt: true}.Check(t)
}

// Either name of a key will do.
func TestKeyByItsLabel(t *testing.T) {
	token := newToken(t)
	made := token.Create(t, token.key("object=ca;id=01"), "ecdsa-sha2-256-nistp256")
	for _, name := range []string{"object=ca", "id=01", "id=%01"} {
		again := token.Public(t, token.key(name))
		if again.ErrorMessage != "" || !bytes.Equal(again.PublicKey.PublicKeyPEM, made.CreateKey.PublicKeyPEM) {
			t.Errorf("%s: the public key reads otherwise: %+v", name, again)
		}
	}
}

// What pkcs11-tool says of a new key: it is in the token to stay.
func TestANewKeyCannotLeave(t *testing.T) {
	token := newToken(t)
	if made := token.Create(t, token.key("object=ca;id=01"), "ecdsa-sha2-256-nistp256"); made.ErrorMessage != "" {
		t.Fatal(made.ErrorMessage)
	}
	out := helpertest.Run(t, "opensc", "pkcs11-tool", "--module", softHSM, "--token-label", "the boards", "--login", "--pin", testPIN, "--list-objects", "--type", "privkey")
	if want := "sensitive, always sensitive, never extractable, local"; !strings.Contains(out, want) {
		t.Errorf("no %q in\n%s", want, out)
	}
}

func TestCreateRefuses(t *testing.T) {
	token := newToken(t)
	if made := token.Create(t, token.key("object=ca;id=0a10"), "ecdsa-sha2-256-nistp256"); made.ErrorMessage != "" {
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
		if answer := token.Create(t, token.key(row.key), row.algorithm); !strings.Contains(answer.ErrorMessage, row.want) {
			t.Errorf("%s: %q, want %q", name, answer.ErrorMessage, row.want)
		}
	}
}

func TestSignRefuses(t *testing.T) {
	token := newToken(t)
	key := token.key("object=ca;id=01")
	if made := token.Create(t, key, "ecdsa-sha2-256-nistp256"); made.ErrorMessage != "" {
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
		answer := token.Sign(t, row.key, "", row.digest, row.hash)
		if !strings.Contains(answer.ErrorMessage, row.want) {
			t.Errorf("%s: %q, want %q", name, answer.ErrorMessage, row.want)
		}
	}
}

func TestPINFile(t *testing.T) {
	token := newToken(t)
	key := token.key("object=ca;id=01")
	if made := token.Create(t, key, "ecdsa-sha2-256-nistp256"); made.ErrorMessage != "" {
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
			helpertest.WriteFile(t, token.pinFile, row.text, row.mode)
			answer := token.Public(t, key)
			if row.want == "" && answer.ErrorMessage != "" || !strings.Contains(answer.ErrorMessage, row.want) {
				t.Errorf("%q, want %q", answer.ErrorMessage, row.want)
			}
		})
	}
	if answer := token.Public(t, strings.Replace(key, token.pinFile, filepath.Dir(token.pinFile), 1)); !strings.Contains(answer.ErrorMessage, "not a regular file") {
		t.Errorf("a folder: %q", answer.ErrorMessage)
	}
	pipe := filepath.Join(filepath.Dir(token.pinFile), "pipe")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if answer := token.Public(t, strings.Replace(key, token.pinFile, pipe, 1)); !strings.Contains(answer.ErrorMessage, "not a regular file") {
		t.Errorf("a pipe: %q", answer.ErrorMessage)
	}
	if answer := token.Public(t, strings.Replace(key, "/pin", "/nip", 1)); !strings.Contains(answer.ErrorMessage, "no such file") {
		t.Errorf("no file: %q", answer.ErrorMessage)
	}
}

// A key of a kind that nothing here checks is not used, whoever made it.
func TestAKeyOfAnotherKind(t *testing.T) {
	token := newToken(t)
	helpertest.Run(t, "opensc", "pkcs11-tool", "--module", softHSM, "--token-label", "the boards", "--login", "--pin", testPIN,
		"--keypairgen", "--key-type", "rsa:4096", "--label", "large", "--id", "05")
	if answer := token.Public(t, token.key("id=05")); !strings.Contains(answer.ErrorMessage, "not of the kinds") {
		t.Errorf("got %+v", answer)
	}
}
