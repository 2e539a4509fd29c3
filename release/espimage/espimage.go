// Package espimage reads, checks and signs the application images of the ESP32
// family. It decides nothing about releases: it says what an image is, whether
// it may be released at all, and whose signature is on it.
//
// # The image
//
// Integers are little-endian. A header of 24 bytes is followed by its segments,
// each a load address, a length and that many bytes:
//
//	 0  e9 03 02 2f            magic; 3 segments; SPI mode; SPI speed, flash size
//	 4  2c 01 08 40            entry point
//	 8  ee 00 00 00            SPI pins
//	12  05 00                  chip id: ESP32-C3
//	14  03                     minimum revision, old form, which nothing reads
//	15  03 00 c7 00            minimum revision 0.3, maximum 1.99 (100·major + minor)
//	19  00 00 00 00 01         reserved; 1: a SHA-256 is appended
//	24  20 00 00 3c 2c 02 00 00  segment 0: 0x22c bytes for address 0x3c000020
//	32  32 54 cd ab …          its data: an application begins with its descriptor
//
// After the last segment come zeros up to the last byte of a block of 16, which
// holds the checksum: 0xef and all segment data, combined by exclusive or. Then
// comes the SHA-256 of everything before it. There the image ends, whatever the
// length of the file: Image.Length. A chip finds this end by the same walk.
//
// # The signatures
//
// Secure Boot V2 (Sign, Verify): the image is filled with 0xff to a multiple of
// 4096, S, and a sector of 4096 bytes follows. The sector has room for three
// blocks of 1216 bytes, and is 0xff elsewhere. A block is
//
//	e7 scheme hash 00          scheme 2: RSA-3072, 3: ECDSA; hash 0: SHA-256, 1: SHA-384
//	digest                     of the file's first S bytes
//	key                        the public key; its SHA-256 is what a chip trusts
//	signature                  over the digest
//	zeros to 1196, CRC-32 of what precedes, 16 zeros
//
// where a key is n, e, R = 2^6144 mod n and M' = -1/n mod 2^32 for RSA, and curve
// id, x, y for ECDSA; every number is little-endian. RSA signs by PSS with a salt
// of 32 bytes. A chip with hardware Secure Boot looks at all three blocks; a
// board that checks updates in software looks at block 0 alone, and trusts the
// key that signed block 0 of the program it is running (Trust).
//
// Secure Boot V1 (SignV1, VerifyV1), on the ESP32 only: 68 bytes right after the
// image, a zero word and r and s, big-endian, of an ECDSA P-256 signature over
// SHA-256 of the image. It names no key: the board has it compiled in.
package espimage

import (
	"hash"

	"github.com/tcpboot/tcpboot/pki/fleet"
)

// An Image is what Parse found at the start of a file.
type Image struct {
	Chip fleet.Chip

	// Revisions of the chip that run the image, 100·major + minor. A
	// MaxRevision of 0 or 65535 is no limit.
	MinRevision, MaxRevision uint16

	Entry    uint32 // address at which the program starts
	Segments []Segment
	Checksum byte
	Hash     fleet.Digest // the appended SHA-256; zero: none is appended

	// App says that the image is an application: it has a Descriptor. A
	// bootloader has none.
	App        bool
	Descriptor Descriptor

	Length int // bytes of the file that are the image

	content []byte      // these bytes, where CheckRelease has found them fit to be signed
	hashed  hash.Cloner // SHA-256, which has read them
}

// A Segment is a part of an image, loaded or mapped at Address. Nothing is
// loaded at address 0, which marks padding.
type Segment struct {
	Address uint32
	Offset  int // of the data, in the file
	Length  int
}
