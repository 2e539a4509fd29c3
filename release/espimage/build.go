package espimage

import (
	"fmt"

	"github.com/tcpboot/tcpboot/pki/fleet"
)

// A Spec describes a stand-in for an application: well formed to every reader,
// but no program. Demonstrations and tests release it.
type Spec struct {
	Chip                     fleet.Chip
	MinRevision, MaxRevision uint16
	Project, Version, IDF    string // cut to 31 bytes, as ESP-IDF does
	SecureVersion            uint32
	Size                     int // of the image; rounded up to a multiple of 16, and to MinSize
}

// MinSize is the size of the smallest image that Build makes.
const MinSize = headerSize + segmentHeader + descriptorSize + segmentHeader + codeSize + 8 + 32

const codeSize = 64

// Build makes an image with two segments, of which all but header and
// descriptor is noise. Equal specs give equal bytes; another version or project
// changes nearly all of them. It panics where s.Chip is no chip or a segment
// would reach 16 MiB.
func Build(s Spec) []byte {
	id, known := s.Chip.ID()
	size := max(MinSize, (s.Size+15)&^15)
	constants := descriptorSize + size - MinSize
	if !known || constants >= maxSegment {
		panic(fmt.Sprintf("espimage.Build: chip %q, %d bytes", s.Chip, s.Size))
	}
	seed := fmt.Sprintf("%s\x00%s\x00%s", s.Chip, cut(s.Project), cut(s.Version))
	filler := noise(seed, constants-descriptorSize+codeSize)

	b := make([]byte, headerSize, size)
	b[0], b[1], b[2], b[3] = magic, 2, 2, 0x2f // two segments; DIO, 4 MB
	b[8] = 0xee                                // no write-protect pin
	b[hashFlagOffset] = 1
	le.PutUint16(b[12:], id)
	le.PutUint16(b[15:], s.MinRevision)
	le.PutUint16(b[17:], s.MaxRevision)

	// An address is the window's start plus the offset in the file, so that
	// both lie equally far into a page and no two segments overlap.
	flash := windows[s.Chip]
	b = appendSegment(b, flash[0].low, append(s.descriptor(seed).encode(), filler[codeSize:]...))
	le.PutUint32(b[4:], flash[len(flash)-1].low+uint32(len(b)+segmentHeader))
	b = appendSegment(b, flash[len(flash)-1].low, filler[:codeSize])

	return appendEnd(b)
}

func (s Spec) descriptor(seed string) Descriptor {
	return Descriptor{
		Version: cut(s.Version), Project: cut(s.Project), IDF: cut(s.IDF),
		SecureVersion: s.SecureVersion,
		ELF:           fleet.Sum([]byte(seed)), // there is no ELF file; its place is taken
		PageBits:      defaultPageBits,
	}
}

func appendSegment(b []byte, window uint32, data []byte) []byte {
	b = le.AppendUint32(b, window+uint32(len(b)+segmentHeader))
	b = le.AppendUint32(b, uint32(len(data)))
	return append(b, data...)
}

// appendEnd adds checksum and hash to a header and its segments.
func appendEnd(b []byte) []byte {
	var im Image
	end, err := im.parseSegments(b, int(b[1]))
	if err != nil {
		panic("espimage.Build: " + err.Error())
	}
	b = append(b, make([]byte, end|15-end)...)
	b = append(b, im.checksum(b))
	hash := fleet.Sum(b)
	return append(b, hash[:]...)
}

// noise returns n bytes that depend on seed alone.
func noise(seed string, n int) []byte {
	b := make([]byte, 0, n+32)
	for i := uint64(0); len(b) < n; i++ {
		block := fleet.Sum(le.AppendUint64([]byte(seed), i))
		b = append(b, block[:]...)
	}
	return b[:n]
}

func cut(s string) string { return s[:min(len(s), 31)] }
