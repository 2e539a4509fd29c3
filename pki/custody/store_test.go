package custody

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestStore(t *testing.T) {
	for uri, want := range map[string]string{
		"pkcs11:token=lab;object=ca":      "pkcs11",
		"awskms:///arn:aws:kms:eu:1:key/": "awskms",
		"my-hsm://1":                      "my-hsm",
		"keys/ca.pem":                     "",
		"file:keys/ca.pem":                "",
		"/keys/ca.pem":                    "",
		"":                                "",
		"PKCS11:token=lab":                "",
		"../../x:y":                       "",
		"keys/a:b":                        "",
		":x":                              "",
		"-x:y":                            "",
		strings.Repeat("a", 33) + ":x":    "",
	} {
		if got := Store(uri); got != want {
			t.Errorf("Store(%q) = %q, want %q", uri, got, want)
		}
	}
}

func TestStoredKeyName(t *testing.T) {
	for uri, want := range map[string]string{
		"pkcs11:token=lab;object=ca":                       "token=lab;object=ca",
		"pkcs11://token=lab;object=ca":                     "token=lab;object=ca",
		"pkcs11:id=%0a%10;slot-id=3?pin-source=/etc/pin":   "id=%0a%10;slot-id=3?pin-source=/etc/pin",
		"awskms:///arn:aws:kms:eu-west-1:1:key/12":         "/arn:aws:kms:eu-west-1:1:key/12",
		"awskms:key-id=12;region=eu-west-1?profile=site":   "key-id=12;region=eu-west-1?profile=site",
		"azurekms:name=ca;vault=v?client-secret-file=/etc": "name=ca;vault=v?client-secret-file=/etc",
		"yubikey:slot-id=9c?management-key-source=/etc/mk": "slot-id=9c?management-key-source=/etc/mk",
	} {
		if got, err := storedKey(uri); err != nil || got != want {
			t.Errorf("%s: %q, %v", uri, got, err)
		}
	}
}

// Nothing that is or may be a secret reaches a helper's arguments, or an error.
func TestSecretsInURIs(t *testing.T) {
	k := newHelper(t, "")
	ran := filepath.Join(k.Dir, "ran")
	for _, scheme := range []string{"pkcs11", "yubikey", "azurekms", "tpmkms", "awskms"} {
		path := filepath.Join(k.Helpers, "sigstore-kms-"+scheme)
		if err := os.WriteFile(path, []byte("#!/bin/sh\necho \"$@\" >>"+ran+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for name, uri := range map[string]string{
		"pin-value":              "pkcs11:token=lab;object=ca?pin-value=4321",
		"in the path":            "pkcs11:pin-value=4321;token=lab;object=ca",
		"later in the query":     "pkcs11:token=lab;object=ca?pin-source=file:/etc/pin&pin-value=4321",
		"in capitals":            "pkcs11:token=lab;object=ca?PIN-VALUE=4321",
		"escaped":                "pkcs11:token=lab;object=ca?pin%2dvalue=4321",
		"inside of a value":      "pkcs11:token=lab%3bpin-value=4321;object=ca",
		"by a short name":        "pkcs11:token=lab;object=ca?pin=4321",
		"without a name":         "pkcs11:token=lab;object=ca?4321",
		"as a file":              "pkcs11:token=lab;object=ca?pin-source=4321",
		"as a file URI":          "pkcs11:token=lab;object=ca?pin-source=file:4321",
		"for a password":         "pkcs11:token=lab;object=ca?password=4321",
		"of a YubiKey":           "yubikey:slot-id=9c?pin-value=4321",
		"a YubiKey's management": "yubikey:slot-id=9c?management-key=4321",
		"of Azure":               "azurekms:name=ca;vault=v?client-secret=4321",
		"of a TPM":               "tpmkms:name=ca;owner-password=4321",
		"of AWS":                 "awskms:key-id=ca;secret-access-key=4321",
		"with a blank":           "pkcs11:token=lab;object=ca?pin-source=file:/etc/pin 4321",
		"with a line's end":      "pkcs11:token=lab;object=ca\n4321",
		"with half an escape":    "pkcs11:token=lab;object=ca%4",
		"long":                   "pkcs11:object=ca;token=" + strings.Repeat("4321", 600),
		"no key":                 "pkcs11:",
	} {
		t.Run(name, func(t *testing.T) {
			key, err := k.Open(uri, Boards)
			if err == nil || key != nil {
				t.Fatal("opened")
			}
			if strings.Contains(err.Error(), "4321") {
				t.Errorf("the error tells the secret: %v", err)
			}
			if args, err := os.ReadFile(ran); err == nil {
				t.Errorf("a helper was run: %s", args)
			}
		})
	}
	if _, err := k.Open("pkcs11:token=lab;object=ca?pin-value=4321", Boards); !strings.Contains(err.Error(), "pin-source=file:/PATH") {
		t.Errorf("no way out in: %v", err)
	}
}

func FuzzStoredKey(f *testing.F) {
	f.Add("pkcs11:token=lab;object=ca?pin-source=file:/etc/pin")
	f.Add("pkcs11:token=lab;object=ca?pin-value=4321")
	f.Add("azurekms://vault.example/key?x=%70in-value")
	f.Fuzz(func(t *testing.T, uri string) {
		name, err := storedKey(uri)
		if err != nil {
			return
		}
		if strings.Contains(strings.ToLower(name), "pin-value") || strings.ContainsFunc(name, unfitForURI) {
			t.Errorf("%q is handed on as %q", uri, name)
		}
	})
}
