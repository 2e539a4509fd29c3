package menuconfig

import (
	"slices"
	"strings"
	"unicode"

	"github.com/charmbracelet/x/ansi"
)

// A field is one line of text that is being typed.
type field struct {
	text   []rune
	at     int // the cursor is before text[at]
	masked bool
}

func fieldOf(s string) field {
	text := []rune(s)
	return field{text: text, at: len(text)}
}

func (f field) String() string { return string(f.text) }

// press edits the text; ok is false when the key has nothing to do with that.
func (f field) press(k key) (g field, ok bool) {
	switch k.name {
	case "left", "ctrl+b":
		f.at = max(f.at-1, 0)
	case "right", "ctrl+f":
		f.at = min(f.at+1, len(f.text))
	case "home", "ctrl+a":
		f.at = 0
	case "end", "ctrl+e":
		f.at = len(f.text)
	case "backspace":
		f = f.without(max(f.at-1, 0), f.at)
	case "delete", "ctrl+d":
		f = f.without(f.at, min(f.at+1, len(f.text)))
	case "ctrl+u":
		f = f.without(0, f.at)
	case "ctrl+k":
		f = f.without(f.at, len(f.text))
	case "ctrl+w":
		f = f.without(f.wordBefore(), f.at)
	default:
		if k.text == "" {
			return f, false
		}
		typed := []rune(strings.TrimRight(k.text, "\r\n"))
		f.text = slices.Concat(f.text[:f.at], typed, f.text[f.at:])
		f.at += len(typed)
	}
	return f, true
}

// without takes a piece of the text away. It makes a new one: screens are values.
func (f field) without(from, to int) field {
	f.text, f.at = slices.Concat(f.text[:from], f.text[to:]), from
	return f
}

func (f field) wordBefore() int {
	at := f.at
	for at > 0 && unicode.IsSpace(f.text[at-1]) {
		at--
	}
	for at > 0 && !unicode.IsSpace(f.text[at-1]) {
		at--
	}
	return at
}

// draw shows the field in w columns, scrolled so that its cursor is in them.
func (f field) draw(w int) line {
	if f.masked {
		f.text = []rune(strings.Repeat("*", len(f.text)))
	}
	before, under, after := clean(string(f.text[:f.at])), " ", ""
	if f.at < len(f.text) {
		under, after = clean(string(f.text[f.at])), clean(string(f.text[f.at+1:]))
	}
	if over := width(before) + 1 - w; over > 0 {
		before = ansi.TruncateLeft(before, over, "")
	}
	after = ansi.Truncate(after, max(w-width(before)-width(under), 0), "")
	return lineOf(span{text: before, look: lookValue}, span{text: under, look: lookHere}, span{text: after, look: lookValue})
}
