// Package partition reads and writes the partition tables of ESP-IDF, as people
// write them (CSV) and as boards read them (binary), and otadata, the partition
// that says which slot boots.
//
// # The table as text
//
// A line is an entry; a line that begins with # is a comment:
//
//	# name,  type, subtype, offset,  size,     flags
//	nvs,     data, nvs,     0x9000,  16K,
//	otadata, data, ota,     0xd000,  0x2000,
//	factory, app,  factory, 0x10000, 1M,
//	ota_0,   app,  ota_0,   ,        0x2d0000,
//	storage, data, 0x40,    ,        -4M,      encrypted:readonly
//
// Numbers are decimal or hexadecimal, with K or M for 1024 or 1024². An empty
// offset is the next one free: the first is the table's own plus 0x1000, an app
// begins at a multiple of 64 KiB and anything else at one of 4 KiB. A negative
// size says where the partition ends. The vendor's tool replaces $NAME from the
// environment; here a $ is an error, so that a table means the same everywhere.
//
// # The table as a board reads it
//
// Rows of 32 bytes, integers little-endian:
//
//	 0  aa 50        magic
//	 2  00 10        type, subtype: app, ota_0
//	 4  00 00 11 00  offset
//	 8  00 00 2d 00  size
//	12  6f 74 61 5f 30 00 …  name, 16 bytes
//	28  00 00 00 00  flags: 1 encrypted, 2 read-only
//
// After the entries comes a row eb eb, fourteen ff, and the MD5 of all of them,
// which old tables lack; then a row of ff, and ff up to 3072 bytes. The MD5
// finds damage, not malice: nothing signs a partition table.
package partition

import (
	"fmt"
	"strings"
)

// A Table is a partition table, in the order in which it is written.
type Table []Entry

// An Entry is one partition.
type Entry struct {
	Name                string // 1 to 16 printable ASCII characters
	Kind                Kind
	Offset, Size        uint32
	Encrypted, ReadOnly bool
}

// End returns the offset after e.
func (e Entry) End() uint64 { return uint64(e.Offset) + uint64(e.Size) }

// Find returns the entry with that name.
func (t Table) Find(name string) (Entry, bool) {
	for _, e := range t {
		if e.Name == name {
			return e, true
		}
	}
	return Entry{}, false
}

// FindKind returns the first entry of that kind.
func (t Table) FindKind(k Kind) (Entry, bool) {
	for _, e := range t {
		if e.Kind == k {
			return e, true
		}
	}
	return Entry{}, false
}

// valid says why e cannot be written at all.
func (e Entry) valid() error {
	if err := checkName(e.Name); err != nil {
		return err
	}
	return e.Kind.check()
}

// checkName says why s cannot be written as a name in both forms.
func checkName(s string) error {
	if s == "" || len(s) > nameSize {
		return fmt.Errorf("name %q: want 1 to %d characters; the vendor's tool would cut it", s, nameSize)
	}
	for _, r := range s {
		if r < ' ' || r > '~' || r == ',' || r == '$' {
			return fmt.Errorf("name %q: character %q", s, r)
		}
	}
	if s[0] == '#' || strings.TrimSpace(s) != s {
		return fmt.Errorf("name %q: begins with # or has spaces around it", s)
	}
	return nil
}
