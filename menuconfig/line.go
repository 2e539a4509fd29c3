package menuconfig

import (
	"strings"
	"unicode"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
)

// A line is one line of the screen.
type line struct {
	spans  []span
	cursor bool   // the one that keys are about
	does   action // on a click where no span says otherwise; nil is nothing
}

// A span is a piece of a line that looks the same all along.
type span struct {
	text string
	look look
	does action
}

// An action is what a key, a click or an answer does.
type action func(Model) (Model, tea.Cmd)

func lineOf(spans ...span) line { return line{spans: spans} }

// text is a line of one look.
func text(l look, s string) line { return lineOf(span{text: s, look: l}) }

// width is how many columns of a terminal s takes.
func width(s string) int { return ansi.StringWidth(s) }

func (l line) width() int {
	w := 0
	for _, s := range l.spans {
		w += width(s.text)
	}
	return w
}

// String is the line as plain text.
func (l line) String() string {
	var b strings.Builder
	for _, s := range l.spans {
		b.WriteString(s.text)
	}
	return b.String()
}

// cut returns the line in at most w columns, with more at its end in place of
// what it loses.
func (l line) cut(w int, more string) line {
	if l.width() <= w {
		return l
	}
	spans := l.spans
	l.spans = nil
	for _, s := range spans {
		if room := w - width(more); width(s.text) > room {
			s.text = ansi.Truncate(s.text, max(room, 0), "") + ansi.Truncate(more, max(w, 0), "")
			l.spans = append(l.spans, s)
			return l
		}
		w -= width(s.text)
		l.spans = append(l.spans, s)
	}
	return l
}

// split puts right at the right end of a line of w columns; what does not fit is
// cut from it, and all of it left out when little would remain.
func (l line) split(right line, w int, g glyphs) line {
	room := w - l.width() - 2
	if right = right.cut(room, g.more); room < 6 || right.width() == 0 {
		return l.cut(w, g.more)
	}
	l.spans = append(l.spans, span{text: strings.Repeat(" ", w-l.width()-right.width())})
	l.spans = append(l.spans, right.spans...)
	return l
}

// at returns what a click in column x does.
func (l line) at(x int) action {
	for _, s := range l.spans {
		if x -= width(s.text); x < 0 {
			if s.does != nil {
				return s.does
			}
			break
		}
	}
	return l.does
}

// wrap breaks text into lines of at most w columns. The lines that it has stay,
// and so does the indent of each.
func wrap(s string, w int) (lines []string) {
	for _, l := range strings.Split(strings.TrimRight(s, "\n"), "\n") {
		l = clean(l)
		body := strings.TrimLeft(l, " ")
		indent := l[:min(len(l)-len(body), max(w/2, 0))]
		for _, part := range strings.Split(ansi.Wrap(body, max(w-len(indent), 1), ""), "\n") {
			lines = append(lines, indent+strings.TrimRight(part, " "))
		}
	}
	return lines
}

// clean takes out of text from a file what a terminal would obey: a value with
// escape sequences could paint a screen that lies. Marks that turn the direction
// of writing around go too.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case unicode.IsControl(r), unicode.In(r, unicode.Bidi_Control, unicode.Zl, unicode.Zp), r == unicode.ReplacementChar:
			return '?'
		}
		return r
	}, s)
}
