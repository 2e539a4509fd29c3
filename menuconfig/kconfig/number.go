package kconfig

import (
	"cmp"
	"math"
	"math/big"
	"strconv"
	"strings"
)

// maxDigits bounds a number, as the reference tool does. Numbers have no other
// bound: 64 bits would not do.
const maxDigits = 4300

// number reports whether symbols of type t have numbers as values.
func (t Type) number() bool { return t == TypeInt || t == TypeHex || t == TypeFloat }

// reads reports whether text is a value of a number type.
func (t Type) reads(text string) bool {
	switch t {
	case TypeInt:
		return parseInt(text, 10) != nil
	case TypeHex:
		return parseInt(text, 16) != nil
	case TypeFloat:
		f, ok := parseFloat(text)
		return ok && !math.IsInf(f, 0) && !math.IsNaN(f)
	}
	return false
}

// base is the one in which symbols of type t are read in a comparison; 0 tells
// by the prefix.
func (t Type) base() int {
	switch t {
	case TypeInt:
		return 10
	case TypeHex:
		return 16
	}
	return 0
}

// parseInt reads an integer: a sign, digits with single _ between them, blanks
// around. In base 16 the prefix 0x may be missing; base 0 wants one of 0x, 0o
// and 0b, or else decimal digits that do not begin with 0. It returns nil for
// what is none.
func parseInt(text string, base int) *big.Int {
	text = strings.TrimFunc(text, blank)
	digits := strings.TrimLeft(text, "+-")
	if len(text)-len(digits) > 1 {
		return nil
	}
	negative := strings.HasPrefix(text, "-")
	digits, base = prefixed(digits, base)
	if base == 0 || digits == "" || len(digits) > maxDigits || !between(digits) {
		return nil
	}
	digits = strings.ReplaceAll(digits, "_", "")
	if strings.ContainsAny(digits, "+-") {
		return nil
	}
	if n, err := strconv.ParseInt(digits, base, 64); err == nil {
		if negative {
			n = -n
		}
		return big.NewInt(n)
	}
	n, ok := new(big.Int).SetString(digits, base)
	if !ok {
		return nil
	}
	if negative {
		n.Neg(n)
	}
	return n
}

// prefixed takes the prefix off digits and says in which base they are; 0 for
// none.
func prefixed(digits string, base int) (string, int) {
	prefix := ""
	if len(digits) > 1 && digits[0] == '0' {
		prefix = strings.ToLower(digits[:2])
	}
	switch {
	case prefix == "0x" && (base == 16 || base == 0):
		return strings.TrimPrefix(digits[2:], "_"), 16
	case prefix == "0o" && base == 0:
		return strings.TrimPrefix(digits[2:], "_"), 8
	case prefix == "0b" && base == 0:
		return strings.TrimPrefix(digits[2:], "_"), 2
	case base != 0:
		return digits, base
	case strings.HasPrefix(digits, "0") && strings.Trim(digits, "0_") != "":
		return "", 0
	}
	return digits, 10
}

// between reports whether every _ stands between two other characters.
func between(digits string) bool {
	return !strings.HasPrefix(digits, "_") && !strings.HasSuffix(digits, "_") && !strings.Contains(digits, "__")
}

// parseFloat reads a decimal fraction, as the reference tool's language does.
func parseFloat(text string) (f float64, ok bool) {
	text = strings.TrimFunc(text, blank)
	word := strings.ToLower(strings.TrimLeft(text, "+-"))
	if word != "inf" && word != "infinity" && word != "nan" {
		if strings.Trim(text, "+-._eE0123456789") != "" || !fraction(text) {
			return 0, false
		}
		text = strings.ReplaceAll(text, "_", "")
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil && !math.IsInf(f, 0) {
		return 0, false
	}
	return f, true
}

// fraction reports whether every _ in text stands between two digits.
func fraction(text string) bool {
	digit := func(i int) bool { return i >= 0 && i < len(text) && text[i] >= '0' && text[i] <= '9' }
	for i := range len(text) {
		if text[i] == '_' && !(digit(i-1) && digit(i+1)) {
			return false
		}
	}
	return true
}

// formatFloat prints the shortest text that reads back as f: with .0 when it
// would look like an integer, with an exponent below 1e-4 and from 1e16 on.
func formatFloat(f float64) string {
	text := strconv.FormatFloat(f, 'e', -1, 64)
	if abs := math.Abs(f); abs != 0 && (abs < 1e-4 || abs >= 1e16) || math.IsNaN(f) {
		return text
	}
	text = strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	return text
}

// shortest rewrites the text of a float; what is none stays.
func shortest(text string) string {
	if f, ok := parseFloat(text); ok && !math.IsInf(f, 0) && !math.IsNaN(f) {
		return formatFloat(f)
	}
	return text
}

// intOf reads an int or a hex; what is none counts as 0.
func intOf(text string, t Type) *big.Int {
	if n := parseInt(text, t.base()); n != nil {
		return n
	}
	return new(big.Int)
}

// floatOf reads a float; what is none counts as 0.
func floatOf(text string) float64 {
	if !TypeFloat.reads(text) {
		return 0
	}
	f, _ := parseFloat(text)
	return f
}

// compareAs compares two numbers of type t.
func compareAs(t Type, a, b string) int {
	if t == TypeFloat {
		return cmp.Compare(floatOf(a), floatOf(b))
	}
	return intOf(a, t).Cmp(intOf(b, t))
}

// clamped is how a bound is spelled that a value was moved to.
func clamped(bound string, t Type) string {
	switch t {
	case TypeFloat:
		return formatFloat(floatOf(bound))
	case TypeHex:
		n := intOf(bound, t)
		if n.Sign() < 0 {
			return "-0x" + n.Text(16)[1:]
		}
		return "0x" + n.Text(16)
	}
	return intOf(bound, t).String()
}
