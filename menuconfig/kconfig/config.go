package kconfig

import (
	"fmt"
	"iter"
	"slices"
	"strings"
	"unicode/utf8"
)

// MaxSize bounds a file. ESP-IDF's largest are about 100 KB.
const MaxSize = 4 << 20

// A Config is one sdkconfig file in memory. The zero Config is an empty file,
// ready to use. It is not safe for concurrent use.
type Config struct {
	file     string // what errors call it
	lines    []line
	problems []*Error
	defaults bool // read by ReadDefaults
}

// Read reads an sdkconfig file; file is what errors call it. Lines that the
// build would ignore are no errors but Problems. An *Error is what the build
// cannot read at all: a byte that is not UTF-8, a NUL, a byte-order mark.
func Read(file string, data []byte) (*Config, error) { return read(file, data, false) }

// ReadDefaults reads a defaults file: as Read does, but with blanks in front of
// lines allowed, and with nothing behind = meaning n.
func ReadDefaults(file string, data []byte) (*Config, error) { return read(file, data, true) }

func read(file string, data []byte, defaults bool) (*Config, error) {
	if len(data) > MaxSize {
		return nil, &Error{File: file, Line: 1, Column: 1, Why: fmt.Sprintf("larger than %d bytes", MaxSize)}
	}
	c, old, marked := &Config{file: file, defaults: defaults}, false, false
	for rest := string(data); rest != ""; {
		var l line
		l.text, l.end, rest = splitLine(rest)
		at := &Error{File: file, Line: len(c.lines) + 1, Text: l.text}
		if at.Why, at.Column = unreadable(l.text, len(c.lines) == 0); at.Why != "" {
			return nil, at
		}
		if old {
			old = trimLeft(trimRight(l.text)) != oldNamesEnd
		} else if at.Why, at.Column = l.read(defaults); at.Why != "" {
			c.problems = append(c.problems, at)
		}
		old = old || l.kind == oldBegin
		l.mark = marked && l.kind == assigned
		marked = !old && (l.kind == mark || marked && (l.kind == remark || l.kind == ignored))
		c.lines = append(c.lines, l)
	}
	return c, nil
}

// unreadable says what no reader gets past in one line.
func unreadable(text string, first bool) (why string, column int) {
	if first && strings.HasPrefix(text, "\ufeff") {
		return "a byte-order mark: save the file as plain UTF-8", 1
	}
	column = 1
	for i, r := range text {
		switch {
		case r == 0:
			return "a NUL character", column
		case r == utf8.RuneError && !strings.HasPrefix(text[i:], "\ufffd"):
			return "not UTF-8", column
		}
		column++
	}
	return "", 0
}

// Problems returns the lines that the build ignores although somebody may have
// meant something by them, in file order.
func (c *Config) Problems() []*Error { return c.problems }

// Get returns the value that somebody chose for an option. ok is false when the
// file does not assign it, or only by a marked line, as a default.
func (c *Config) Get(name string) (v Value, ok bool) {
	if i := c.find(name, false); i >= 0 {
		return c.lines[i].set.Value, true
	}
	return Value{}, false
}

// Default returns the value of an option's last marked line: the default that
// was in force when the file was written.
func (c *Config) Default(name string) (v Value, ok bool) {
	if i := c.find(name, true); i >= 0 {
		return c.lines[i].set.Value, true
	}
	return Value{}, false
}

// An Entry is one assignment where it stands.
type Entry struct {
	Assignment
	Line   int // from 1
	Marked bool
}

// All yields every assignment in file order, repeated and marked ones too.
func (c *Config) All() iter.Seq[Entry] {
	return func(yield func(Entry) bool) {
		for i, l := range c.lines {
			if l.kind == assigned && !yield(Entry{l.set, i + 1, l.mark}) {
				return
			}
		}
	}
}

// find returns the index of the last assignment to name with that mark, or -1.
func (c *Config) find(name string, marked bool) int {
	for i, l := range slices.Backward(c.lines) {
		if l.kind == assigned && l.set.Name == name && l.mark == marked {
			return i
		}
	}
	return -1
}

// Set makes v the chosen value of an option: it rewrites the line that counts,
// or the marked one without its mark, or else adds a line at the end, before the
// block of old names. It touches nothing when the value is already chosen. When
// v or name cannot be expressed it returns an error and changes nothing.
func (c *Config) Set(name string, v Value) error {
	a := Assignment{name, v}
	if err := a.Check(); err != nil {
		return err
	}
	if c.defaults && v == (Value{}) {
		return fmt.Errorf("option %s: a defaults file takes an empty value for n", name)
	}
	i := c.find(name, false)
	switch {
	case i >= 0 && c.lines[i].set.Value.Equal(v):
		return nil
	case i < 0:
		if i = c.find(name, true); i >= 0 {
			i = c.unmark(i)
		} else {
			i = c.insert()
		}
	}
	l := &c.lines[i]
	*l = line{text: a.String(), end: l.end, kind: assigned, set: a}
	return nil
}

// Unset removes every assignment to an option, marked or not, so that its
// default holds.
func (c *Config) Unset(name string) {
	for i := len(c.lines) - 1; i >= 0; i-- {
		if l := c.lines[i]; l.kind == assigned && l.set.Name == name {
			if l.mark {
				i = c.unmark(i)
			}
			c.lines = slices.Delete(c.lines, i, i+1)
		}
	}
}

// unmark removes the mark lines that belong to the assignment at i and returns
// where it stands then.
func (c *Config) unmark(i int) int {
	for j := i - 1; j >= 0 && c.lines[j].kind != assigned && c.lines[j].kind != broken; j-- {
		if c.lines[j].kind == mark {
			c.lines = slices.Delete(c.lines, j, j+1)
			i--
		}
	}
	c.lines[i].mark = false
	return i
}

// insert makes room for one line behind the last one that is not part of the
// block of old names, and returns its index. A mark that waits for its
// assignment there would take the new line for it, so the line goes before it.
func (c *Config) insert() int {
	i := slices.IndexFunc(c.lines, func(l line) bool { return l.kind == oldBegin })
	if i < 0 {
		i = len(c.lines)
	} else if i > 0 && trimRight(c.lines[i-1].text) == "" {
		i--
	}
	for j := i - 1; j >= 0 && c.lines[j].kind != assigned && c.lines[j].kind != broken; j-- {
		if c.lines[j].kind == mark {
			i = j
		}
	}
	end := c.lineEnd()
	if i > 0 && c.lines[i-1].end == "" {
		c.lines[i-1].end = end
	}
	c.lines = slices.Insert(c.lines, i, line{end: end})
	return i
}

// lineEnd returns how the file's lines end.
func (c *Config) lineEnd() string {
	if len(c.lines) > 0 && c.lines[0].end != "" {
		return c.lines[0].end
	}
	return "\n"
}

// Bytes returns the file. What was read and not changed is what was read.
func (c *Config) Bytes() []byte {
	var b strings.Builder
	for _, l := range c.lines {
		b.WriteString(l.text)
		b.WriteString(l.end)
	}
	return []byte(b.String())
}
