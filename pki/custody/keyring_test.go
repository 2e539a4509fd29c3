package custody

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// newKeyring returns a keyring over a folder with one key, keys/app.pem.
func newKeyring(t *testing.T) Keyring {
	t.Helper()
	passphrases, err := ParsePassphrases([]byte("app: open sesame\nrelease: another\n"))
	if err != nil {
		t.Fatal(err)
	}
	k := Keyring{Dir: t.TempDir(), Passphrases: passphrases, Helpers: t.TempDir()}
	if err := os.Mkdir(filepath.Join(k.Dir, "keys"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(k.Dir, "keys", "app.pem"), opensslKey, 0o600); err != nil {
		t.Fatal(err)
	}
	return k
}

func TestKeyringOpen(t *testing.T) {
	k := newKeyring(t)
	for _, uri := range []string{
		"keys/app.pem",
		"file:keys/app.pem",
		"file://" + k.Dir + "/keys/app.pem",
		k.Dir + "/keys/app.pem",
	} {
		if _, err := k.Open(uri, App); err != nil {
			t.Errorf("%s: %v", uri, err)
		}
	}
}

func TestKeyringOpenRefuses(t *testing.T) {
	k := newKeyring(t)
	for name, row := range map[string]struct {
		uri  string
		role Role
		want string
	}{
		"another role's passphrase": {"keys/app.pem", Release, "app.pem: wrong passphrase"},
		"a role without passphrase": {"keys/app.pem", Boards, "no line for boards"},
		"no such file":              {"keys/boards.pem", App, "boards.pem: no such file"},
		"a folder":                  {"keys", App, "not a regular file"},
		"nothing":                   {"", App, "no path"},
		"a file URI of nothing":     {"file:", App, "no path"},
		"a file URI with a host":    {"file://host/keys/app.pem", App, "a host"},
		"PKCS#11":                   {"pkcs11:token=lab;object=app?pin-value=1234", App, "pkcs11: a PIN or password in a key URI"},
		"no helper":                 {"pkcs11:token=lab;object=app", App, "its helper, sigstore-kms-pkcs11, is not in"},
		"AWS":                       {"awskms:///1234", App, "sigstore-kms-awskms"},
		"a PIN before a colon":      {"pin 1234:x", App, "not a key URI"},
	} {
		t.Run(name, func(t *testing.T) {
			key, err := k.Open(row.uri, row.role)
			if err == nil || key != nil || !strings.Contains(err.Error(), row.want) {
				t.Fatalf("got %v, want an error with %q", err, row.want)
			}
			if !strings.HasPrefix(err.Error(), "key for "+string(row.role)+": ") {
				t.Errorf("%v: does not name the role", err)
			}
			if strings.Contains(err.Error(), "1234") || strings.Contains(err.Error(), "sesame") {
				t.Errorf("the error tells a secret: %v", err)
			}
		})
	}
}

func TestKeyringTellsAWrongPassphrase(t *testing.T) {
	_, err := newKeyring(t).Open("keys/app.pem", Release)
	if !errors.Is(err, ErrPassphrase) {
		t.Errorf("got %v, want ErrPassphrase", err)
	}
}

func TestKeyringRefusesAFileThatOthersCanReach(t *testing.T) {
	k := newKeyring(t)
	path := filepath.Join(k.Dir, "keys", "app.pem")
	for _, mode := range []fs.FileMode{0o640, 0o620, 0o610, 0o604, 0o602, 0o644, 0o666} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := k.Open("keys/app.pem", App); err == nil || !strings.Contains(err.Error(), "others can get at the key") {
			t.Errorf("mode %04o: %v", mode, err)
		}
	}
	if err := os.Chmod(path, 0o400); err != nil {
		t.Fatal(err)
	}
	if _, err := k.Open("keys/app.pem", App); err != nil {
		t.Errorf("mode 0400: %v", err)
	}
}
