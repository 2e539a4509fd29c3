package delivery

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tcpboot/tcpboot/pki/fleet"
)

func TestNVSOptions(t *testing.T) {
	const (
		encrypted, plain = "CONFIG_NVS_ENCRYPTION=y", "# CONFIG_NVS_ENCRYPTION is not set"
		stored, derived  = "CONFIG_NVS_SEC_KEY_PROTECT_USING_FLASH_ENC", "CONFIG_NVS_SEC_KEY_PROTECT_USING_HMAC"
	)
	for _, tt := range []struct {
		chip  fleet.Chip
		form  NVSForm
		block int
		want  string // the options, or the error
	}{
		{"esp32", NVSPlain, 0, plain},
		{"esp32c3", NVSPlain, 0, plain},
		{"esp32", NVSStored, 0, encrypted},
		{"esp32c3", NVSStored, 0, encrypted + " # " + derived + " is not set " + stored + "=y"},
		{"esp32c3", NVSDerived, 3, encrypted + " # " + stored + " is not set " + derived + "=y CONFIG_NVS_SEC_HMAC_EFUSE_KEY_ID=3"},
		{"esp32c3", NVSDerived, 6, "eFuse block 6: want 0 to 5, for KEY0 to KEY5"},
		{"esp32c3", NVSDerived, -1, "eFuse block -1: want 0 to 5, for KEY0 to KEY5"},
		{"esp32", NVSDerived, 3, "esp32: derives no keys from its eFuses"},
		{"esp32c2", NVSDerived, 3, "esp32c2: derives no keys from its eFuses"},
	} {
		options, err := NVSOptions(tt.chip, tt.form, tt.block)
		got := strings.Trim(fmt.Sprint(options), "[]")
		if err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%s, form %d, block %d: %s, want %s", tt.chip, tt.form, tt.block, got, tt.want)
		}
	}
}
