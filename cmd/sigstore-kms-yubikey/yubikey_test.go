package main

import (
	"crypto"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tcpboot/tcpboot/cmd/sigstore-kms/helpertest"
)

// What can be told without a YubiKey.
func TestNames(t *testing.T) {
	asker := helpertest.Asker{Program: program, Secret: "4321"}
	pin := filepath.Join(t.TempDir(), "pin")
	helpertest.WriteFile(t, pin, "12344321\n", 0o600)
	helpertest.WriteFile(t, pin+"-long", "1234567894321\n", 0o600)
	for name, row := range map[string]struct{ key, want string }{
		"no slot":          {"pin-source=file:" + pin, "slot-id: want"},
		"an unknown slot":  {"slot-id=9b?pin-source=file:" + pin, "slot-id: want"},
		"attestation's":    {"slot-id=f9?pin-source=file:" + pin, "slot-id: want"},
		"a serial in hex":  {"slot-id=9c;serial=ab?pin-source=file:" + pin, "serial: want"},
		"no PIN":           {"slot-id=9c", "pin-source: want"},
		"a PIN":            {"slot-id=9c?pin-value=4321", "shows the PIN"},
		"a PIN for a file": {"slot-id=9c?pin-source=4321", "pin-source: want"},
		"a management key": {"slot-id=9c;management-key=4321?pin-source=file:" + pin, "want attributes"},
		"no file":          {"slot-id=9c?pin-source=file:/nowhere", "pin-source: open /nowhere"},
		"what is no PIN":   {"slot-id=9c?pin-source=file:" + pin + "-long", "longer than 8 bytes"},
	} {
		if read := asker.Public(t, row.key); !strings.Contains(read.ErrorMessage, row.want) {
			t.Errorf("%s: %q, want %q", name, read.ErrorMessage, row.want)
		}
	}
	made := asker.Create(t, "slot-id=9c?pin-source=file:"+pin, "ecdsa-sha2-256-nistp256")
	if !strings.Contains(made.ErrorMessage, "ykman") {
		t.Errorf("a new key: %q", made.ErrorMessage)
	}
}

// A YubiKey that tests play, behind the library for smart cards.
func TestCard(t *testing.T) {
	key := insert(t, testPIN)
	for slot, a := range map[string]string{
		"9a": "ecdsa-sha2-256-nistp256", "9c": "ecdsa-sha2-384-nistp384", "82": "rsa-sign-pss-2048-sha256", "83": "rsa-sign-pss-3072-sha256",
	} {
		t.Run(a, func(t *testing.T) {
			c := helpertest.Contract{Asker: helpertest.Asker{Program: program, Secret: testPIN}, AnySalt: true}
			c.CheckKey(t, key(slot), a)
		})
	}
}

func TestNoCardOrAnother(t *testing.T) {
	asker := helpertest.Asker{Program: program, Secret: "4321"}
	key := insert(t, testPIN)
	if read := asker.Public(t, strings.Replace(key("9a"), ";serial=112233", ";serial=112234", 1)); !strings.Contains(read.ErrorMessage, "112234") {
		t.Errorf("of another number: %q", read.ErrorMessage)
	}
	if read := asker.Public(t, key("95")); read.ErrorMessage == "" {
		t.Error("an empty slot has a key")
	}
	if signed := asker.Sign(t, insert(t, "9999")("9a"), "a", nil, crypto.SHA256); !strings.Contains(signed.ErrorMessage, "verification failed (2 retries remaining)") {
		t.Errorf("with another PIN: %q", signed.ErrorMessage)
	}
	inserted.Store(nil)
	if read := asker.Public(t, key("9a")); !strings.Contains(read.ErrorMessage, "error detecting yubikey") {
		t.Errorf("without one: %q", read.ErrorMessage)
	}
}

func TestWithTcpboot(t *testing.T) {
	helpertest.SignsImage(t, "yubikey:"+insert(t, testPIN)("83"))
}

const testPIN = "54321"

// insert plugs a YubiKey with that PIN in, and names the keys in its slots.
func insert(t *testing.T, pin string) func(slot string) string {
	t.Helper()
	inserted.Store(&card{T: t, pin: pin, slots: map[byte]crypto.Signer{
		0x9a: helpertest.Generate(t, "p256"), 0x9c: helpertest.Generate(t, "p384"),
		0x82: helpertest.Generate(t, "rsa2048"), 0x83: helpertest.Generate(t, "rsa3072"),
	}})
	file := filepath.Join(t.TempDir(), "pin")
	helpertest.WriteFile(t, file, testPIN+"\n", 0o600)
	return func(slot string) string { return "slot-id=" + slot + ";serial=112233?pin-source=file:" + file }
}
