package espimage

import (
	"strings"
	"testing"

	"github.com/tcpboot/tcpboot/pki/fleet"
)

func TestSchemeFor(t *testing.T) {
	for _, c := range []struct {
		chip     fleet.Chip
		revision uint16
		want     Scheme
	}{
		{"esp32", 0, V1}, {"esp32", 299, V1}, {"esp32", 300, RSA3072}, {"esp32", 301, RSA3072},
		{"esp32s2", 0, RSA3072}, {"esp32s3", 0, RSA3072}, {"esp32s31", 0, RSA3072}, {"esp32c3", 3, RSA3072},
		{"esp32c5", 0, RSA3072}, {"esp32c6", 0, RSA3072}, {"esp32h2", 0, RSA3072}, {"esp32h21", 0, RSA3072},
		{"esp32p4", 0, RSA3072}, {"esp32c2", 100, P256}, {"esp32c61", 0, P256},
		{"esp32h4", 0, ""}, {"", 0, ""},
	} {
		got, err := SchemeFor(c.chip, c.revision)
		if got != c.want || (err != nil) != (c.want == "") {
			t.Errorf("SchemeFor(%q, %d): got %q, %v, want %q", c.chip, c.revision, got, err, c.want)
		}
		if err == nil && Allowed(c.chip, c.revision, got) != nil {
			t.Errorf("SchemeFor(%q, %d): %s is not allowed", c.chip, c.revision, got)
		}
	}
}

func TestAllowed(t *testing.T) {
	for _, c := range []struct {
		chip     fleet.Chip
		revision uint16
		scheme   Scheme
		want     string // of the error; empty: none
	}{
		{"esp32", 0, V1, ""},
		{"esp32", 300, V1, ""},
		{"esp32", 300, RSA3072, ""},
		{"esp32", 100, RSA3072, "esp32: takes rsa3072 from revision 3.0 on, and there are boards of revision 1.0"},
		{"esp32", 300, P256, "esp32: takes rsa3072, v1, not p256"},
		{"esp32c3", 300, V1, "esp32c3: takes rsa3072, not v1"},
		{"esp32c2", 0, RSA3072, "esp32c2: takes p256, not rsa3072"},
		{"esp32c6", 0, P256, ""},
		{"esp32c5", 100, P384, ""},
		{"esp32p4", 299, P384, "esp32p4: takes p384 from revision 3.0 on"},
		{"esp32p4", 300, P384, ""},
		{"esp32s31", 0, P256, "esp32s31: takes rsa3072, not p256"},
		{"esp32h4", 0, RSA3072, "esp32h4: ESP-IDF has no signature scheme"},
		{"esp32", 0, "p192", `signature scheme "p192": want v1, rsa3072, p256 or p384`},
		{"esp32", 0, "", `signature scheme ""`},
	} {
		err := Allowed(c.chip, c.revision, c.scheme)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("Allowed(%s, %d, %s): got %v, want %q", c.chip, c.revision, c.scheme, err, c.want)
		}
	}
}

// Every chip that fleet knows has its place in both tables.
func TestTablesAreComplete(t *testing.T) {
	for _, name := range fleet.ChipNames() {
		chip := fleet.Chip(name)
		if len(windows[chip]) == 0 {
			t.Errorf("%s: no flash windows", chip)
		}
		if schemes[chip] == nil && chip != "esp32h4" {
			t.Errorf("%s: no signature scheme", chip)
		}
	}
}
