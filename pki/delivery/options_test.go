package delivery

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tcpboot/tcpboot/menuconfig/kconfig"
	"github.com/tcpboot/tcpboot/pki/fleet"
)

// lines prints options as a file holds them.
func lines(options []kconfig.Assignment) string {
	var b strings.Builder
	for _, a := range options {
		b.WriteString(a.String() + "\n")
	}
	return b.String()
}

const (
	v1Options = `CONFIG_SECURE_SIGNED_APPS_NO_SECURE_BOOT=y
# CONFIG_SECURE_SIGNED_APPS_RSA_SCHEME is not set
# CONFIG_SECURE_SIGNED_APPS_ECDSA_V2_SCHEME is not set
CONFIG_SECURE_SIGNED_APPS_ECDSA_SCHEME=y
CONFIG_SECURE_SIGNED_ON_UPDATE_NO_SECURE_BOOT=y
# CONFIG_SECURE_BOOT_BUILD_SIGNED_BINARIES is not set
CONFIG_SECURE_BOOT_VERIFICATION_KEY="signature_verification_key.bin"
`
	rsaOptions = `CONFIG_SECURE_SIGNED_APPS_NO_SECURE_BOOT=y
# CONFIG_SECURE_SIGNED_APPS_ECDSA_SCHEME is not set
# CONFIG_SECURE_SIGNED_APPS_ECDSA_V2_SCHEME is not set
CONFIG_SECURE_SIGNED_APPS_RSA_SCHEME=y
CONFIG_SECURE_SIGNED_ON_UPDATE_NO_SECURE_BOOT=y
# CONFIG_SECURE_BOOT_BUILD_SIGNED_BINARIES is not set
`
	p256Options = `CONFIG_SECURE_SIGNED_APPS_NO_SECURE_BOOT=y
# CONFIG_SECURE_SIGNED_APPS_ECDSA_SCHEME is not set
# CONFIG_SECURE_SIGNED_APPS_RSA_SCHEME is not set
CONFIG_SECURE_SIGNED_APPS_ECDSA_V2_SCHEME=y
CONFIG_SECURE_SIGNED_ON_UPDATE_NO_SECURE_BOOT=y
# CONFIG_SECURE_BOOT_BUILD_SIGNED_BINARIES is not set
# CONFIG_SECURE_BOOT_ECDSA_KEY_LEN_384_BITS is not set
CONFIG_SECURE_BOOT_ECDSA_KEY_LEN_256_BITS=y
`
	rev3Options = `# CONFIG_ESP32_REV_MIN_0 is not set
# CONFIG_ESP32_REV_MIN_1 is not set
# CONFIG_ESP32_REV_MIN_1_1 is not set
# CONFIG_ESP32_REV_MIN_2 is not set
# CONFIG_ESP32_REV_MIN_3_1 is not set
CONFIG_ESP32_REV_MIN_3=y
`
)

var p384Options = strings.NewReplacer("# CONFIG_SECURE_BOOT_ECDSA_KEY_LEN_384_BITS is not set", "# CONFIG_SECURE_BOOT_ECDSA_KEY_LEN_256_BITS is not set",
	"CONFIG_SECURE_BOOT_ECDSA_KEY_LEN_256_BITS=y", "CONFIG_SECURE_BOOT_ECDSA_KEY_LEN_384_BITS=y").Replace(p256Options)

func TestLoaderOptions(t *testing.T) {
	for _, tt := range []struct {
		chip     fleet.Chip
		revision uint16
		scheme   string
		want     string
	}{
		{"esp32", 0, "v1", v1Options},
		{"esp32", 300, "v1", v1Options},
		{"esp32", 300, "rsa3072", rev3Options + rsaOptions},
		{"esp32", 301, "rsa3072", strings.NewReplacer("MIN_3_1 is not set", "MIN_3 is not set", "MIN_3=y", "MIN_3_1=y").Replace(rev3Options) + rsaOptions},
		{"esp32s2", 0, "rsa3072", rsaOptions},
		{"esp32s3", 0, "rsa3072", rsaOptions},
		{"esp32s31", 0, "rsa3072", rsaOptions},
		{"esp32c3", 0, "rsa3072", rsaOptions},
		{"esp32c5", 100, "rsa3072", rsaOptions},
		{"esp32h21", 0, "rsa3072", rsaOptions},
		{"esp32c2", 0, "p256", p256Options},
		{"esp32c61", 0, "p256", p256Options},
		{"esp32c6", 0, "p256", p256Options},
		{"esp32h2", 0, "p256", p256Options},
		{"esp32c5", 0, "p384", p384Options},
		{"esp32p4", 300, "p384", p384Options},
	} {
		t.Run(fmt.Sprintf("%s %d %s", tt.chip, tt.revision, tt.scheme), func(t *testing.T) {
			options, err := LoaderOptions(tt.chip, tt.revision, tt.scheme, 1)
			if err != nil {
				t.Fatal(err)
			}
			if got := lines(options); got != tt.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, tt.want)
			}
			readBack(t, options)
		})
	}
}

