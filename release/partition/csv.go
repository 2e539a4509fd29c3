package partition

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"strings"
)

const (
	maxText   = 64 << 10
	fieldsMax = 6
)

// ParseCSV reads a table as people write it, works out the offsets and sizes
// that it leaves open, and checks it as Check does. An error begins with the
// line.
func ParseCSV(text []byte, l Layout) (Table, error) {
	if len(text) > maxText {
		return nil, fmt.Errorf("partition table of %d bytes: more than %d", len(text), maxText)
	}
	var t Table
	var lines []int
	next := l.tableEnd()
	for i, line := range strings.Split(string(text), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		e, end, err := parseLine(line, next)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
		t, lines, next = append(t, e), append(lines, i+1), end
	}
	if at, err := t.check(l); err != nil {
		return nil, fmt.Errorf("line %d: %w", lines[at], err)
	}
	return t, nil
}

// parseLine reads one entry. next is the first free offset before it, end the
// one after it.
func parseLine(line string, next uint64) (e Entry, end uint64, err error) {
	f, err := split(line)
	if err != nil {
		return Entry{}, 0, err
	}
	e.Name = f[0]
	if e.Kind, err = parseKind(f[1], f[2]); err != nil {
		return Entry{}, 0, err
	}
	offset, err := parseOffset(f[3], e.Kind, next)
	if err != nil {
		return Entry{}, 0, err
	}
	size, err := parseSize(f[4], offset)
	if err != nil {
		return Entry{}, 0, err
	}
	if err := e.parseFlags(f[5]); err != nil {
		return Entry{}, 0, err
	}
	e.Offset, e.Size = uint32(offset), uint32(size)
	if e.Kind.primary() {
		return e, next, nil
	}
	return e, e.End(), nil
}

// split returns the six fields of a line, those left out empty.
func split(line string) (f [fieldsMax]string, err error) {
	if strings.Contains(line, "$") {
		return f, fmt.Errorf("the environment is not looked at: write the value for %q", line[strings.Index(line, "$"):])
	}
	fields := strings.Split(line, ",")
	for i, s := range fields {
		s = strings.TrimSpace(s)
		if i < len(f) {
			f[i] = s
		} else if s != "" {
			return f, fmt.Errorf("%d fields, want name, type, subtype, offset, size and flags", len(fields))
		}
	}
	return f, nil
}

func parseOffset(s string, k Kind, next uint64) (uint64, error) {
	if s == "" && k.primary() {
		return 0, fmt.Errorf("offset: %s states one: it lies where the chip looks for it", k)
	}
	if s == "" {
		a := uint64(k.alignment())
		return (next + a - 1) / a * a, nil
	}
	n, err := parseNumber(s)
	if err != nil {
		return 0, fmt.Errorf("offset %w", err)
	}
	switch {
	case n < 0 || n > math.MaxUint32:
		return 0, fmt.Errorf("offset %s: not an address in flash", s)
	case uint64(n) < next && !k.primary():
		return 0, fmt.Errorf("offset %#x: the table or the entry before ends at %#x", n, next)
	}
	return uint64(n), nil
}

func parseSize(s string, offset uint64) (uint64, error) {
	if s == "" {
		return 0, fmt.Errorf("size: none is stated")
	}
	n, err := parseNumber(s)
	if err != nil {
		return 0, fmt.Errorf("size %w", err)
	}
	if n < 0 {
		n = -n - int64(offset)
	}
	if n <= 0 || offset+uint64(n) > math.MaxUint32 {
		return 0, fmt.Errorf("size %s at offset %#x: leaves nothing, or runs past 4 GiB", s, offset)
	}
	return uint64(n), nil
}

// parseNumber reads a decimal or hexadecimal number with an optional sign and an
// optional suffix K or M. Its magnitude is below 2^53.
func parseNumber(s string) (int64, error) {
	digits, negative := strings.CutPrefix(s, "-")
	unit := int64(1)
	switch {
	case strings.HasSuffix(strings.ToLower(digits), "k"):
		digits, unit = digits[:len(digits)-1], 1<<10
	case strings.HasSuffix(strings.ToLower(digits), "m"):
		digits, unit = digits[:len(digits)-1], 1<<20
	}
	base := 10
	if hex, ok := strings.CutPrefix(strings.ToLower(digits), "0x"); ok {
		digits, base = hex, 16
	}
	n, err := strconv.ParseUint(digits, base, 33)
	if err != nil || base == 10 && len(digits) > 1 && digits[0] == '0' {
		return 0, fmt.Errorf("%q: want a decimal or 0x number, with K or M behind it where wanted", s)
	}
	if negative {
		unit = -unit
	}
	return int64(n) * unit, nil
}

func (e *Entry) parseFlags(s string) error {
	for flag := range strings.SplitSeq(s, ":") {
		switch flag {
		case "":
		case "encrypted":
			e.Encrypted = true
		case "readonly":
			e.ReadOnly = true
		default:
			return fmt.Errorf("flag %q: want encrypted or readonly, with : between them", flag)
		}
	}
	return nil
}

// CSV returns t as text with nothing left open. ParseCSV reads it back where t
// is sorted by offset and passes Check.
func (t Table) CSV() []byte {
	var b bytes.Buffer
	b.WriteString("# Name, Type, SubType, Offset, Size, Flags\n")
	for _, e := range t {
		fmt.Fprintf(&b, "%s,%s,%s,%#x,%#x,%s\n", e.Name, e.Kind.typeName(), e.Kind.subtypeName(), e.Offset, e.Size, e.flags())
	}
	return b.Bytes()
}

func (e Entry) flags() string {
	var flags []string
	if e.Encrypted {
		flags = append(flags, "encrypted")
	}
	if e.ReadOnly {
		flags = append(flags, "readonly")
	}
	return strings.Join(flags, ":")
}
