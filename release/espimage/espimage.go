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
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/tcpboot/tcpboot/pki/fleet"
)

// Sizes and bounds of the format.
const (
	headerSize     = 24
	segmentHeader  = 8
	maxSegments    = 16
	maxSegment     = 16 << 20 // exclusive; some newer chips would take more
	descriptorSize = 256
	sectorSize     = 4096

	magic          = 0xe9
	checksumSeed   = 0xef
	hashFlagOffset = 23
)

var le = binary.LittleEndian

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
}

// A Segment is a part of an image, loaded or mapped at Address. Nothing is
// loaded at address 0, which marks padding.
type Segment struct {
	Address uint32
	Offset  int // of the data, in the file
	Length  int
}

// Parse reads the image at the start of file and checks its structure, its
// checksum and its hash. What follows the image is not looked at. An error
// names the field and its offset.
func Parse(file []byte) (*Image, error) {
	im, err := parseHeader(file)
	if err != nil {
		return nil, err
	}
	end, err := im.parseSegments(file, int(file[1]))
	if err != nil {
		return nil, err
	}
	if err := im.parseEnd(file, end); err != nil {
		return nil, err
	}
	im.App, im.Descriptor = parseDescriptor(file, im.Segments[0])
	return im, nil
}

func parseHeader(file []byte) (*Image, error) {
	if len(file) < headerSize {
		return nil, fmt.Errorf("header: file of %d bytes is shorter than %d", len(file), headerSize)
	}
	chip, known := fleet.ChipByID(le.Uint16(file[12:]))
	switch n, flag := file[1], file[hashFlagOffset]; {
	case file[0] != magic:
		return nil, fmt.Errorf("header at offset 0: magic %#02x, want %#02x: not an ESP32 image", file[0], magic)
	case n < 1 || n > maxSegments:
		return nil, fmt.Errorf("header at offset 1: %d segments, want 1 to %d", n, maxSegments)
	case !known:
		return nil, fmt.Errorf("header at offset 12: unknown chip id %#04x", le.Uint16(file[12:]))
	case flag > 1:
		return nil, fmt.Errorf("header at offset %d: hash flag %d, want 0 or 1", hashFlagOffset, flag)
	}
	return &Image{
		Chip:        chip,
		Entry:       le.Uint32(file[4:]),
		MinRevision: le.Uint16(file[15:]),
		MaxRevision: le.Uint16(file[17:]),
	}, nil
}

// parseSegments walks count segments and returns the offset after the last.
func (im *Image) parseSegments(file []byte, count int) (end int, err error) {
	end = headerSize
	for i := range count {
		s, err := parseSegment(file, end)
		if err != nil {
			return 0, fmt.Errorf("segment %d at offset %#x: %w", i, end, err)
		}
		im.Segments = append(im.Segments, s)
		end = s.Offset + s.Length
	}
	return end, nil
}

func parseSegment(file []byte, at int) (Segment, error) {
	if len(file)-at < segmentHeader {
		return Segment{}, fmt.Errorf("header runs past the end of the image")
	}
	s := Segment{Address: le.Uint32(file[at:]), Offset: at + segmentHeader}
	length := le.Uint32(file[at+4:])
	switch {
	case length >= maxSegment:
		return Segment{}, fmt.Errorf("length %d is not below %d", length, maxSegment)
	case length%4 != 0:
		return Segment{}, fmt.Errorf("length %d is not a multiple of 4", length)
	case int(length) > len(file)-s.Offset:
		return Segment{}, fmt.Errorf("length %d runs past the end of the image", length)
	}
	s.Length = int(length)
	return s, nil
}

// parseEnd checks the checksum and the hash behind the segments, which end at
// end.
func (im *Image) parseEnd(file []byte, end int) error {
	at := end | 15
	if at >= len(file) {
		return fmt.Errorf("checksum at offset %#x: past the end of the file", at)
	}
	im.Checksum, im.Length = file[at], at+1
	if sum := im.checksum(file); sum != im.Checksum {
		return fmt.Errorf("checksum at offset %#x: %#02x, want %#02x", at, im.Checksum, sum)
	}
	if file[hashFlagOffset] == 0 {
		return nil
	}
	if len(file)-im.Length < sha256.Size {
		return fmt.Errorf("hash at offset %#x: past the end of the file", im.Length)
	}
	im.Hash = fleet.Digest(file[im.Length:])
	if sum := fleet.Sum(file[:im.Length]); sum != im.Hash {
		return fmt.Errorf("hash at offset %#x: %s, want %s", im.Length, im.Hash.Hex(), sum.Hex())
	}
	im.Length += sha256.Size
	return nil
}

func (im *Image) checksum(file []byte) byte {
	sum := byte(checksumSeed)
	for _, s := range im.Segments {
		for _, b := range file[s.Offset : s.Offset+s.Length] {
			sum ^= b
		}
	}
	return sum
}

// revision prints a revision as people write it: 3.0 for 300.
func revision(n uint16) string { return fmt.Sprintf("%d.%d", n/100, n%100) }

// align returns n rounded up to a multiple of the sector size.
func align(n int) int { return (n + sectorSize - 1) / sectorSize * sectorSize }
