package kconfig

import (
	"slices"
	"strings"
)

// Sdkconfig returns the sdkconfig file.
func (s *Settings) Sdkconfig() []byte {
	w := &writer{Settings: s, seen: make([]bool, len(s.tree.Symbols))}
	w.header("#", "#", "Project Configuration", "#")
	w.entries(s.tree.Root.Children)
	w.oldNames()
	return []byte(w.String())
}

// A writer writes one file.
type writer struct {
	*Settings
	strings.Builder
	seen     []bool // symbols that have their line
	afterEnd bool   // the last line was an end of a menu
}

func (w *writer) add(parts ...string) {
	for _, p := range parts {
		w.WriteString(p)
	}
}

// header begins a file with a comment: its first line, what the others begin
// with, and its last line.
func (w *writer) header(open, margin, what, end string) {
	w.add(open, "\n", margin, " Automatically generated file. DO NOT EDIT.\n",
		margin, " Espressif IoT Development Framework (ESP-IDF) ", w.tree.version, " ", what, "\n", end, "\n")
}

// entries writes entries with their sections.
func (w *writer) entries(nodes []*Node) {
	for _, n := range nodes {
		switch {
		case n.Kind == KindSymbol:
			w.once(n.Symbol)
		case (n.Kind == KindMenu || n.Kind == KindComment) && w.Shown(n):
			w.title(n)
		}
		w.entries(n.Children)
		if n.Kind == KindMenu && len(n.Children) > 0 && w.Shown(n) {
			w.endOf(n)
		}
	}
}

func (w *writer) title(n *Node) {
	w.add("\n#\n# ", n.Prompt, "\n#\n")
	w.afterEnd = false
}

func (w *writer) endOf(n *Node) {
	w.add("# end of ", n.Prompt, "\n")
	w.afterEnd = true
}

// once writes a symbol at its first definition.
func (w *writer) once(sym *Symbol) {
	if w.seen[sym.index] {
		return
	}
	w.seen[sym.index] = true
	if !w.Written(sym) {
		return
	}
	if w.afterEnd {
		w.add("\n")
		w.afterEnd = false
	}
	w.line(sym)
}

// line writes a symbol's line, with its mark.
func (w *writer) line(sym *Symbol) {
	if w.IsDefault(sym) {
		w.add(markLine, "\n")
	}
	w.add(lineOf(sym.Name, sym.Type, w.values[sym.index].text), "\n")
}

// lineOf is the line that gives an option a value of its type.
func lineOf(name string, t Type, text string) string {
	return Assignment{name, Value{t, text}}.String()
}

// oldNames writes the block of old names, in the order of the new ones.
func (w *writer) oldNames() {
	begun := false
	w.tree.Walk(func(n *Node) {
		if n.Kind != KindSymbol || !w.Written(n.Symbol) {
			return
		}
		for _, r := range w.tree.names.old[n.Symbol.Name] {
			if !begun {
				w.add("\n", oldNames, "\n")
				begun = true
			}
			w.oldName(r, n.Symbol)
		}
	})
	if begun {
		w.add(oldNamesEnd, "\n")
	}
}

func (w *writer) oldName(r rename, sym *Symbol) {
	text := w.values[sym.index].text
	switch {
	case sym.Type == TypeBool && r.inverted:
		text = Bool(text != "y").Text
	case sym.Type == TypeHex:
		text = with0x(text)
	}
	w.add(lineOf(r.old, sym.Type, text), "\n")
}

func with0x(text string) string {
	if strings.HasPrefix(text, "0x") || strings.HasPrefix(text, "0X") {
		return text
	}
	return "0x" + text
}

// Header returns sdkconfig.h.
func (s *Settings) Header() []byte {
	w := &writer{Settings: s}
	w.header("/*", " *", "Configuration Header", " */")
	w.add("#pragma once\n")
	for _, sym := range s.tree.Symbols {
		if text, ok := s.defined(sym); ok {
			w.add("#define CONFIG_", sym.Name, " ", text, "\n")
		}
	}
	w.oldDefines()
	return []byte(w.String())
}

// defined is what the preprocessor of C sees of a symbol; a bool that is n it
// does not see at all.
func (s *Settings) defined(sym *Symbol) (text string, ok bool) {
	text = s.values[sym.index].text
	if !s.Written(sym) {
		return "", false
	}
	switch sym.Type {
	case TypeBool:
		return "1", text == "y"
	case TypeString:
		return String(text).String(), true
	case TypeHex:
		return with0x(text), true
	}
	return text, true
}

// oldDefines writes the old names of what is neither n nor empty, sorted.
func (w *writer) oldDefines() {
	var lines []string
	for old := range w.tree.names.last {
		r, _ := w.tree.names.find(old)
		sym := w.tree.Symbol(r.now)
		if sym == nil || sym.Type == TypeBare {
			continue
		}
		if text := w.values[sym.index].text; text == "" || text == "n" && sym.Type == TypeBool {
			continue
		}
		not := map[bool]string{true: "!"}[r.inverted]
		lines = append(lines, "#define CONFIG_"+old+" "+not+"CONFIG_"+r.now+"\n")
	}
	if len(lines) > 0 {
		slices.Sort(lines)
		w.add("\n/* List of deprecated options */\n", strings.Join(lines, ""))
	}
}

