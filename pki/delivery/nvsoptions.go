package delivery

import (
	"fmt"
	"slices"

	"github.com/tcpboot/tcpboot/menuconfig/kconfig"
	"github.com/tcpboot/tcpboot/pki/fleet"
)

// An NVSForm is how the partition of NVS lies on a board.
type NVSForm int

const (
	NVSPlain   NVSForm = iota
	NVSStored          // encrypted, under keys in a partition that flash encryption protects
	NVSDerived         // encrypted, under keys that the board derives from an eFuse block
)

// deriving are the chips that derive keys, with an ESP-IDF from 5.2 on.
var deriving = []fleet.Chip{"esp32s2", "esp32s3", "esp32s31", "esp32c3", "esp32c5", "esp32c6", "esp32h2", "esp32h21", "esp32p4"}

// keySchemes are the choice of where keys come from, which the other chips have not.
var keySchemes = []string{"NVS_SEC_KEY_PROTECT_USING_HMAC", "NVS_SEC_KEY_PROTECT_USING_FLASH_ENC"}

// NVSOptions returns the options by which our loader opens the partition in that form,
// and leaves it alone in another. block is the eFuse block of NVSDerived: 0 is KEY0, 5
// is KEY5. NVSStored takes flash encryption, which is not among the options: it burns
// eFuses, and that is for people to choose.
func NVSOptions(chip fleet.Chip, form NVSForm, block int) ([]kconfig.Assignment, error) {
	derives := slices.Contains(deriving, chip)
	options := []kconfig.Assignment{{Name: "NVS_ENCRYPTION", Value: kconfig.Bool(form != NVSPlain)}}
	switch {
	case form == NVSPlain, form == NVSStored && !derives:
		return options, nil
	case form == NVSStored:
		return append(options, choose(keySchemes, keySchemes[1])...), nil
	case !derives:
		return nil, fmt.Errorf("%s: derives no keys from its eFuses", chip)
	case block < 0 || block > 5:
		return nil, fmt.Errorf("eFuse block %d: want 0 to 5, for KEY0 to KEY5", block)
	}
	options = append(options, choose(keySchemes, keySchemes[0])...)
	return append(options, kconfig.Assignment{Name: "NVS_SEC_HMAC_EFUSE_KEY_ID", Value: kconfig.Int(int64(block))}), nil
}
