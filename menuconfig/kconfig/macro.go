package kconfig

import (
	"fmt"
	"strconv"
	"strings"
)

// The preprocessor's bounds: a macro may call itself, and others many times.
const (
	maxCalls = 100     // of macros within macros
	maxMacro = 1 << 24 // bytes that all of a tree's macros together may cost
)

// macros are the preprocessor's variables, and what else $(NAME) can stand for.
type macros struct {
	variables map[string]*variable
	env       func(name string) (string, bool)
	notes     []*Error
	cost      int // of the calls so far
	depth     int // of the call under way
}

type variable struct {
	value     string
	recursive bool // expanded where it is used, not where it was assigned
	busy      bool
}

// assign takes a line that is a variable's assignment, or macros that expand
// to nothing.
func (m *macros) assign(l *lexer) error {
	s := l.text[span(l.text, 0, spaceByte):]
	name, i, err := m.target(l, s)
	if err != nil {
		return err
	}
	rest := strings.TrimLeft(s[i:], " \t\v\f\r")
	if name == "" && rest == "" {
		return nil
	}
	for _, op := range []string{":=", "+=", "="} {
		if value, ok := strings.CutPrefix(rest, op); ok {
			return m.set(l, name, op, strings.TrimLeft(value, " \t\v\f\r"))
		}
	}
	return l.fail(span(l.text, 0, spaceByte), "neither a keyword nor a variable that is assigned")
}

// target reads the name on the left side of an assignment.
func (m *macros) target(l *lexer, s string) (name string, i int, err error) {
	for {
		start := i
		for i < len(s) && s[i] != '$' && byteClass[s[i]]&firstByte != 0 {
			i++
		}
		name += s[start:i]
		if !strings.HasPrefix(s[i:], "$(") {
			return strings.TrimSpace(name), i, nil
		}
		var text string
		if text, i, err = m.call(l, s, i, nil); err != nil {
			return "", 0, err
		}
		name += text
	}
}

func (m *macros) set(l *lexer, name, op, value string) (err error) {
	v := m.variables[name]
	if v == nil {
		v = &variable{recursive: true}
		m.variables[name] = v
		if op == "+=" {
			op = "="
		}
	}
	if op == ":=" || op == "+=" && !v.recursive {
		if value, err = m.whole(l, value, nil); err != nil {
			return err
		}
	}
	switch op {
	case "+=":
		v.value += " " + value
	default:
		v.value, v.recursive = value, op == "="
	}
	return m.pay(l, len(v.value))
}

// pay bounds what macros may cost.
func (m *macros) pay(l *lexer, bytes int) error {
	if m.cost += 16 + bytes; m.cost > maxMacro {
		return l.fail(0, "the macros of this tree expand to too much")
	}
	return nil
}

// whole expands all macros in s.
func (m *macros) whole(l *lexer, s string, args []string) (string, error) {
	var b strings.Builder
	for {
		i := strings.Index(s, "$(")
		if i < 0 {
			return b.String() + s, nil
		}
		text, end, err := m.call(l, s, i, args)
		if err != nil {
			return "", err
		}
		b.WriteString(s[:i])
		b.WriteString(text)
		s = s[end:]
	}
}

// call expands the macro that begins at s[i], and returns where it ends. args
// are those of the macro whose value s is: $(0) is its name, $(1) its first.
func (m *macros) call(l *lexer, s string, i int, args []string) (text string, end int, err error) {
	if m.depth++; m.depth > maxCalls {
		return "", 0, l.fail(0, "a macro calls itself without end")
	}
	defer func() { m.depth-- }()
	parts, end, err := m.arguments(l, s, i+2, args)
	if err != nil {
		return "", 0, err
	}
	if n, err := strconv.Atoi(parts[0]); err == nil && n >= 0 && n < len(args) {
		text = args[n]
	} else if text, err = m.value(l, parts); err != nil {
		return "", 0, err
	}
	return text, end, m.pay(l, len(text))
}

