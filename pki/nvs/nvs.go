// Package nvs reads and writes partitions of ESP-IDF's non-volatile storage,
// format version 2: the form that a board's credential takes on its flash. What
// Build writes, the vendor's library mounts as it is.
//
// # The partition
//
// A partition is a row of pages of 4096 bytes, a page 126 entries of 32 bytes
// behind a header. All integers are little-endian, all unused bytes ff. This is
// the beginning of one that holds loader/port, a u16, and loader/serial, a
// string:
//
//	0000  fe ff ff ff              state: fffffffe active, fffffffc full
//	0004  00 00 00 00              sequence number of the page
//	0008  fe ff ff …               format version 2, ff up to the checksum
//	001c  84 2d ba b9              checksum of 0004 … 001b
//	0020  aa ff ff …               256 bits: the state of each entry
//	0040  00 01 01 ff 5e be 7f fa  namespace 0, u8, 1 entry, no chunk; checksum
//	0048  6c 6f 61 64 65 72 00 …   its name, "loader"
//	0058  01 ff ff …               loader is namespace 1
//	0060  01 02 01 ff 0c ad 37 1b  namespace 1, u16, 1 entry, no chunk; checksum
//	0068  70 6f 72 74 00 …         "port"
//	0078  bb 1f ff ff …            8123
//	0080  01 21 02 ff 7f be 2b 71  namespace 1, string, 2 entries; checksum
//	0088  73 65 72 69 61 6c 00 …   "serial"
//	0098  09 00 ff ff 96 21 f3 2d  9 bytes, and their checksum
//	00a0  44 2d 30 30 30 30 34 32  "D-000042", NUL, ff up to the next entry
//
// Entry i has the two bits 2·(i mod 4) of byte 32 + i/4: 11 empty, 10 written,
// 00 erased. A checksum is a CRC-32 with the register preset to 0 in place of
// ff ff ff ff; that of an entry leaves itself out. It finds damage, not malice.
//
//	u8 u16 u32 u64   01 02 04 08   the value, left-aligned
//	i8 i16 i32 i64   11 12 14 18   the same
//	string           21            size with the NUL (2), ff ff, checksum; then the bytes
//	chunk of a blob  42            the same; the fourth byte counts the chunks
//	index of a blob  48            size (4), number of chunks, number of the first
//
// A string lies within one page. A blob is cut where pages end: its chunks, then
// its index, which may be on the next page. Chunks count from 0, or from 0x80
// where a board has written the blob again.
//
// Pages are written in the order of their numbers; the last one is active, those
// before it are full. In a partition of three pages or more one stays empty,
// because a board needs it to tidy up. A smaller one must be marked read-only in
// the partition table, and is used whole.
//
// # Encryption
//
// With encryption, each entry that is not empty is AES-256-XTS of its own, the
// tweak its offset in the partition. Headers and states stay plain, and nothing
// is authenticated. The keys lie in a partition of their own, or derive from an
// HMAC key in the board's eFuses: see Keys.
//
// # Beside the vendor's generator
//
// Build makes the bytes that nvs_partition_gen 0.2.0 makes, with these exceptions:
// a namespace that is opened again gets its own keys and not those of the one
// before; one without keys is not written; a blob never begins with an empty
// chunk at the end of a page; strings may have the 3999 bytes that the format
// allows; keys of the Wi-Fi driver bring no others with them; and a read-only
// image is as long as its partition. The generator's own keys are not random:
// use GenerateKeys.
//
// Whoever reads a plain partition has what it holds. Entries, values and keys
// therefore print without their content, and errors never have any.
package nvs

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"log/slog"
)

// What the format allows.
const (
	maxName       = 15              // bytes of a key or a namespace
	maxNamespaces = 254             // 255 means any
	maxData       = 125 * entrySize // of a string with its NUL, of a chunk
	maxChunks     = 127             // half of what a byte counts: two generations
	maxBlob       = maxChunks * maxData
	maxSize       = 16 << 20 // of a partition that we read or write
)

// The layout of pages.
const (
	pageSize    = 4096
	pageEntries = 126
	firstEntry  = 64
	entrySize   = 32
	version2    = 0xfe
	anyChunk    = 0xff

	stateEmpty   = 0xffffffff
	stateActive  = 0xfffffffe
	stateFull    = 0xfffffffc
	stateErasing = 0xfffffff8

	entryErased  = 0b00
	entryWritten = 0b10
	entryEmpty   = 0b11
)

// An Entry is one value under its name: two namespaces may use the same key.
// Both are 1 to 15 printable ASCII characters. It prints without its value.
type Entry struct {
	Namespace, Key string
	Value          Value
}

// String prints e's name and type: "loader/port u16".
func (e Entry) String() string {
	if e.Value == nil {
		return e.name().String() + " without a value"
	}
	return e.name().String() + " " + e.Value.kind().String()
}

func (e Entry) Format(f fmt.State, _ rune) { io.WriteString(f, e.String()) }
func (e Entry) LogValue() slog.Value       { return slog.StringValue(e.String()) }

// A name is an entry's, as a map's key: as text, a slash in a key could make two
// names one.
type name struct{ namespace, key string }

func (e Entry) name() name { return name{e.Namespace, e.Key} }

func (n name) String() string { return n.namespace + "/" + n.key }

// checkSize says why a partition cannot have that size.
func checkSize(size int) error {
	if size < pageSize || size > maxSize || size%pageSize != 0 {
		return fmt.Errorf("partition of %d bytes: want a multiple of %d, up to %d", size, pageSize, maxSize)
	}
	return nil
}

// checkName says why s cannot be a key or a namespace, without repeating it.
func checkName(what, s string) error {
	if s == "" || len(s) > maxName {
		return fmt.Errorf("%s of %d bytes: want 1 to %d", what, len(s), maxName)
	}
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return fmt.Errorf("%s: byte %d is not printable ASCII", what, i)
		}
	}
	return nil
}

// checksum is that of all parts, one after the other.
func checksum(parts ...[]byte) uint32 {
	sum := ^uint32(0)
	for _, p := range parts {
		sum = crc32.Update(sum, crc32.IEEETable, p)
	}
	return sum
}

// headerSum is the checksum of a page's header, entrySum that of an entry.
func headerSum(page []byte) uint32 { return checksum(page[4:28]) }
func entrySum(entry []byte) uint32 { return checksum(entry[:4], entry[8:entrySize]) }

// slots is the number of entries that n bytes take.
func slots(n int) int { return (n + entrySize - 1) / entrySize }

// entryAt returns the n entries of a page from the i-th on.
func entryAt(page []byte, i, n int) []byte {
	return page[firstEntry+i*entrySize:][:n*entrySize]
}

// entryState returns the two bits of entry i.
func entryState(page []byte, i int) byte { return page[32+i/4] >> (2 * (i % 4)) & 0b11 }

func blank(b []byte) bool {
	for _, c := range b {
		if c != 0xff {
			return false
		}
	}
	return true
}

var le = binary.LittleEndian