// CMake returns sdkconfig.cmake.
func (s *Settings) CMake() []byte {
	w := &writer{Settings: s}
	var list, old []string
	w.add("#\n# Automatically generated file. DO NOT EDIT.\n",
		"# Espressif IoT Development Framework (ESP-IDF) Configuration cmake include file\n#\n")
	s.tree.Walk(func(n *Node) {
		if n.Kind != KindSymbol || !s.Written(n.Symbol) {
			return
		}
		text := s.inCMake(n.Symbol)
		w.add("set(CONFIG_", n.Symbol.Name, ` "`, text, "\")\n")
		list = append(list, "CONFIG_"+n.Symbol.Name)
		for _, r := range s.tree.names.old[n.Symbol.Name] {
			if r.inverted && n.Symbol.Type == TypeBool {
				// The reference tool turns what the name before had, so a second
				// inverted name has the value again. Builds rely on what they got.
				text = map[string]string{"": "y"}[text]
			}
			list = append(list, "CONFIG_"+r.old)
			old = append(old, "set(CONFIG_"+r.old+` "`+text+"\")\n")
		}
	})
	w.add("set(CONFIGS_LIST ", strings.Join(list, ";"), ")")
	if len(old) > 0 {
		w.add("\n# List of deprecated options for backward compatibility\n", strings.Join(old, ""))
	}
	return []byte(w.String())
}

func (s *Settings) inCMake(sym *Symbol) string {
	text := s.values[sym.index].text
	switch {
	case sym.Type == TypeBool && text == "n":
		return ""
	case sym.Type == TypeString:
		return escape.Replace(text)
	case sym.Type == TypeHex && sym.Type.reads(text):
		return clamped(text, TypeHex)
	}
	return text
}

// Minimal returns sdkconfig.defaults: what differs from the defaults, and no
// more; labels puts it into sections.
func (s *Settings) Minimal(labels bool) []byte {
	w := &writer{Settings: s, seen: make([]bool, len(s.tree.Symbols))}
	w.add("# This file was generated using idf.py save-defconfig or menuconfig [D] key. It can be edited manually.\n",
		"# Espressif IoT Development Framework (ESP-IDF) ", s.tree.version, " Project Minimal Configuration\n#\n")
	if target := s.tree.Symbol("IDF_TARGET"); target != nil && s.values[target.index].text != "esp32" && s.Written(target) {
		w.minimalLine(target)
	}
	if labels {
		w.minimalEntries(s.tree.Root.Children, nil)
		return []byte(w.String())
	}
	for _, sym := range s.tree.Symbols {
		if s.Written(sym) && s.differs(sym) {
			w.minimalLine(sym)
		}
	}
	return []byte(w.String())
}

// minimalLine is the usual line, but for a bool that is n.
func (w *writer) minimalLine(sym *Symbol) {
	if sym.Type != TypeBool || w.values[sym.index].text == "y" {
		w.line(sym)
		return
	}
	if w.IsDefault(sym) {
		w.add(markLine, "\n")
	}
	w.add("CONFIG_", sym.Name, "=n\n")
}

// A label is a menu around the entries that are written.
type label struct {
	menu  *Node
	begun bool
	outer *label
}

func (w *writer) minimalEntries(nodes []*Node, around *label) {
	for _, n := range nodes {
		inside := around
		switch {
		case n.Kind == KindSymbol && !w.seen[n.Symbol.index]:
			w.seen[n.Symbol.index] = true
			if w.Written(n.Symbol) && w.differs(n.Symbol) {
				w.begin(around)
				if w.afterEnd {
					w.add("\n")
					w.afterEnd = false
				}
				w.minimalLine(n.Symbol)
			}
		case n.Kind == KindMenu && w.Shown(n):
			inside = &label{menu: n, outer: around}
		}
		w.minimalEntries(n.Children, inside)
		if inside != around && inside.begun {
			w.endOf(n)
		}
	}
}

// begin writes the titles that are not written yet, from the outside.
func (w *writer) begin(l *label) {
	if l == nil || l.begun {
		return
	}
	w.begin(l.outer)
	l.begun = true
	w.title(l.menu)
}

// differs reports whether a symbol has to be in a minimal file.
func (s *Settings) differs(sym *Symbol) bool {
	v := s.values[sym.index]
	if sym.Choice == nil && (!v.visible || s.anyApplies(sym.selected)) {
		return false
	}
	if v.text == s.plainDefault(sym) {
		return false
	}
	return !sym.member() || v.text != "y" || s.defaultSelection(sym.Choice) != sym
}

// plainDefault is a symbol's default as it stands: before the range clamps it
// and a float is rewritten. A member's is n.
func (s *Settings) plainDefault(sym *Symbol) string {
	text, _ := s.defaultOf(sym)
	if sym.Type == TypeBool {
		return Bool(sym.Choice == nil && (text == "y" || s.anyApplies(sym.selected) || s.anyApplies(sym.implied))).Text
	}
	return text
}
