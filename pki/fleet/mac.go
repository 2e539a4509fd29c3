package fleet

import (
	"encoding/hex"
	"fmt"
)

// A MAC is the factory address of one board. It is a value: compare it with
// ==, use it as a map key. The zero MAC names no board. It prints as twelve
// lower-case hex digits, the form that boards send and RADIUS sees.
type MAC [6]byte

// ParseMAC reads twelve hex digits in either case, with ':' or '-' between all
// pairs or between none, and nothing else. An address that no board can have
// as its factory address (all zero, or a group address) is refused too.
func ParseMAC(s string) (MAC, error) {
	digits, ok := macDigits(s)
	if !ok {
		return MAC{}, fmt.Errorf("MAC %q: want twelve hex digits, with ':' or '-' between all pairs or none", clip(s))
	}
	var m MAC
	if _, err := hex.Decode(m[:], digits); err != nil {
		return MAC{}, fmt.Errorf("MAC %q: not hexadecimal", clip(s))
	}
	switch {
	case m == MAC{}:
		return MAC{}, fmt.Errorf("MAC %q: all zero names no board", clip(s))
	case m[0]&1 != 0:
		return MAC{}, fmt.Errorf("MAC %q: a group (multicast) address names no single board", clip(s))
	}
	return m, nil
}

// macDigits strips the separators of s; ok means that they stood where they may.
func macDigits(s string) (digits []byte, ok bool) {
	switch len(s) {
	case 12:
		return []byte(s), true
	case 17:
		for i := range 6 {
			if i > 0 && (s[3*i-1] != s[2] || s[2] != ':' && s[2] != '-') {
				return nil, false
			}
			digits = append(digits, s[3*i:3*i+2]...)
		}
		return digits, true
	}
	return nil, false
}

// clip bounds what an error repeats of its input.
func clip(s string) string {
	if len(s) > 40 {
		return s[:40] + "…"
	}
	return s
}

// String prints m as twelve lower-case hex digits.
func (m MAC) String() string { return hex.EncodeToString(m[:]) }

// MarshalText prints m as String does.
func (m MAC) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalText reads what ParseMAC reads.
func (m *MAC) UnmarshalText(text []byte) (err error) {
	*m, err = ParseMAC(string(text))
	return err
}
