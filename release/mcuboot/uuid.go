package mcuboot

import (
	"crypto/sha1" // RFC 9562's, for names
	"encoding/hex"
	"strings"
)

// A UUID names the vendor of a device, or its class.
type UUID [16]byte

// nameSpaceDNS is RFC 9562's, for domain names.
var nameSpaceDNS = UUID{0x6b, 0xa7, 0xb8, 0x10, 0x9d, 0xad, 0x11, 0xd1, 0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8}

// VendorID returns the UUID that s is, or else that of the domain name s.
func VendorID(s string) UUID { return parseOrName(s, nameSpaceDNS) }

// ClassID returns the UUID that s is, or else that of a device class called s by
// the vendor.
func ClassID(s string, vendor UUID) UUID { return parseOrName(s, vendor) }

func parseOrName(s string, space UUID) UUID {
	if u, ok := parseUUID(s); ok {
		return u
	}
	h := sha1.Sum(append(space[:], s...))
	u := UUID(h[:16])
	u[6], u[8] = u[6]&0x0f|5<<4, u[8]&0x3f|0x80
	return u
}

// parseUUID reads 8-4-4-4-12 hex digits.
func parseUUID(s string) (u UUID, ok bool) {
	parts := strings.Split(s, "-")
	if len(parts) != 5 || len(s) != 36 {
		return u, false
	}
	for i, n := range []int{8, 4, 4, 4, 12} {
		if len(parts[i]) != n {
			return u, false
		}
	}
	n, err := hex.Decode(u[:], []byte(strings.Join(parts, "")))
	return u, err == nil && n == len(u)
}
