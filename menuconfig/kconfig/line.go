package kconfig

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	prefix      = "CONFIG_"
	markLine    = "# default:"
	oldNames    = "# Deprecated options for backward compatibility"
	oldNamesEnd = "# End of deprecated options"
)

// A line is one line of a file. The kinds are what a reader makes of it.
type line struct {
	text string // without its end
	end  string // "\n", "\r\n", "\r", or "" for the last one
	kind kind
	set  Assignment // when kind is assigned
	mark bool       // when kind is assigned: inferred, not chosen
}

type kind uint8

const (
	remark   kind = iota // blank, a comment, the old names' block
	oldBegin             // where the block of old names begins
	mark                 // # default:
	assigned
	ignored // neither we nor the build understand it
	broken  // an assignment whose value the build ignores
)

// An Assignment gives one option a value. Name has no CONFIG_ in front.
type Assignment struct {
	Name  string
	Value Value
}

// String prints the line that a file holds for a: "# CONFIG_X is not set" when
// the value is the bool n.
func (a Assignment) String() string {
	if a.Value == Bool(false) {
		return "# " + prefix + a.Name + " is not set"
	}
	return prefix + a.Name + "=" + a.Value.String()
}

// Check says why no file can hold a: its name is not one, or its text has a
// line break. The error does not repeat the value.
func (a Assignment) Check() error {
	if !nameText.MatchString(a.Name) {
		return fmt.Errorf("option %q: a name is letters, digits and _", a.Name)
	}
	if err := a.Value.check(); err != nil {
		return fmt.Errorf("option %s: %w", a.Name, err)
	}
	return nil
}

var (
	nameText = regexp.MustCompile(`^[A-Za-z0-9_]+$`)
	unset    = regexp.MustCompile(`^# CONFIG_([A-Za-z0-9_]+) is not set`)
)

// read fills in what l.text means. why and column (from 1, in characters) say
// what is wrong with a line that the build ignores.
func (l *line) read(defaults bool) (why string, column int) {
	text := trimRight(l.text)
	indent := len(text) - len(trimLeft(text))
	if defaults {
		text = text[indent:]
	}
	switch {
	case trimLeft(text) == markLine:
		l.kind = mark
	case trimLeft(text) == oldNames:
		l.kind = oldBegin
	case unset.MatchString(text):
		l.kind, l.set = assigned, Assignment{unset.FindStringSubmatch(text)[1], Bool(false)}
	case text == "" || strings.HasPrefix(trimLeft(text), "#"):
		l.kind = remark
	case !defaults && indent > 0:
		l.kind = ignored
		return "ignored by the build: blanks in front of it", 1
	default:
		why, column = l.readAssignment(text, defaults)
		if defaults && column > 0 {
			column += utf8.RuneCountInString(l.text[:indent])
		}
	}
	return why, column
}

func (l *line) readAssignment(text string, defaults bool) (why string, column int) {
	name, value, ok := strings.Cut(text, "=")
	short, hasPrefix := strings.CutPrefix(name, prefix)
	switch {
	case !hasPrefix:
		l.kind = ignored
		return "ignored by the build: neither an assignment to CONFIG_NAME nor a comment", 1
	case !ok:
		l.kind = ignored
		return "ignored by the build: no = behind the name", utf8.RuneCountInString(name) + 1
	case !nameText.MatchString(short):
		l.kind = broken
		return "ignored by the build: a name is letters, digits and _", badName(short) + len(prefix)
	}
	if defaults && value == "" {
		value = "n"
	}
	v, ok := parseValue(value)
	if !ok {
		l.kind = broken
		return "ignored by the build: the string has no closing quote", utf8.RuneCountInString(name) + 2
	}
	l.kind, l.set = assigned, Assignment{short, v}
	return "", 0
}

// badName returns the column of the first character that a name may not have.
func badName(s string) int {
	for i := range len(s) {
		if !nameText.MatchString(s[i : i+1]) {
			return i + 1
		}
	}
	return len(s) + 1
}

// splitLine cuts the first line off text: its words and its end.
func splitLine(text string) (words, end, rest string) {
	i := strings.IndexAny(text, "\r\n")
	if i < 0 {
		return text, "", ""
	}
	n := 1
	if strings.HasPrefix(text[i:], "\r\n") {
		n = 2
	}
	return text[:i], text[i : i+n], text[i+n:]
}

// blank reports whether the reference reader trims r: white space as Python
// sees it, which has four separators more than Go.
func blank(r rune) bool { return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f }

func trimRight(s string) string { return strings.TrimRightFunc(s, blank) }
func trimLeft(s string) string  { return strings.TrimLeftFunc(s, blank) }

// checkText says why s cannot be part of a line.
func checkText(s string) error {
	switch {
	case strings.ContainsAny(s, "\r\n"):
		return errors.New("a line break cannot be expressed in an sdkconfig file")
	case strings.ContainsRune(s, 0):
		return errors.New("a NUL character cannot be expressed in an sdkconfig file")
	case !utf8.ValidString(s):
		return errors.New("not UTF-8")
	}
	return nil
}
