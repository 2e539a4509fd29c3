package menuconfig

import (
	"slices"

	tea "charm.land/bubbletea/v2"

	"github.com/tcpboot/tcpboot/menuconfig/kconfig"
)

// A question lies below the menu until it is answered.
type question struct {
	text    []string
	answers []answer
	at      int // the answer that Enter gives
}

// An answer is given by its key too.
type answer struct {
	key, label string
	does       action
}

// askYesNo does something after a yes. Enter alone is a no.
func askYesNo(text []string, yes action) question {
	return question{text: text, answers: []answer{{"y", "yes", yes}, {"n", "no", doing(func(m Model) Model { return m })}}, at: 1}
}

// warn asks before the first change of an option that has a warning.
func warn(n *kconfig.Node, v kconfig.Value) question {
	return askYesNo([]string{n.Symbol.Warning, "Change " + n.Symbol.Name + "?"}, func(m Model) (Model, tea.Cmd) {
		m.asked = append(slices.Clip(m.asked), n.Symbol)
		return m.choose(n, v)
	})
}

func (m Model) warned(sym *kconfig.Symbol) bool { return slices.Contains(m.asked, sym) }

func (q question) below(m Model) int { return len(q.wrapped(m)) + 1 }

func (q question) wrapped(m Model) (lines []string) {
	for _, t := range q.text {
		lines = append(lines, wrap(t, m.width-2)...)
	}
	return lines
}

func (q question) hints() (hints []hint) {
	for _, a := range q.answers {
		hints = append(hints, hint{a.key, a.label})
	}
	return append(hints, hint{"esc", "cancel"})
}

func (q question) draw(m Model, h int) (lines []line) {
	for _, t := range q.wrapped(m) {
		lines = append(lines, text(lookAlert, " "+t))
	}
	buttons := text(lookText, " ")
	for i, a := range q.answers {
		look := lookKey
		if i == q.at {
			look = lookHere
		}
		buttons.spans = append(buttons.spans, span{"[ " + a.label + " ]", look, pressing(a.key)}, span{text: "  "})
	}
	return append(lines[:min(len(lines), h-1)], buttons)
}

func (q question) press(m Model, k key) (Model, tea.Cmd) {
	for i, a := range q.answers {
		if k.name == a.key || k.name == "enter" && i == q.at {
			return a.does(m.close())
		}
	}
	switch k.name {
	case "esc", "q", "ctrl+c":
		return m.close(), nil
	case "left", "right", "tab", "shift+tab", "h", "l":
		q.at = (q.at + 1) % len(q.answers)
		return m.replace(q), nil
	}
	return m, nil
}