// readBack writes options to a file and reads them out of it again.
func readBack(t *testing.T, options []kconfig.Assignment) {
	t.Helper()
	var c kconfig.Config
	if _, err := Merge(&c, options); err != nil {
		t.Fatal(err)
	}
	again, err := kconfig.ReadDefaults("f", c.Bytes())
	if err != nil || len(again.Problems()) > 0 {
		t.Fatalf("%v, %v", err, again.Problems())
	}
	for _, a := range options {
		if v, ok := again.Get(a.Name); !ok || v != a.Value {
			t.Errorf("%s reads back as %v, %v; want %v", a.Name, v, ok, a.Value)
		}
	}
	if len(Overrides(again, options)) > 0 {
		t.Errorf("the options override themselves: %v", Overrides(again, options))
	}
}

func TestLoaderOptionsRefuses(t *testing.T) {
	for _, tt := range []struct {
		name     string
		chip     fleet.Chip
		revision uint16
		scheme   string
		level    int
		want     string
	}{
		{"RSA on an old ESP32", "esp32", 299, "rsa3072", 1, "esp32: takes rsa3072 signatures from revision 3.0 on, and boards may have 2.99"},
		{"ECDSA V2 on an ESP32", "esp32", 300, "p256", 1, "esp32: ESP-IDF checks no p256 signatures there, but rsa3072, v1"},
		{"V1 elsewhere", "esp32c3", 0, "v1", 1, "esp32c3: ESP-IDF checks no v1 signatures there, but rsa3072"},
		{"RSA on a C2", "esp32c2", 0, "rsa3072", 1, "esp32c2: ESP-IDF checks no rsa3072 signatures there, but p256"},
		{"P-384 on a C6", "esp32c6", 0, "p384", 1, "esp32c6: ESP-IDF checks no p384 signatures there, but p256, rsa3072"},
		{"P-384 on an early P4", "esp32p4", 100, "p384", 1, "esp32p4: takes p384 signatures from revision 3.0 on, and boards may have 1.0"},
		{"H4", "esp32h4", 0, "rsa3072", 1, "esp32h4: ESP-IDF checks no rsa3072 signatures there, nor any other"},
		{"no chip", "", 0, "rsa3072", 1, ": ESP-IDF checks no rsa3072 signatures there, nor any other"},
		{"by-chip", "esp32", 0, "by-chip", 1, `signature scheme "by-chip": want v1, rsa3072, p256 or p384`},
		{"level 3", "esp32", 0, "v1", 3, "loader level 3: want 0, the loader of 2017, 1, signed updates, or 2, ours"},
		{"level -1", "esp32", 0, "v1", -1, "loader level -1: want 0, the loader of 2017, 1, signed updates, or 2, ours"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			options, err := LoaderOptions(tt.chip, tt.revision, tt.scheme, tt.level)
			if err == nil || err.Error() != tt.want || options != nil {
				t.Errorf("got  %v, %v\nwant %s", options, err, tt.want)
			}
		})
	}
	if options, err := LoaderOptions("esp32", 0, "", 0); err != nil || options != nil {
		t.Errorf("the loader of 2017: %v, %v", options, err)
	}
}

// Every chip takes some scheme, or the settings could name one that boards
// cannot be built for.
func TestEveryChipWithARadioHasAScheme(t *testing.T) {
	for _, name := range fleet.ChipNames() {
		chip, found := fleet.Chip(name), false
		for _, s := range schemes {
			_, ok := s.from[chip]
			found = found || ok
		}
		if chip.WiFi() && !found {
			t.Errorf("%s has none", chip)
		}
	}
}
