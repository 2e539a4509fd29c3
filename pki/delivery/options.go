package delivery

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tcpboot/tcpboot/menuconfig/kconfig"
	"github.com/tcpboot/tcpboot/pki/fleet"
)

// VerificationKeyFile is where a loader project that checks V1 signatures has
// the public key: 64 bytes, X and Y.
const VerificationKeyFile = "signature_verification_key.bin"

// A scheme is what one kind of image signature asks of a chip and a build.
type scheme struct {
	member string                // of the choice SECURE_SIGNED_APPS_SCHEME
	from   map[fleet.Chip]uint16 // the chips that take it, from which revision on
	more   []kconfig.Assignment  // further options
}

// members are the choice SECURE_SIGNED_APPS_SCHEME, and keyLengths the choice
// of curves under its last member.
var (
	members    = []string{"SECURE_SIGNED_APPS_ECDSA_SCHEME", "SECURE_SIGNED_APPS_RSA_SCHEME", "SECURE_SIGNED_APPS_ECDSA_V2_SCHEME"}
	keyLengths = []string{"SECURE_BOOT_ECDSA_KEY_LEN_256_BITS", "SECURE_BOOT_ECDSA_KEY_LEN_384_BITS"}
	revisions  = []string{"ESP32_REV_MIN_0", "ESP32_REV_MIN_1", "ESP32_REV_MIN_1_1", "ESP32_REV_MIN_2", "ESP32_REV_MIN_3", "ESP32_REV_MIN_3_1"}
)

// schemes follows ESP-IDF 5.1 to 6.1.
var schemes = map[string]scheme{
	"v1": {
		member: members[0],
		from:   map[fleet.Chip]uint16{"esp32": 0},
		more:   []kconfig.Assignment{{Name: "SECURE_BOOT_VERIFICATION_KEY", Value: kconfig.String(VerificationKeyFile)}},
	},
	"rsa3072": {
		member: members[1],
		from: map[fleet.Chip]uint16{"esp32": 300, "esp32s2": 0, "esp32s3": 0, "esp32s31": 0, "esp32c3": 0,
			"esp32c5": 0, "esp32c6": 0, "esp32h2": 0, "esp32h21": 0, "esp32p4": 0},
	},
	"p256": {
		member: members[2],
		from:   map[fleet.Chip]uint16{"esp32c2": 0, "esp32c5": 0, "esp32c6": 0, "esp32c61": 0, "esp32h2": 0, "esp32p4": 0},
		more:   choose(keyLengths, keyLengths[0]),
	},
	"p384": {
		member: members[2],
		from:   map[fleet.Chip]uint16{"esp32c5": 0, "esp32p4": 300},
		more:   choose(keyLengths, keyLengths[1]),
	},
}

// LoaderOptions returns the options that a loader is built with besides its
// four own, by its level:
//
// 0 is the loader of 2017, as it is. It has none, and checks no signature.
//
// 1 is a loader on a current ESP-IDF that refuses an application which does not
// carry a signature of that scheme ("v1", "rsa3072", "p256", "p384"), without
// hardware Secure Boot. The check is part of esp_ota_end. Signing is not part of
// the build, so that no build machine needs the private key. Whom the loader
// trusts depends on the scheme:
//
//   - v1: the key in VerificationKeyFile, which is compiled in.
//   - the others: whoever signed the loader itself. A loader that is flashed
//     unsigned stops at every start. It must be signed first, by the key that
//     will sign applications.
//
// 2 is our own loader, which refuses them just so.
//
// chip and minRevision (100·major + minor, the lowest among the boards) decide
// which schemes there are; others are refused, because ESP-IDF drops an option
// that does not apply without a word and then checks something else or nothing.
// For an ESP32 with rsa3072 the least revision is among the options. An
// ESP32-P4 with p384 wants its least revision set to 3.0 in the project, and
// p384 an ESP-IDF from 5.5.1 on.
//
// Of each choice all members are returned, the chosen one last, so that
// Overrides sees another one that an existing sdkconfig has chosen.
func LoaderOptions(chip fleet.Chip, minRevision uint16, schemeName string, level int) ([]kconfig.Assignment, error) {
	switch level {
	case 0:
		return nil, nil
	case 1, 2:
	default:
		return nil, fmt.Errorf("loader level %d: want 0, the loader of 2017, 1, signed updates, or 2, ours", level)
	}
	s, err := schemeOf(chip, minRevision, schemeName)
	if err != nil {
		return nil, err
	}
	var options []kconfig.Assignment
	if chip == "esp32" && minRevision >= 300 && schemeName == "rsa3072" {
		options = choose(revisions, revisionOption(minRevision))
	}
	options = append(options, kconfig.Assignment{Name: "SECURE_SIGNED_APPS_NO_SECURE_BOOT", Value: kconfig.Bool(true)})
	options = append(options, choose(members, s.member)...)
	options = append(options,
		kconfig.Assignment{Name: "SECURE_SIGNED_ON_UPDATE_NO_SECURE_BOOT", Value: kconfig.Bool(true)},
		kconfig.Assignment{Name: "SECURE_BOOT_BUILD_SIGNED_BINARIES", Value: kconfig.Bool(false)},
	)
	return append(options, s.more...), nil
}

// schemeOf returns a scheme that every board of that chip, from minRevision on,
// can check.
func schemeOf(chip fleet.Chip, minRevision uint16, name string) (scheme, error) {
	s, ok := schemes[name]
	if !ok {
		return scheme{}, fmt.Errorf("signature scheme %q: want v1, rsa3072, p256 or p384", name)
	}
	from, ok := s.from[chip]
	switch {
	case !ok:
		return scheme{}, fmt.Errorf("%s: ESP-IDF checks no %s signatures there, %s", chip, name, others(chip))
	case minRevision < from:
		return scheme{}, fmt.Errorf("%s: takes %s signatures from revision %d.%d on, and boards may have %d.%d",
			chip, name, from/100, from%100, minRevision/100, minRevision%100)
	}
	return s, nil
}

// others says what a chip takes instead.
func others(chip fleet.Chip) string {
	var names []string
	for name, s := range schemes {
		if _, ok := s.from[chip]; ok {
			names = append(names, name)
		}
	}
	if names == nil {
		return "nor any other"
	}
	slices.Sort(names)
	return "but " + strings.Join(names, ", ")
}

// revisionOption names the ESP32's option for the least revision, 3.0 or above.
func revisionOption(minRevision uint16) string {
	if minRevision > 300 {
		return "ESP32_REV_MIN_3_1"
	}
	return "ESP32_REV_MIN_3"
}

// choose gives every member of a choice its value, the chosen one last: the
// last y is the one that counts.
func choose(choice []string, chosen string) (list []kconfig.Assignment) {
	for _, name := range choice {
		if name != chosen {
			list = append(list, kconfig.Assignment{Name: name, Value: kconfig.Bool(false)})
		}
	}
	return append(list, kconfig.Assignment{Name: chosen, Value: kconfig.Bool(true)})
}
