package espimage

import (
	"testing"

	"github.com/tcpboot/tcpboot/pki/fleet"
)

func TestLimits(t *testing.T) {
	for _, row := range []struct {
		chip     fleet.Chip
		revision uint16
		want     Limits
	}{
		{"esp32", 0, Limits{0, 0, 32}},
		{"esp32", 300, Limits{1, 1, 32}},
		{"esp32c2", 100, Limits{1, 1, 4}},
		{"esp32c3", 0, Limits{3, 3, 16}},
		{"esp32c5", 100, Limits{3, 3, 9}},
		{"esp32s3", 0, Limits{3, 3, 16}},
	} {
		if got := LimitsOf(row.chip, row.revision); got != row.want {
			t.Errorf("%s from %d: %+v, want %+v", row.chip, row.revision, got, row.want)
		}
	}
}

func TestSecureVersion(t *testing.T) {
	for _, row := range []struct {
		chip    fleet.Chip
		version uint32
		ok      bool
	}{
		{"esp32", 32, true}, {"esp32", 33, false},
		{"esp32c2", 4, true}, {"esp32c2", 5, false},
		{"esp32c5", 9, true}, {"esp32c5", 10, false},
		{"esp32c3", 16, true}, {"esp32c3", 17, false}, {"esp32c3", 1 << 31, false},
	} {
		im, err := Parse(Build(Spec{Chip: row.chip, SecureVersion: row.version, Size: 4096}))
		if err != nil {
			t.Fatal(err)
		}
		if err := im.CheckSecureVersion(); (err == nil) != row.ok {
			t.Errorf("%s, %d: %v", row.chip, row.version, err)
		}
	}
}

func TestUnsafe(t *testing.T) {
	for chip, unsafe := range map[fleet.Chip]bool{
		"esp32": false, "esp32c2": false, "esp32c6": false, "esp32c5": true, "esp32c61": true, "esp32h2": true, "esp32p4": true,
	} {
		for _, scheme := range []Scheme{V1, RSA3072, P256, P384} {
			ecdsa := scheme == P256 || scheme == P384
			if err := Unsafe(chip, scheme); (err != nil) != (unsafe && ecdsa) {
				t.Errorf("%s, %s: %v", chip, scheme, err)
			}
		}
	}
}