// arguments reads the name of a macro and its arguments, up to the closing
// parenthesis.
func (m *macros) arguments(l *lexer, s string, i int, args []string) (parts []string, end int, err error) {
	var part strings.Builder
	nesting := 0
	for i < len(s) {
		if strings.HasPrefix(s[i:], "$(") {
			text, end, err := m.call(l, s, i, args)
			if err != nil {
				return nil, 0, err
			}
			part.WriteString(text)
			i = end
			continue
		}
		c := s[i]
		i++
		switch {
		case c == ')' && nesting == 0:
			return append(parts, part.String()), i, nil
		case c == ',' && nesting == 0:
			parts = append(parts, part.String())
			part.Reset()
			continue
		case c == '(':
			nesting++
		case c == ')':
			nesting--
		}
		part.WriteByte(c)
	}
	return nil, 0, l.fail(len(l.text), "the macro has no closing parenthesis")
}

// value is what a macro stands for: a variable, a function, or else a variable
// of the environment. What is none of them is empty.
func (m *macros) value(l *lexer, parts []string) (string, error) {
	name := parts[0]
	if v := m.variables[name]; v != nil {
		if len(parts) == 1 {
			if v.busy {
				return "", l.fail(0, fmt.Sprintf("the variable %s refers to itself", name))
			}
			v.busy = true
			defer func() { v.busy = false }()
		}
		return m.whole(l, v.value, parts)
	}
	if count, ok := functions[name]; ok {
		if len(parts)-1 != count {
			return "", l.fail(0, fmt.Sprintf("$(%s) takes %d arguments, not %d", name, count, len(parts)-1))
		}
		return m.function(l, parts)
	}
	if value, ok := m.env(name); ok {
		return value, nil
	}
	return "", nil
}

// functions are those of the preprocessor, with how many arguments they take.
var functions = map[string]int{"filename": 0, "lineno": 0, "info": 1, "shell": 1, "warning-if": 2, "error-if": 2}

func (m *macros) function(l *lexer, parts []string) (string, error) {
	switch parts[0] {
	case "filename":
		return l.file, nil
	case "lineno":
		return strconv.Itoa(l.number), nil
	case "shell":
		return "", l.fail(0, "$(shell) is not carried out here: reading a tree runs no commands")
	case "info":
		m.note(l, parts[1])
	case "warning-if":
		if parts[1] == "y" {
			m.note(l, parts[2])
		}
	case "error-if":
		if parts[1] == "y" {
			return "", l.fail(0, parts[2])
		}
	}
	return "", nil
}

func (m *macros) note(l *lexer, why string) {
	m.notes = append(m.notes, l.fail(0, why))
}

// environment replaces $NAME and ${NAME} in the text of a string. Those that
// are not set stay.
func (m *macros) environment(l *lexer, s string) (string, error) {
	var b strings.Builder
	for {
		i := strings.IndexByte(s, '$')
		if i < 0 {
			return b.String() + s, nil
		}
		b.WriteString(s[:i])
		name, end := variableName(s[i:])
		value, ok := "", false
		if name != "" {
			value, ok = m.env(name)
		}
		if !ok {
			value = s[i : i+end]
		}
		if err := m.pay(l, len(value)); err != nil {
			return "", err
		}
		b.WriteString(value)
		s = s[i+end:]
	}
}

// variableName reads the name behind the $ that s begins with, and says where
// it ends. It is empty when there is none.
func variableName(s string) (name string, end int) {
	if strings.HasPrefix(s, "${") {
		if n := strings.IndexByte(s, '}'); n > 0 {
			return s[2:n], n + 1
		}
		return "", 1
	}
	end = 1
	for end < len(s) && s[end] != '$' && s[end] != '-' && byteClass[s[end]]&firstByte != 0 {
		end++
	}
	return s[1:end], end
}
