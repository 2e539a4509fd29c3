package kconfig

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
)

// JSON returns sdkconfig.json: the values of all symbols that sdkconfig has.
func (s *Settings) JSON() []byte {
	var b strings.Builder
	printJSON(&b, s.valuesJSON(), "\n")
	return []byte(b.String())
}

func (s *Settings) valuesJSON() object {
	o := object{}
	for _, sym := range s.tree.Symbols {
		if s.Written(sym) {
			o[sym.Name] = s.inJSON(sym)
		}
	}
	return o
}

// What a JSON file is made of, besides nil, bool and string.
type (
	object map[string]any
	array  []any
	number string // as it is to be printed
)

// inJSON is a symbol's value; a number that is none is null.
func (s *Settings) inJSON(sym *Symbol) any {
	text := s.values[sym.index].text
	switch {
	case sym.Type == TypeBool:
		return text == "y"
	case !sym.Type.number():
		return text
	case !sym.Type.reads(text):
		return nil
	}
	return numberOf(text, sym.Type)
}

func numberOf(text string, t Type) number {
	if t == TypeFloat {
		return number(formatFloat(floatOf(text)))
	}
	return number(intOf(text, t).String())
}

// printJSON prints v with keys sorted and four blanks of indent. line is a line
// break with the indent so far, or empty to print all on one line.
func printJSON(b *strings.Builder, v any, line string) {
	switch v := v.(type) {
	case nil:
		b.WriteString("null")
	case bool:
		b.WriteString(strconv.FormatBool(v))
	case number:
		b.WriteString(string(v))
	case string:
		quoteJSON(b, v)
	case array:
		list(b, "[]", line, len(v), func(i int, line string) { printJSON(b, v[i], line) })
	case object:
		keys := make([]string, 0, len(v))
		for k := range v {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		list(b, "{}", line, len(keys), func(i int, line string) {
			quoteJSON(b, keys[i])
			b.WriteString(": ")
			printJSON(b, v[keys[i]], line)
		})
	}
}

// list prints n things between a pair of brackets.
func list(b *strings.Builder, pair, line string, n int, each func(i int, line string)) {
	inner := line
	if line != "" {
		inner += "    "
	}
	b.WriteByte(pair[0])
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(inner)
		each(i, inner)
	}
	if n > 0 {
		b.WriteString(line)
	}
	b.WriteByte(pair[1])
}

var escapesJSON = map[rune]string{'"': `\"`, '\\': `\\`, '\n': `\n`, '\r': `\r`, '\t': `\t`, '\f': `\f`, '\b': `\b`}

// quoteJSON prints s in ASCII.
func quoteJSON(b *strings.Builder, s string) {
	b.WriteByte('"')
	for _, r := range s {
		switch e, known := escapesJSON[r]; {
		case known:
			b.WriteString(e)
		case r >= ' ' && r <= '~':
			b.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(b, `\u%04x`, r)
		}
	}
	b.WriteByte('"')
}

// Menus returns kconfig_menus.json: the menu as a program wants it. Comments
// are left out.
func (s *Settings) Menus() []byte {
	var b strings.Builder
	printJSON(&b, s.menus(s.tree.Root.Children), "\n")
	return []byte(b.String())
}

func (s *Settings) menus(nodes []*Node) array {
	menus := array{}
	for _, n := range nodes {
		if n.Kind == KindComment {
			menus = append(menus, s.menus(n.Children)...)
			continue
		}
		o := object{"id": n.ID(), "title": n.Prompt, "depends_on": nil, "children": s.menus(n.Children)}
		if d := n.DependsOn(); !d.isYes() {
			o["depends_on"] = d.String()
		}
		s.describe(n, o)
		menus = append(menus, o)
	}
	return menus
}

// describe fills in what the kinds of entries have of their own.
func (s *Settings) describe(n *Node, o object) {
	switch n.Kind {
	case KindMenu:
		o["type"] = "menu"
		return
	case KindChoice:
		o["type"], o["name"] = "choice", optional(n.Choice.Name, n.Choice.Name != "")
	case KindSymbol:
		o["type"], o["name"], o["range"] = typeName(n.Symbol.Type), n.Symbol.Name, s.rangeJSON(n.Symbol)
		if n.Menuconfig {
			o["type"], o["is_menuconfig"] = "menu", true
		} else {
			o["title"] = optional(n.Prompt, n.HasPrompt)
		}
	}
	o["help"] = optional(n.Help(), n.HasHelp)
}

func optional(text string, has bool) any {
	if !has {
		return nil
	}
	return text
}

func typeName(t Type) string {
	if t == TypeBare {
		return "unknown"
	}
	return t.String()
}

func (s *Settings) rangeJSON(sym *Symbol) any {
	r, ok := s.bounds(sym)
	if !ok {
		return nil
	}
	return array{numberOf(s.text(r.low.symbol), sym.Type), numberOf(s.text(r.high.symbol), sym.Type)}
}
