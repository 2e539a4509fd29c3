package partition

import (
	"fmt"
	"strings"
)

// A Kind is what a partition is for: its type in the upper byte, its subtype in
// the lower one. It prints as "app/ota_0"; what has no name prints in numbers.
type Kind uint16

// The kinds that a boot loader and an update deal with.
const (
	Factory  Kind = 0x0000 // the app that boots while otadata is erased
	Test     Kind = 0x0020
	OTAData  Kind = 0x0100
	PHY      Kind = 0x0101
	NVS      Kind = 0x0102
	Coredump Kind = 0x0103
	NVSKeys  Kind = 0x0104

	ota0              Kind = 0x0010
	teeOTA            Kind = 0x0190
	primaryBootloader Kind = 0x0200
	primaryTable      Kind = 0x0300
	undefined              = 0x06 // subtype of what states none

	maxSlots = 16
)

// The types, and the first of those that are free for applications.
const (
	typeApp, typeData, typeBoot, typeTable = 0, 1, 2, 3
	typeFree                               = 0x40
)

// OTA returns the kind of the app slot ota_n, n from 0 to 15.
func OTA(n int) Kind { return ota0 + Kind(n) }

// Type is the upper byte of k.
func (k Kind) Type() byte { return byte(k >> 8) }

// Subtype is the lower byte of k.
func (k Kind) Subtype() byte { return byte(k) }

func (k Kind) isSlot() bool { return k >= ota0 && k < ota0+maxSlots }

// primary says that k has its place before the table's end, by the chip and
// not by the table.
func (k Kind) primary() bool { return k == primaryBootloader || k == primaryTable }

func (k Kind) check() error {
	switch t := k.Type(); {
	case t > typeTable && t < typeFree, t == 0xff:
		return fmt.Errorf("type %#02x: want app, data, bootloader, partition_table or 0x40 to 0xfe", t)
	case k.Subtype() == 0xff:
		return fmt.Errorf("subtype 0xff: want 0x00 to 0xfe")
	}
	return nil
}

// String prints k's two names with a slash between them.
func (k Kind) String() string { return k.typeName() + "/" + k.subtypeName() }

func (k Kind) typeName() string {
	for name, t := range typeNames {
		if t == k.Type() {
			return name
		}
	}
	return fmt.Sprintf("%#02x", k.Type())
}

func (k Kind) subtypeName() string {
	for name, s := range subtypeNames[k.Type()] {
		if s == k.Subtype() {
			return name
		}
	}
	return fmt.Sprintf("%#02x", k.Subtype())
}

var typeNames = map[string]byte{
	"app": typeApp, "data": typeData, "bootloader": typeBoot, "partition_table": typeTable,
}

var subtypeNames = map[byte]map[string]byte{
	typeApp: withSlots(map[string]byte{"factory": 0x00, "test": 0x20, "tee_0": 0x30, "tee_1": 0x31}),
	typeData: {
		"ota": 0x00, "phy": 0x01, "nvs": 0x02, "coredump": 0x03, "nvs_keys": 0x04, "efuse": 0x05,
		"undefined": undefined, "esphttpd": 0x80, "fat": 0x81, "spiffs": 0x82, "littlefs": 0x83, "tee_ota": 0x90,
	},
	typeBoot:  {"primary": 0, "ota": 1, "recovery": 2},
	typeTable: {"primary": 0, "ota": 1},
}

func withSlots(names map[string]byte) map[string]byte {
	for n := range maxSlots {
		names[fmt.Sprintf("ota_%d", n)] = OTA(n).Subtype()
	}
	return names
}

// parseKind reads the type and the subtype of a line.
func parseKind(typ, subtype string) (Kind, error) {
	t, err := parseByte("type", typ, typeNames)
	if err != nil {
		return 0, err
	}
	if subtype == "" && t == typeApp {
		return 0, fmt.Errorf("subtype: an app states one: factory, test or ota_0 to ota_15")
	}
	s := byte(undefined)
	if subtype != "" {
		if s, err = parseByte("subtype", subtype, subtypeNames[t]); err != nil {
			return 0, err
		}
	}
	return Kind(t)<<8 | Kind(s), nil
}

// parseByte reads one of names, in either case, or a number.
func parseByte(field, s string, names map[string]byte) (byte, error) {
	if b, ok := names[strings.ToLower(s)]; ok {
		return b, nil
	}
	n, err := parseNumber(s)
	if err != nil || n < 0 || n > 0xff {
		return 0, fmt.Errorf("%s %q: no such %s", field, s, field)
	}
	return byte(n), nil
}
