package menuconfig

import (
	"strings"

	tea "charm.land/bubbletea/v2"
)

// A page is text to be read.
type page struct {
	title string
	lines []string
	top   int
}

func (p page) below(Model) int { return 0 }

func (p page) hints() []hint {
	return []hint{{"esc", "close"}, {"down", "scroll"}}
}

func (p page) draw(m Model, h int) []line {
	lines := []line{text(lookHead, " "+clean(p.title)), {}}
	body := p.wrapped(m)
	for _, l := range body[atMost(p.top, len(body), h-2):] {
		lines = append(lines, text(lookText, " "+l))
	}
	return lines
}

// rest is how many lines are below the screen.
func (p page) rest(m Model) int {
	n, h := len(p.wrapped(m)), m.bodyHeight()-2
	return n - h - atMost(p.top, n, h)
}

func (p page) wrapped(m Model) []string { return wrap(strings.Join(p.lines, "\n"), m.width-2) }

func (p page) press(m Model, k key) (Model, tea.Cmd) {
	h := m.bodyHeight() - 2
	if top, ok := scroll(k, p.top, len(p.wrapped(m)), h); ok {
		p.top = top
		return m.replace(p), nil
	}
	if closing(k) {
		return m.close(), nil
	}
	return m, nil
}

// closing reports whether a key closes what there is to be read.
func closing(k key) bool {
	switch k.name {
	case "esc", "q", "enter", "left", "h", "backspace", "ctrl+c":
		return true
	}
	return false
}

// scroll is a key that moves text of n lines on a screen of h.
func scroll(k key, top, n, h int) (int, bool) {
	switch k.name {
	case "up", "k", "ctrl+p":
		top--
	case "down", "j", "ctrl+n":
		top++
	case "pgup", "ctrl+b":
		top -= h
	case "pgdown", "ctrl+f", "space":
		top += h
	case "home", "g":
		top = 0
	case "end", "G":
		top = n
	default:
		return top, false
	}
	return atMost(top, n, h), true
}

// atMost keeps the first of n lines where it leaves no gap on a screen of h.
func atMost(top, n, h int) int { return max(min(top, n-max(h, 1)), 0) }
