// Package kconfigtest makes up a Kconfig tree of ESP-IDF's size and shape, for
// tests and measurements that must not depend on the real one: 170 files,
// 32,000 lines, 3,700 symbols, most of them bools with a prompt and a help text,
// 170 choices, 340 menus, and the mixture of options that the real files have.
// It is the same tree every time.
package kconfigtest

import (
	"fmt"
	"io/fs"
	"strings"
	"testing/fstest"
)

const (
	components = 168
	perFile    = 19  // symbols of a component
	caps       = 508 // symbols without a prompt: what a chip can do
)

// Symbols is how many symbols the tree defines.
const Symbols = caps + components*perFile

// Root is the path of the tree's first file.
const Root = "Kconfig"

// Files returns the tree.
func Files() fs.FS {
	files := fstest.MapFS{}
	add := func(name, text string) { files[name] = &fstest.MapFile{Data: []byte(text)} }
	add("Kconfig.caps", capsFile())
	var list strings.Builder
	for c := range components {
		name := fmt.Sprintf("components/part%03d/Kconfig", c)
		add(name, componentFile(c))
		fmt.Fprintf(&list, "    source \"%s\"\n", name)
	}
	add(Root, "mainmenu \"A tree of ESP-IDF's size\"\n\norsource \"./Kconfig.caps\"\n\nmenu \"Component config\"\n"+list.String()+"endmenu\n")
	return files
}

func capsFile() string {
	var b strings.Builder
	for i := range caps {
		switch i % 4 {
		case 0:
			fmt.Fprintf(&b, "config CAP_%d\n    int\n    default %d\n\n", i, i)
		default:
			fmt.Fprintf(&b, "config CAP_%d\n    bool\n    default y\n\n", i)
		}
	}
	return b.String()
}

// name is the name of the i-th symbol of a component.
func name(component, i int) string { return fmt.Sprintf("PART%03d_OPTION_%d", component, i) }

// A writer writes one component's file.
type writer struct {
	strings.Builder
	component int
}

func componentFile(component int) string {
	w := &writer{component: component}
	w.line(0, "menu \"Part %d of the system\"", component)
	w.line(1, "depends on %s", flag(4*component))
	w.choice(0, 4)
	for i := 4; i < 10; i++ {
		w.symbol(i)
	}
	w.line(1, "menu \"Further settings of part %d\"", component)
	w.line(2, "visible if %s", name(component, 4))
	w.symbol(10)
	w.symbol(11)
	w.line(1, "endmenu")
	w.line(1, "if %s || !%s", name(component, 4), flag(4*component+2))
	for i := 12; i < 17; i++ {
		w.symbol(i)
	}
	w.line(1, "endif # %s", name(component, 4))
	w.symbol(17)
	w.symbol(18)
	if component%3 == 0 { // a second definition, as a hundred symbols have
		w.line(1, "config %s # ignore: multiple-definition", name(component, 17))
		w.line(2, "depends on CAP_%d > 7", 4*(component%100))
	}
	w.line(0, "endmenu")
	return w.String()
}

func (w *writer) line(indent int, format string, args ...any) {
	w.WriteString(strings.Repeat("    ", indent))
	fmt.Fprintf(w, format+"\n", args...)
}

// choice writes a choice with members from one index to another.
func (w *writer) choice(from, to int) {
	w.line(1, "choice PART%03d_CHOICE", w.component)
	w.line(2, "prompt \"Which way part %d goes\"", w.component)
	w.line(2, "default %s if !%s", name(w.component, to-1), flag(w.component))
	w.line(2, "default %s", name(w.component, from+w.component%(to-from)))
	w.help(3)
	for i := from; i < to; i++ {
		w.line(2, "config %s", name(w.component, i))
		w.line(3, "bool \"Way %d of part %d\"", i, w.component)
		if i == to-2 {
			w.line(3, "depends on %s && !%s", flag(w.component+1), flag(w.component+6))
		}
	}
	w.line(1, "endchoice")
}

// symbol writes one symbol. It depends only on those before it, in its own
// component and in earlier ones, so that there is no cycle.
func (w *writer) symbol(i int) {
	n := w.component*perFile + i
	w.line(1, "%s %s", map[bool]string{true: "menuconfig", false: "config"}[n%90 == 0], name(w.component, i))
	switch {
	case isNumber(n, i):
		w.number(n, i)
	case isText(n, i):
		w.line(2, "string \"Text %d of the part\"", n)
		w.line(2, "default \"value-%d\"", n)
	default:
		w.bool(n, i)
	}
	if n%2 == 0 {
		w.line(2, "depends on %s", w.condition(n, i))
	}
	if n%8 != 3 {
		w.help(3 + n%5)
	}
	w.WriteByte('\n')
}

func (w *writer) number(n, i int) {
	kind, low, high := "int", fmt.Sprint(n%7), fmt.Sprint(1000+n%50)
	if n%25 == 0 {
		kind, low, high = "hex", fmt.Sprintf("0x%x", n%7), fmt.Sprintf("0x%X", 1000+n%50)
	}
	w.line(2, "%s \"Number %d of the part\"", kind, n)
	w.line(2, "range %s %s", low, high)
	if n%3 == 0 {
		w.line(2, "default %s if %s", high, w.condition(n, i))
	}
	w.line(2, "default %s", low)
}

func (w *writer) bool(n, i int) {
	w.line(2, "bool \"Switch %d of the part\"", n)
	if n%4 == 1 {
		w.line(2, "default y if %s", w.condition(n, i))
	}
	w.line(2, "default %c", "yn"[n%2])
	if i == 8 && isBool(w.component*perFile+18, 18) {
		w.line(2, "select %s if %s", name(w.component, 18), flag(n))
	}
}

// condition is an expression over symbols that come before a symbol.
func (w *writer) condition(n, i int) string {
	earlier := w.boolBefore(n, i)
	switch n % 6 {
	case 0:
		return earlier
	case 1:
		return "!" + flag(n)
	case 2:
		return fmt.Sprintf("(%s || %s) && !%s", earlier, flag(n), flag(n+3))
	case 3:
		return fmt.Sprintf("CAP_%d >= %d", 4*(n%100), n%60)
	case 4:
		return flag(n) + " && " + earlier
	}
	return earlier + " || " + flag(n+7)
}

// boolBefore names a bool that comes before a symbol.
func (w *writer) boolBefore(n, i int) string {
	for j := 4 + n%(i-3); j >= 4; j-- {
		if j < i && isBool(w.component*perFile+j, j) {
			return name(w.component, j)
		}
	}
	return name(max(0, w.component-1), 0)
}

// flag names a bool among the caps.
func flag(n int) string {
	n %= caps
	if n%4 == 0 {
		n++
	}
	return fmt.Sprintf("CAP_%d", n)
}

func isNumber(n, i int) bool { return i > 4 && n%5 == 0 }
func isText(n, i int) bool   { return i > 4 && n%60 == 7 }
func isBool(n, i int) bool   { return !isNumber(n, i) && !isText(n, i) }

func (w *writer) help(lines int) {
	w.line(2, "help")
	for i := range lines {
		w.line(3, "Line %d of what a person should know before this is changed, and why.", i)
	}
}
