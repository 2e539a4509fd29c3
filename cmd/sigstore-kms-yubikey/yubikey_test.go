package main

import (
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
