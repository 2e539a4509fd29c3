package espimage

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"

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
		return Segment{}, errors.New("header runs past the end of the image")
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
	h := sha256.New()
	h.Write(file[:im.Length])
	if sum := fleet.Digest(h.Sum(nil)); sum != im.Hash {
		return fmt.Errorf("hash at offset %#x: %s, want %s", im.Length, im.Hash.Hex(), sum.Hex())
	}
	h.Write(im.Hash[:])
	im.hashed, _ = h.(hash.Cloner) // what is hashed next begins with these megabytes, too
	im.Length += sha256.Size
	return nil
}

func (im *Image) checksum(file []byte) byte {
	var words uint64
	for _, s := range im.Segments {
		data := file[s.Offset:][:s.Length] // of a multiple of 4
		for ; len(data) >= 8; data = data[8:] {
			words ^= le.Uint64(data)
		}
		if len(data) > 0 {
			words ^= uint64(le.Uint32(data))
		}
	}
	word := checksumSeed ^ uint32(words) ^ uint32(words>>32)
	word ^= word >> 16
	return byte(word ^ word>>8)
}

// revision prints a revision as people write it: 3.0 for 300.
func revision(n uint16) string { return fmt.Sprintf("%d.%d", n/100, n%100) }

// align returns n rounded up to a multiple of the sector size.
func align(n int) int { return (n + sectorSize - 1) / sectorSize * sectorSize }
