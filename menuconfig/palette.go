package menuconfig

import (
	"strings"

	tea "charm.land/bubbletea/v2"
)

// A palette lists all keys of the menu. Enter does what the row says; typing
// leaves those that have the words.
type palette struct {
	list
	field field
}

func (p palette) found() (found []command) {
	words := strings.Fields(strings.ToLower(p.field.String()))
	for _, c := range commands() {
		has := true
		for _, w := range words {
			has = has && strings.Contains(strings.ToLower(c.help), w)
		}
		if has {
			found = append(found, c)
		}
	}
	return found
}

func (p palette) below(Model) int { return 0 }

func (p palette) hints() []hint {
	return []hint{{"enter", "do it"}, {"down", "next"}, {"esc", "close"}}
}

func (p palette) draw(m Model, h int) []line {
	g, found := m.glyphs(), p.found()
	field := p.field.draw(max(m.width-20, 1))
	field.spans = append([]span{{text: " / ", look: lookKey}}, field.spans...)
	field = field.split(text(lookNote, "the mouse works too"), m.width-1, g)
	return append([]line{field}, p.window(len(found), h-1, func(i int) line {
		c := found[i]
		keys := ""
		for _, k := range c.keys {
			keys += labelOf(k) + " "
		}
		l := lineOf(span{text: pick(i == p.at, " "+g.cursor+" ", "   ")}, span{text: keys, look: lookKey},
			span{text: strings.Repeat(" ", max(18-width(keys), 1))}, span{text: c.help})
		l.cursor, l.does = i == p.at, running(c)
		return l
	})...)
}

// running does a command in the menu.
func running(c command) action {
	return func(m Model) (Model, tea.Cmd) { return c.does(m.closeAll()) }
}

func (p palette) press(m Model, k key) (Model, tea.Cmd) {
	found := p.found()
	switch k.name {
	case "esc", "f1", "ctrl+c":
		return m.close(), nil
	case "enter":
		if len(found) > 0 {
			return running(found[min(p.at, len(found)-1)])(m)
		}
		return m, nil
	case "up", "down", "pgup", "pgdown", "ctrl+p", "ctrl+n":
		p.list, _ = p.list.press(k, len(found), m.bodyHeight()-1)
		return m.replace(p), nil
	}
	if f, ok := p.field.press(k); ok {
		p.field, p.list = f, list{}
		return m.replace(p), nil
	}
	return m, nil
}
