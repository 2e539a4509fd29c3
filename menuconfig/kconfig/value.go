package kconfig

import (
	"fmt"
	"math/big"
	"regexp"
	"strconv"
	"strings"
)

// A Type is what a value looks like in a file.
type Type uint8

// The types. In a file TypeBare is text that is none of the others: a number
// without its 0x, a fraction, nothing at all; in a tree it is that of a symbol
// that was given none. TypeFloat is only in trees: a file's fraction is bare.
const (
	TypeBare Type = iota
	TypeBool
	TypeInt
	TypeHex
	TypeString
	TypeFloat
)

var typeNames = [...]string{"bare", "bool", "int", "hex", "string", "float"}

// String names t: "bare", "bool", "int", "hex", "string", "float".
func (t Type) String() string {
	if int(t) < len(typeNames) {
		return typeNames[t]
	}
	return "type " + strconv.Itoa(int(t))
}

// A Value is one option's value. Text is the string itself without quotes and
// escapes, or else the value as it stands in the file, spelling kept. The zero
// Value is an empty one, as in CONFIG_X= with nothing behind.
type Value struct {
	Type Type
	Text string
}

// Bool returns the value y or n.
func Bool(b bool) Value {
	if b {
		return Value{TypeBool, "y"}
	}
	return Value{TypeBool, "n"}
}

// Int returns n as a decimal number.
func Int(n int64) Value { return Value{TypeInt, strconv.FormatInt(n, 10)} }

// Hex returns n as a hexadecimal number with 0x in front.
func Hex(n uint64) Value { return Value{TypeHex, fmt.Sprintf("%#x", n)} }

// String returns s as a quoted string. Config.Set refuses one that no file can
// hold.
func String(s string) Value { return Value{TypeString, s} }

var (
	intText    = regexp.MustCompile(`^[ \t]*[-+]?[0-9]+(_[0-9]+)*[ \t]*$`)
	hexText    = regexp.MustCompile(`^[ \t]*[-+]?0[xX][0-9a-fA-F]+(_[0-9a-fA-F]+)*[ \t]*$`)
	stringText = regexp.MustCompile(`^"((?:[^\\"]|\\.)*)"`)
	escaped    = regexp.MustCompile(`\\(.)`)
	escape     = strings.NewReplacer(`\`, `\\`, `"`, `\"`)
)

// parseValue reads what stands behind the = of an assignment; ok is false for a
// string without its closing quote.
func parseValue(text string) (v Value, ok bool) {
	switch {
	case text == "y" || text == "n":
		return Value{TypeBool, text}, true
	case intText.MatchString(text):
		return Value{TypeInt, text}, true
	case hexText.MatchString(text):
		return Value{TypeHex, text}, true
	case !strings.HasPrefix(text, `"`):
		return Value{TypeBare, text}, true
	}
	if m := stringText.FindStringSubmatch(text); m != nil {
		return Value{TypeString, escaped.ReplaceAllString(m[1], "$1")}, true
	}
	return Value{}, false
}

// True reads v as a bool option would, by its first letter; ok is false when
// that option would ignore it.
func (v Value) True() (b, ok bool) {
	if v.Type == TypeString || v.Text == "" {
		return false, false
	}
	return v.Text[0] == 'y', v.Text[0] == 'y' || v.Text[0] == 'n'
}

// Number reads v as an int option would when base is 10, as a hex option would
// when it is 16; ok is false when that option would ignore it. Options have no
// widest number.
func (v Value) Number(base int) (n *big.Int, ok bool) {
	text := strings.Trim(v.Text, " \t")
	if v.Type == TypeString || text == "" {
		return nil, false
	}
	if base == 16 {
		sign := text[:len(text)-len(strings.TrimLeft(text, "+-"))]
		digits := text[len(sign):]
		if len(digits) > 1 && (digits[:2] == "0x" || digits[:2] == "0X") {
			digits = digits[2:]
		}
		text = sign + digits
	}
	if strings.HasPrefix(text, "_") || strings.HasSuffix(text, "_") || strings.Contains(text, "__") {
		return nil, false
	}
	return new(big.Int).SetString(strings.ReplaceAll(text, "_", ""), base)
}

// Equal reports whether v and o are the same value of the same type, however
// the number is spelled.
func (v Value) Equal(o Value) bool {
	if v == o || v.Type != o.Type {
		return v == o
	}
	base := map[Type]int{TypeInt: 10, TypeHex: 16}[v.Type]
	if base == 0 {
		return false
	}
	a, _ := v.Number(base)
	b, _ := o.Number(base)
	return a != nil && b != nil && a.Cmp(b) == 0
}

// check says why no file can hold v.
func (v Value) check() error {
	if err := checkText(v.Text); err != nil {
		return err
	}
	if v.Type == TypeString {
		return nil
	}
	if again, ok := parseValue(v.Text); !ok || again != v || trimRight(v.Text) != v.Text {
		return fmt.Errorf("its text does not read back as %s", v.Type)
	}
	return nil
}

// String prints v as it stands behind the =.
func (v Value) String() string {
	if v.Type == TypeString {
		return `"` + escape.Replace(v.Text) + `"`
	}
	return v.Text
}
