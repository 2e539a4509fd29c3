package fleet

import (
	"fmt"
	"strconv"
	"strings"
)

// EAP is the set of methods by which a board may log in.
type EAP uint8

// The methods. A set without PEAP and TTLS keeps no NT hash.
const (
	TLS EAP = 1 << iota
	PEAP
	TTLS
)

var eapNames = []struct {
	method EAP
	name   string
}{{TLS, "tls"}, {PEAP, "peap"}, {TTLS, "ttls"}}

// ParseEAP reads a comma-separated list of tls, peap and ttls; at least one.
func ParseEAP(s string) (EAP, error) {
	var set EAP
	for word := range strings.SplitSeq(s, ",") {
		m := eapMethod(strings.TrimSpace(word))
		if m == 0 {
			return 0, fmt.Errorf("EAP method %q: want tls, peap, ttls or several with commas", clip(word))
		}
		set |= m
	}
	return set, nil
}

func eapMethod(name string) EAP {
	for _, e := range eapNames {
		if e.name == name {
			return e.method
		}
	}
	return 0
}

// Has reports whether every method of m is in e.
func (e EAP) Has(m EAP) bool { return e&m == m }

// UsesPassword reports whether a method of e proves a password.
func (e EAP) UsesPassword() bool { return e&(PEAP|TTLS) != 0 }

// String prints the methods in the order tls,peap,ttls.
func (e EAP) String() string {
	var names []string
	for _, n := range eapNames {
		if e.Has(n.method) {
			names = append(names, n.name)
		}
	}
	return strings.Join(names, ",")
}

// MarshalText prints e as String does.
func (e EAP) MarshalText() ([]byte, error) { return []byte(e.String()), nil }

// UnmarshalText reads what ParseEAP reads.
func (e *EAP) UnmarshalText(text []byte) (err error) {
	*e, err = ParseEAP(string(text))
	return err
}

// A VLAN is an IEEE 802.1Q VLAN number, 1 … 4094. Zero assigns none.
type VLAN uint16

// ParseVLAN reads a decimal number from 1 to 4094; the empty string is none.
func ParseVLAN(s string) (VLAN, error) {
	if s == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil || n < 1 || n > 4094 || s[0] == '0' || s[0] == '+' {
		return 0, fmt.Errorf("VLAN %q: want a number from 1 to 4094", clip(s))
	}
	return VLAN(n), nil
}

// A Chip is a member of the ESP32 family by its esptool name: "esp32",
// "esp32c3". The zero Chip is unknown: an image header's chip id cannot say so,
// because id 0 is the ESP32.
type Chip string

// chips holds the image header's chip ids. Source: esptool 5.3.1.
var chips = []struct {
	id   uint16
	chip Chip
	wifi bool
}{
	{0x0000, "esp32", true}, {0x0002, "esp32s2", true}, {0x0005, "esp32c3", true},
	{0x0009, "esp32s3", true}, {0x000c, "esp32c2", true}, {0x000d, "esp32c6", true},
	{0x0010, "esp32h2", false}, {0x0012, "esp32p4", false}, {0x0014, "esp32c61", true},
	{0x0017, "esp32c5", true}, {0x0019, "esp32h21", false}, {0x001c, "esp32h4", false},
	{0x0020, "esp32s31", true},
}

// ParseChip reads an esptool chip name, in either case, with or without the
// hyphen: "esp32c3", "ESP32-C3".
func ParseChip(s string) (Chip, error) {
	plain := Chip(strings.ReplaceAll(strings.ToLower(s), "-", ""))
	for _, c := range chips {
		if c.chip == plain {
			return c.chip, nil
		}
	}
	return "", fmt.Errorf("chip %q: want one of %s", clip(s), strings.Join(ChipNames(), ", "))
}

// ChipByID returns the chip with the image header's id.
func ChipByID(id uint16) (Chip, bool) {
	for _, c := range chips {
		if c.id == id {
			return c.chip, true
		}
	}
	return "", false
}

// ID returns the image header's chip id; ok is false for an unknown chip.
func (c Chip) ID() (id uint16, ok bool) {
	for _, e := range chips {
		if e.chip == c {
			return e.id, true
		}
	}
	return 0, false
}

// WiFi reports whether c has a radio of its own.
func (c Chip) WiFi() bool {
	for _, e := range chips {
		if e.chip == c {
			return e.wifi
		}
	}
	return false
}

// ChipNames lists the known chips by id.
func ChipNames() []string {
	names := make([]string, len(chips))
	for i, c := range chips {
		names[i] = string(c.chip)
	}
	return names
}

// CheckName says why s cannot be the name of a hardware, a channel, a site or a
// version: such names stand in file names, URLs, RADIUS files, OCI tags and
// signed documents, so they are kept to letters, digits and ".", "_", "-", not
// first, 63 bytes at most. kind is what the error calls it.
func CheckName(kind, s string) error {
	if s == "" || len(s) > 63 {
		return fmt.Errorf("%s %q: want 1 to 63 characters", kind, clip(s))
	}
	for i, r := range s {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		if !letter && (i == 0 || r != '.' && r != '_' && r != '-') {
			return fmt.Errorf("%s %q: want letters, digits and . _ - and a letter or digit first", kind, clip(s))
		}
	}
	return nil
}

// CheckLabel says why s cannot be a board's name, which people choose freely:
// up to 64 bytes of printable UTF-8 without control characters.
func CheckLabel(s string) error {
	if len(s) > 64 {
		return fmt.Errorf("name %q: longer than 64 bytes", clip(s))
	}
	for _, r := range s {
		if r == '�' || !strconv.IsPrint(r) {
			return fmt.Errorf("name %q: unprintable character %U", clip(s), r)
		}
	}
	return nil
}
