package espimage

import (
	"fmt"

	"github.com/tcpboot/tcpboot/pki/fleet"
)

// Limits is what there is room for in a chip and in the images that it checks.
type Limits struct {
	// Blocks is how many signature blocks of an image the chip looks at under
	// hardware Secure Boot V2. A loader that checks in software looks at block 0
	// alone, on every chip. 0: the chip has no hardware Secure Boot V2.
	Blocks int `json:"blocks"`
	// KeySlots is how many key digests its eFuses hold: each can be revoked, and
	// none is ever free again.
	KeySlots int `json:"key_slots"`
	// SecureVersions is how often secure_version can rise in its life: each time
	// burns an eFuse bit.
	SecureVersions uint32 `json:"secure_versions"`
}

// LimitsOf returns the limits of boards with chip, minRevision the lowest among
// them. Source: ESP-IDF's capabilities of each chip, and the range of
// CONFIG_BOOTLOADER_APP_SEC_VER_SIZE_EFUSE_FIELD.
func LimitsOf(chip fleet.Chip, minRevision uint16) Limits {
	l := Limits{Blocks: 3, KeySlots: 3, SecureVersions: 16}
	switch chip {
	case "esp32":
		l = Limits{Blocks: 1, KeySlots: 1, SecureVersions: 32}
		if minRevision < 300 {
			l.Blocks, l.KeySlots = 0, 0
		}
	case "esp32c2":
		l = Limits{Blocks: 1, KeySlots: 1, SecureVersions: 4}
	case "esp32c5":
		l.SecureVersions = 9
	}
	return l
}

// CheckSecureVersion refuses an image whose secure_version no eFuse of the chip can
// reach.
func (im *Image) CheckSecureVersion() error {
	if most := LimitsOf(im.Chip, 0).SecureVersions; im.Descriptor.SecureVersion > most {
		return fmt.Errorf("descriptor at offset 36: secure_version %d, %s counts to %d", im.Descriptor.SecureVersion, im.Chip, most)
	}
	return nil
}

// Unsafe says why the vendor calls a scheme unsafe on a chip; nil when it does not.
// It is about hardware Secure Boot: software that checks a signature is not
// affected.
func Unsafe(chip fleet.Chip, scheme Scheme) error {
	if scheme != P256 && scheme != P384 {
		return nil
	}
	switch chip {
	case "esp32c5", "esp32c61", "esp32h2", "esp32p4":
		return fmt.Errorf("%s: ESP-IDF marks Secure Boot by ECDSA (%s) as insecure on this chip, from 5.5.5 and 6.0.2 on; a loader that checks signatures in software is not affected", chip, scheme)
	}
	return nil
}
