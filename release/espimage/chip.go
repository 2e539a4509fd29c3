package espimage

import "github.com/tcpboot/tcpboot/pki/fleet"

// A window is a range of addresses behind which a chip maps its flash.
type window struct{ low, high uint32 } // high is exclusive

// windows holds where each chip maps flash: constants first, code last, the
// same where there is one window for both. Source: esptool's chip targets.
var windows = map[fleet.Chip][]window{
	"esp32":    {{0x3f400000, 0x3f800000}, {0x400d0000, 0x40400000}},
	"esp32s2":  {{0x3f000000, 0x3f3f0000}, {0x40080000, 0x40b80000}},
	"esp32s3":  {{0x3c000000, 0x3e000000}, {0x42000000, 0x44000000}},
	"esp32c2":  {{0x3c000000, 0x3c400000}, {0x42000000, 0x42400000}},
	"esp32c3":  {{0x3c000000, 0x3c800000}, {0x42000000, 0x42800000}},
	"esp32c5":  {{0x42000000, 0x44000000}},
	"esp32c6":  {{0x42000000, 0x43000000}},
	"esp32c61": {{0x42000000, 0x44000000}},
	"esp32h2":  {{0x42000000, 0x43000000}},
	"esp32h21": {{0x42000000, 0x43000000}},
	"esp32h4":  {{0x42000000, 0x44000000}},
	"esp32p4":  {{0x40000000, 0x4c000000}},
	"esp32s31": {{0x40000000, 0x54000000}},
}

// mapped reports whether chip maps address rather than loading it.
func mapped(chip fleet.Chip, address uint32) bool {
	for _, w := range windows[chip] {
		if address >= w.low && address < w.high {
			return true
		}
	}
	return false
}
