package menuconfig

import (
	"slices"
	"strings"
)

// A look is what a piece of text is, as far as its colours are concerned.
type look uint8

const (
	lookText    look = iota
	lookTitle        // the bar at the top
	lookPath         // where we are
	lookRule         // lines between the parts
	lookOn           // [*]
	lookOff          // [ ]
	lookValue        // (8123)
	lookMenu         // what opens
	lookHidden       // shown although its conditions do not hold
	lookNote         // what is known beside a row
	lookAlert        // what will not hold, and why
	lookChanged      // not as in the file
	lookKey          // a key in the hints
	lookHint         // what it does
	lookHead         // a heading
	lookLink         // a symbol to go to
	lookHere         // the link, button or field that Enter is about
	lookMatch        // what was searched for
	looks
)

// A theme is the look of everything, as the parameters of SGR sequences. Empty is
// the terminal's own look.
type theme struct {
	name   string
	sgr    [looks]string
	cursor string // added to all that is in the row of the cursor
	alone  bool   // in that row nothing else counts
}

// The themes. None sets the background of more than a bar: the terminal's own is
// what its owner can read on.
var themes = []theme{
	{name: "dark", cursor: "48;5;237", sgr: [looks]string{
		lookTitle: "1;38;5;231;48;5;24", lookPath: "38;5;110", lookRule: "38;5;239", lookOn: "1;38;5;114", lookOff: "38;5;247",
		lookValue: "38;5;80", lookMenu: "1", lookHidden: "38;5;246", lookNote: "38;5;247", lookAlert: "38;5;215", lookChanged: "1;38;5;221",
		lookKey: "1;38;5;117", lookHint: "38;5;248", lookHead: "1;38;5;110", lookLink: "38;5;117", lookHere: "1;38;5;16;48;5;117", lookMatch: "1;38;5;221",
	}},
	{name: "light", cursor: "48;5;254", sgr: [looks]string{
		lookTitle: "1;38;5;231;48;5;25", lookPath: "38;5;25", lookRule: "38;5;250", lookOn: "1;38;5;28", lookOff: "38;5;240",
		lookValue: "38;5;24", lookMenu: "1", lookHidden: "38;5;242", lookNote: "38;5;240", lookAlert: "38;5;130", lookChanged: "1;38;5;161",
		lookKey: "1;38;5;25", lookHint: "38;5;240", lookHead: "1;38;5;25", lookLink: "38;5;26", lookHere: "1;38;5;231;48;5;25", lookMatch: "1;38;5;161",
	}},
	{name: "aquatic", cursor: "38;5;231;48;5;30", alone: true, sgr: [looks]string{
		lookTitle: "1;38;5;231;48;5;30", lookPath: "38;5;30", lookRule: "38;5;30", lookOn: "1;38;5;30", lookOff: "38;5;244",
		lookValue: "38;5;30", lookMenu: "1", lookHidden: "38;5;244", lookNote: "38;5;244", lookAlert: "38;5;166", lookChanged: "1;38;5;166",
		lookKey: "1;38;5;30", lookHint: "38;5;244", lookHead: "1;38;5;30", lookLink: "38;5;30", lookHere: "1;38;5;231;48;5;30", lookMatch: "1;38;5;166",
	}},
	{name: "monochrome", cursor: "7", alone: true, sgr: [looks]string{
		lookTitle: "1;7", lookPath: "1", lookMenu: "1", lookChanged: "1", lookAlert: "1", lookKey: "1", lookHead: "1", lookLink: "4", lookHere: "7", lookMatch: "4",
	}},
	// either is of middle colours: they can be read on white and on black, as long
	// as nobody knows which of them there is.
	{name: "either", cursor: "7", alone: true, sgr: [looks]string{
		lookTitle: "1;38;5;231;48;5;25", lookPath: "38;5;32", lookRule: "38;5;244", lookOn: "1;38;5;28", lookOff: "38;5;244",
		lookValue: "38;5;31", lookMenu: "1", lookHidden: "38;5;244", lookNote: "38;5;244", lookAlert: "38;5;166", lookChanged: "1;38;5;166",
		lookKey: "1;38;5;32", lookHint: "38;5;244", lookHead: "1;38;5;32", lookLink: "38;5;32", lookHere: "7", lookMatch: "1;38;5;166",
	}},
}

// auto is the theme that goes by what the terminal says of itself.
const auto = "auto"

// Themes are the names of the themes, the one that is chosen by default first.
func Themes() []string {
	names := []string{auto}
	for _, t := range themes[:len(themes)-1] {
		names = append(names, t.name)
	}
	return names
}

func themeNamed(name string) theme {
	return themes[slices.IndexFunc(themes, func(t theme) bool { return t.name == name })]
}

// styled reads what MENUCONFIG_STYLE holds: words, of which the first that names
// a theme counts.
func styled(style string) string {
	for _, word := range strings.Fields(style) {
		if slices.Contains(Themes(), word) {
			return word
		}
	}
	return auto
}

// A terminal is what is known of the terminal.
type terminal struct {
	colours  bool // 256 of them at least
	answered bool // it said what its background is
	light    bool
}

// theme is the look that was asked for, in this terminal.
func (t terminal) theme(name string) theme {
	switch {
	case name != auto:
		return themeNamed(name)
	case !t.colours:
		return themeNamed("monochrome")
	case !t.answered:
		return themeNamed("either")
	case t.light:
		return themeNamed("light")
	}
	return themeNamed("dark")
}

// render prints a line for the terminal; that of the cursor is w columns wide.
func (t theme) render(l line, w int) string {
	var b strings.Builder
	for _, s := range l.spans {
		sgr := t.sgr[s.look]
		if l.cursor && t.alone && s.look != lookHere {
			sgr = t.cursor
		} else if l.cursor {
			sgr = strings.Trim(sgr+";"+t.cursor, ";")
		}
		paint(&b, sgr, s.text)
	}
	if gap := w - l.width(); l.cursor && gap > 0 {
		paint(&b, t.cursor, strings.Repeat(" ", gap))
	}
	return b.String()
}

func paint(b *strings.Builder, sgr, s string) {
	if sgr == "" || s == "" {
		b.WriteString(s)
		return
	}
	b.WriteString("\x1b[" + sgr + "m" + s + "\x1b[m")
}

// Glyphs are the characters beyond letters that we draw with.
type glyphs struct {
	cursor, changed, rule, more, path, becomes, dot, caret string
}

var (
	unicodeGlyphs = glyphs{"›", "•", "─", "…", " › ", " → ", " · ", "▏"}
	asciiGlyphs   = glyphs{">", "*", "-", "~", " > ", " -> ", ", ", "_"}
)
