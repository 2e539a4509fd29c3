// Package intelhex reads and writes Intel HEX, the text form of memory that
// programmers take: some bytes here, some there, each at its address.
//
// A line is a record, in hex digits:
//
//	:02 0000 04 0801 F1                    the upper half of addresses from here on: 0x0801
//	:10 0000 00 3DB8F3960000…130000 D4     sixteen bytes at 0x08010000
//	:00 0000 01 FF                         the end
//	  │  │    │  └ data            └ makes the sum of all bytes zero
//	  │  │    └ type
//	  │  └ lower half of the address
//	  └ number of bytes of data
//
// The blanks are for this comment alone. There are more types: 02 states addresses
// in segments of 16 bytes, 03 and 05 where a program starts.
package intelhex

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"slices"
)

// A Chunk is some bytes at an address.
type Chunk struct {
	Address uint32
	Data    []byte
}

// end is the address after c.
func (c Chunk) end() uint64 { return uint64(c.Address) + uint64(len(c.Data)) }

// The types of records.
const (
	typeData         = 0
	typeEnd          = 1
	typeSegment      = 2
	typeStartSegment = 3
	typeUpper        = 4
	typeStart        = 5
)

// sizes are the lengths of data that is no data of a chunk.
var sizes = map[byte]int{typeEnd: 0, typeSegment: 2, typeUpper: 2, typeStartSegment: 4, typeStart: 4}

const (
	lineData   = 16      // bytes of data in a line that we write
	headerSize = 4       // count, address, type
	segment    = 1 << 16 // bytes that one upper half reaches
)

// Parse reads what chunks there are, by address, adjoining ones as one. Text after
// the record of the end, a byte stated twice, and what runs past 4 GiB are errors;
// where the program starts is passed over. An error begins with the line.
func Parse(text []byte) ([]Chunk, error) {
	var p parser
	number := 0
	for line := range bytes.Lines(text) {
		number++
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			continue
		}
		if err := p.line(line); err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
	}
	if !p.ended {
		return nil, errors.New("the record that ends the file is missing")
	}
	return join(p.chunks)
}

type parser struct {
	base   uint32 // of addresses
	ended  bool
	chunks []Chunk
}

func (p *parser) line(line []byte) error {
	if p.ended {
		return errors.New("follows the record that ends the file")
	}
	record, err := decode(line)
	if err != nil {
		return err
	}
	address, kind, data := binary.BigEndian.Uint16(record[1:]), record[3], record[headerSize:]
	switch {
	case kind == typeData:
		return p.data(address, data)
	case kind > typeStart:
		return fmt.Errorf("record of unknown type %d", kind)
	case len(data) != sizes[kind]:
		return fmt.Errorf("record of type %d with %d bytes, want %d", kind, len(data), sizes[kind])
	case kind == typeUpper:
		p.base = uint32(binary.BigEndian.Uint16(data)) << 16
	case kind == typeSegment:
		p.base = uint32(binary.BigEndian.Uint16(data)) << 4
	}
	p.ended = kind == typeEnd
	return nil
}

// decode returns a record without its checksum.
func decode(line []byte) ([]byte, error) {
	if line[0] != ':' {
		return nil, errors.New("a record begins with ':'")
	}
	b, err := hex.DecodeString(string(line[1:]))
	switch {
	case err != nil:
		return nil, errors.New("not an even number of hex digits after ':'")
	case len(b) < headerSize+1 || len(b) != headerSize+1+int(b[0]):
		return nil, fmt.Errorf("record of %d bytes: they are not as many as its first says", len(b))
	case sum(b) != 0:
		return nil, errors.New("checksum is wrong")
	}
	return b[:len(b)-1], nil
}

func (p *parser) data(address uint16, data []byte) error {
	c := Chunk{p.base + uint32(address), data}
	if uint64(p.base)+uint64(address)+uint64(len(data)) > math.MaxUint32+1 {
		return errors.New("runs past the end of the addresses")
	}
	if n := len(p.chunks); n > 0 && p.chunks[n-1].end() == uint64(c.Address) {
		p.chunks[n-1].Data = append(p.chunks[n-1].Data, data...)
		return nil
	}
	if len(data) > 0 {
		p.chunks = append(p.chunks, c)
	}
	return nil
}

func sum(b []byte) (s byte) {
	for _, n := range b {
		s += n
	}
	return s
}

// join returns chunks by address, adjoining ones as one.
func join(chunks []Chunk) ([]Chunk, error) {
	chunks = slices.Clone(chunks)
	slices.SortStableFunc(chunks, func(a, b Chunk) int { return cmp.Compare(a.Address, b.Address) })
	var joined []Chunk
	for _, c := range chunks {
		n := len(joined)
		switch {
		case n > 0 && joined[n-1].end() > uint64(c.Address):
			return nil, fmt.Errorf("address %#x: stated twice", c.Address)
		case n > 0 && joined[n-1].end() == uint64(c.Address):
			joined[n-1].Data = slices.Concat(joined[n-1].Data, c.Data)
		default:
			joined = append(joined, c)
		}
	}
	return joined, nil
}

// Encode writes chunks, which must not overlap, nor run past 4 GiB.
func Encode(chunks ...Chunk) ([]byte, error) {
	joined, err := join(chunks)
	if err != nil {
		return nil, err
	}
	var b []byte
	upper := uint32(0)
	for _, c := range joined {
		if c.end() > math.MaxUint32+1 {
			return nil, fmt.Errorf("address %#x: %d bytes run past the end of the addresses", c.Address, len(c.Data))
		}
		for at, rest := c.Address, c.Data; len(rest) > 0; {
			if at>>16 != upper {
				upper = at >> 16
				b = record(b, 0, typeUpper, binary.BigEndian.AppendUint16(nil, uint16(upper)))
			}
			n := min(lineData, len(rest), segment-int(at%segment))
			b = record(b, uint16(at), typeData, rest[:n])
			at, rest = at+uint32(n), rest[n:]
		}
	}
	return record(b, 0, typeEnd, nil), nil
}

func record(b []byte, address uint16, kind byte, data []byte) []byte {
	r := append([]byte{byte(len(data)), byte(address >> 8), byte(address), kind}, data...)
	return fmt.Appendf(b, ":%X\n", append(r, -sum(r)))
}

// Flat returns chunks as one piece of memory from the lowest address on, at most
// limit bytes of it, with fill where nothing is stated.
func Flat(chunks []Chunk, fill byte, limit int) (address uint32, data []byte, err error) {
	chunks, err = join(chunks)
	if err != nil || len(chunks) == 0 {
		return 0, nil, err
	}
	address = chunks[0].Address
	size := chunks[len(chunks)-1].end() - uint64(address)
	if size > uint64(limit) {
		return 0, nil, fmt.Errorf("addresses from %#x over %d bytes: want at most %d", address, size, limit)
	}
	data = bytes.Repeat([]byte{fill}, int(size))
	for _, c := range chunks {
		copy(data[c.Address-address:], c.Data)
	}
	return address, data, nil
}
