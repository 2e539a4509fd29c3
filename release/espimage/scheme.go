package espimage

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tcpboot/tcpboot/pki/fleet"
)

// A Scheme is a kind of image signature. The zero Scheme is none.
type Scheme string

// The schemes. All but V1 are Secure Boot V2.
const (
	V1      Scheme = "v1"
	RSA3072 Scheme = "rsa3072"
	P256    Scheme = "p256"
	P384    Scheme = "p384"
)

// support says from which revision on a chip takes a scheme.
type support struct {
	scheme Scheme
	from   uint16
}

// schemes holds what each chip takes, its default first: what ESP-IDF picks
// when it is told only to check signatures on update. ESP-IDF has nothing
// settled for the ESP32-H4. The ESP32-C5's revision 0.0, a sample that cannot
// check RSA, is left out: nobody could tell it from a revision that is not set.
var schemes = map[fleet.Chip][]support{
	"esp32":    {{RSA3072, 300}, {V1, 0}},
	"esp32s2":  {{RSA3072, 0}},
	"esp32s3":  {{RSA3072, 0}},
	"esp32s31": {{RSA3072, 0}},
	"esp32c2":  {{P256, 0}},
	"esp32c3":  {{RSA3072, 0}},
	"esp32c5":  {{RSA3072, 0}, {P256, 0}, {P384, 0}},
	"esp32c6":  {{RSA3072, 0}, {P256, 0}},
	"esp32c61": {{P256, 0}},
	"esp32h2":  {{RSA3072, 0}, {P256, 0}},
	"esp32h21": {{RSA3072, 0}},
	"esp32p4":  {{RSA3072, 0}, {P256, 0}, {P384, 300}},
}

// SchemeFor returns the scheme that boards with chip take by default, where
// minRevision (100·major + minor) is the lowest revision among them.
func SchemeFor(chip fleet.Chip, minRevision uint16) (Scheme, error) {
	for _, s := range schemes[chip] {
		if minRevision >= s.from {
			return s.scheme, nil
		}
	}
	return "", fmt.Errorf("%s: ESP-IDF has no signature scheme for it", chip)
}

// Allowed says why boards with chip, minRevision the lowest among them, cannot
// check a signature of scheme; nil when they can.
func Allowed(chip fleet.Chip, minRevision uint16, scheme Scheme) error {
	if !slices.Contains([]Scheme{V1, RSA3072, P256, P384}, scheme) {
		return fmt.Errorf("signature scheme %q: want v1, rsa3072, p256 or p384", scheme)
	}
	var others []string
	for _, s := range schemes[chip] {
		switch {
		case s.scheme != scheme:
			others = append(others, string(s.scheme))
		case minRevision < s.from:
			return fmt.Errorf("%s: takes %s from revision %s on, and there are boards of revision %s",
				chip, scheme, revision(s.from), revision(minRevision))
		default:
			return nil
		}
	}
	if others == nil {
		return fmt.Errorf("%s: ESP-IDF has no signature scheme for it", chip)
	}
	return fmt.Errorf("%s: takes %s, not %s", chip, strings.Join(others, ", "), scheme)
}

// SignedSize returns the size of a file that holds an image of imageLen bytes
// (Image.Length) and its signatures: what a partition must have room for.
func SignedSize(imageLen int, scheme Scheme) int {
	if scheme == V1 {
		return imageLen + sizeV1
	}
	return align(imageLen) + sectorSize
}
