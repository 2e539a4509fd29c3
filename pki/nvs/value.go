package nvs

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// A Value is what an entry holds: a U8, I8, U16, I16, U32, I32, U64, I64, String
// or Blob, not a pointer to one.
type Value interface{ kind() kind }

// The numbers, as the board's program asks for them: a U16 is not found as a U32.
type (
	U8  uint8
	I8  int8
	U16 uint16
	I16 int16
	U32 uint32
	I32 int32
	U64 uint64
	I64 int64
)

// A String has up to 3999 bytes, none of them NUL. It prints as its length;
// convert it to read it.
type String string

// A Blob has up to 508000 bytes. It prints as its length; convert it to read it.
type Blob []byte

// A kind is the type of an entry on flash. The low digit of a number's is its
// width in bytes.
type kind uint8

const (
	kindU8     kind = 0x01
	kindI8     kind = 0x11
	kindU16    kind = 0x02
	kindI16    kind = 0x12
	kindU32    kind = 0x04
	kindI32    kind = 0x14
	kindU64    kind = 0x08
	kindI64    kind = 0x18
	kindString kind = 0x21
	kindChunk  kind = 0x42
	kindIndex  kind = 0x48 // stands for the blob as a whole
)

func (U8) kind() kind     { return kindU8 }
func (I8) kind() kind     { return kindI8 }
func (U16) kind() kind    { return kindU16 }
func (I16) kind() kind    { return kindI16 }
func (U32) kind() kind    { return kindU32 }
func (I32) kind() kind    { return kindI32 }
func (U64) kind() kind    { return kindU64 }
func (I64) kind() kind    { return kindI64 }
func (String) kind() kind { return kindString }
func (Blob) kind() kind   { return kindIndex }

// numbers holds the number types: their names, which are also the vendor's, and
// how a number of that type is made of the low bits.
var numbers = map[kind]struct {
	name string
	from func(bits uint64) Value
}{
	kindU8:  {"u8", func(n uint64) Value { return U8(n) }},
	kindI8:  {"i8", func(n uint64) Value { return I8(n) }},
	kindU16: {"u16", func(n uint64) Value { return U16(n) }},
	kindI16: {"i16", func(n uint64) Value { return I16(n) }},
	kindU32: {"u32", func(n uint64) Value { return U32(n) }},
	kindI32: {"i32", func(n uint64) Value { return I32(n) }},
	kindU64: {"u64", func(n uint64) Value { return U64(n) }},
	kindI64: {"i64", func(n uint64) Value { return I64(n) }},
}

func (k kind) width() int   { return int(k & 0x0f) }
func (k kind) signed() bool { return k&0x10 != 0 }

// String prints the word for k: "u8", "string", "blob".
func (k kind) String() string {
	switch n, ok := numbers[k]; {
	case ok:
		return n.name
	case k == kindString:
		return "string"
	case k == kindIndex:
		return "blob"
	}
	return fmt.Sprintf("type %#02x", uint8(k))
}

// String prints the length of s, not s.
func (s String) String() string             { return fmt.Sprintf("string of %d bytes", len(s)) }
func (s String) Format(f fmt.State, _ rune) { io.WriteString(f, s.String()) }
func (s String) LogValue() slog.Value       { return slog.StringValue(s.String()) }

// String prints the length of b, not b.
func (b Blob) String() string             { return fmt.Sprintf("blob of %d bytes", len(b)) }
func (b Blob) Format(f fmt.State, _ rune) { io.WriteString(f, b.String()) }
func (b Blob) LogValue() slog.Value       { return slog.StringValue(b.String()) }

// checkValue says why v cannot be stored.
func checkValue(v Value) error {
	switch v := v.(type) {
	case U8, I8, U16, I16, U32, I32, U64, I64:
		return nil
	case String:
		if len(v) >= maxData {
			return fmt.Errorf("string of %d bytes: at most %d", len(v), maxData-1)
		}
		if strings.ContainsRune(string(v), 0) {
			return errors.New("string: holds a NUL, where a board would end it")
		}
		return nil
	case Blob:
		if len(v) > maxBlob {
			return fmt.Errorf("blob of %d bytes: at most %d", len(v), maxBlob)
		}
		return nil
	case nil:
		return errors.New("no value")
	}
	return fmt.Errorf("value of type %T: want the type itself", v)
}
