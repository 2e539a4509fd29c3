package partition

import (
	"bytes"
	"crypto/md5" // the format's; it guards against damage only
	"encoding/binary"
	"errors"
	"fmt"
)

const (
	rowSize    = 32
	nameSize   = 16
	binarySize = 0xc00
	maxEntries = binarySize/rowSize - 2 // the MD5 and the last row

	flagEncrypted, flagReadOnly = 1, 2
)

var (
	le         = binary.LittleEndian
	entryMagic = []byte{0xaa, 0x50}
	md5Magic   = append([]byte{0xeb, 0xeb}, bytes.Repeat([]byte{0xff}, 14)...)
	lastRow    = bytes.Repeat([]byte{0xff}, rowSize)
)

// Binary returns t as a board reads it, 3072 bytes. It does not Check t.
func (t Table) Binary() ([]byte, error) {
	if len(t) > maxEntries {
		return nil, fmt.Errorf("%d partitions: a table holds %d", len(t), maxEntries)
	}
	b := make([]byte, 0, binarySize)
	for i, e := range t {
		if err := e.valid(); err != nil {
			return nil, fmt.Errorf("entry %d: %w", i, err)
		}
		b = e.append(b)
	}
	sum := md5.Sum(b)
	b = append(append(b, md5Magic...), sum[:]...)
	return append(b, bytes.Repeat([]byte{0xff}, binarySize-len(b))...), nil
}

func (e Entry) append(b []byte) []byte {
	var name [nameSize]byte
	copy(name[:], e.Name)
	var flags uint32
	if e.Encrypted {
		flags |= flagEncrypted
	}
	if e.ReadOnly {
		flags |= flagReadOnly
	}
	b = append(append(b, entryMagic...), e.Kind.Type(), e.Kind.Subtype())
	b = le.AppendUint32(b, e.Offset)
	b = le.AppendUint32(b, e.Size)
	return le.AppendUint32(append(b, name[:]...), flags)
}

// Parse reads a table as a board does: 3072 bytes, or the 4096 of its sector.
// It demands a right MD5 where there is one, and nothing but 0xff after the
// last row. It does not Check the table.
func Parse(b []byte) (Table, error) {
	if len(b) != binarySize && len(b) != sector {
		return nil, fmt.Errorf("partition table of %d bytes, want %d or %d", len(b), binarySize, sector)
	}
	var t Table
	sealed := false
	for at := 0; at < binarySize; at += rowSize {
		row := b[at : at+rowSize]
		switch {
		case bytes.Equal(row, lastRow):
			return t, checkBlank(b[at:])
		case sealed:
			return nil, fmt.Errorf("row at offset %#x: follows the MD5", at)
		case bytes.HasPrefix(row, md5Magic):
			if sum := md5.Sum(b[:at]); !bytes.Equal(row[len(md5Magic):], sum[:]) {
				return nil, fmt.Errorf("MD5 at offset %#x: %x, want %x", at, row[len(md5Magic):], sum)
			}
			sealed = true
		default:
			e, err := parseRow(row)
			if err != nil {
				return nil, fmt.Errorf("row at offset %#x: %w", at, err)
			}
			t = append(t, e)
		}
	}
	return nil, errors.New("partition table: the last row of 0xff is missing")
}

func checkBlank(b []byte) error {
	if bytes.Count(b, lastRow[:1]) != len(b) {
		return errors.New("partition table: something follows its last row")
	}
	return nil
}

func parseRow(row []byte) (Entry, error) {
	if !bytes.HasPrefix(row, entryMagic) {
		return Entry{}, fmt.Errorf("magic % x, want % x", row[:2], entryMagic)
	}
	name, padding, _ := bytes.Cut(row[12:28], []byte{0})
	flags := le.Uint32(row[28:])
	e := Entry{
		Name:      string(name),
		Kind:      Kind(row[2])<<8 | Kind(row[3]),
		Offset:    le.Uint32(row[4:]),
		Size:      le.Uint32(row[8:]),
		Encrypted: flags&flagEncrypted != 0,
		ReadOnly:  flags&flagReadOnly != 0,
	}
	if bytes.Count(padding, []byte{0}) != len(padding) {
		return Entry{}, fmt.Errorf("name %q: something follows its end", name)
	}
	if flags&^(flagEncrypted|flagReadOnly) != 0 {
		return Entry{}, fmt.Errorf("unknown flags %#x", flags)
	}
	return e, e.valid()
}
