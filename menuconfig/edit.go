package menuconfig

import (
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/tcpboot/tcpboot/menuconfig/kconfig"
)

// An editor asks for the value of an option that is no bool. For a secret it
// begins with nothing, and shows nothing of what is typed but how long it is.
type editor struct {
	node    *kconfig.Node
	field   field
	byself  string // the value that it has when nobody chooses one
	refused string // why the text is no value for it
}

func (m Model) edit(n *kconfig.Node) (Model, tea.Cmd) {
	if why := m.obstacle(n); why != "" {
		return m.alert(n.Symbol.Name + ": " + why), nil
	}
	v, _, chosen := m.now.User(n.Symbol)
	if !chosen {
		v = m.now.Value(n.Symbol)
	}
	if m.session.secret(n.Symbol) {
		return m.open(editor{node: n, field: field{masked: true}}), nil
	}
	return m.open(editor{node: n, field: fieldOf(v.Text), byself: m.byDefault(n.Symbol).Text}.checked(m)), nil
}

// byDefault is the value that a symbol has when nobody chooses one.
func (m Model) byDefault(sym *kconfig.Symbol) kconfig.Value {
	s := m.now.Clone()
	s.Unset(sym)
	return s.Value(sym)
}

func (e editor) below(Model) int { return 4 }

func (e editor) hints() []hint {
	return []hint{{"enter", "set"}, {"esc", "cancel"}, {"ctrl+u", "clear"}, {"ctrl+r", "the default"}}
}

func (e editor) draw(m Model, h int) []line {
	g, sym := m.glyphs(), e.node.Symbol
	about := sym.Type.String()
	if limits := m.limits(sym); limits != "" {
		about += ", " + limits
	}
	if e.byself != "" {
		about += g.dot + "default " + short(e.byself, g)
	}
	lines := []line{
		lineOf(span{text: " " + titleOf(e.node), look: lookHead}, span{text: "  " + sym.Name, look: lookNote}),
		text(lookNote, " "+about),
		e.field.draw(max(m.width-4, 1)),
		text(lookAlert, " "+e.refused),
	}
	lines[2].spans = append([]span{{text: " " + g.cursor + " ", look: lookKey}}, lines[2].spans...)
	return lines[max(min(len(lines)-h, 2), 0):] // for want of room without the first
}

func (e editor) press(m Model, k key) (Model, tea.Cmd) {
	switch k.name {
	case "esc", "ctrl+c":
		return m.close(), nil
	case "enter":
		if e.field.masked && e.field.String() == "" {
			return m.close().tell("nothing was typed: it stays as it is"), nil
		}
		v, why := e.value(m)
		if why != "" {
			e.refused = why
			return m.replace(e), nil
		}
		return m.close().choose(e.node, v)
	case "ctrl+r":
		e.field.text, e.field.at = fieldOf(e.byself).text, len([]rune(e.byself))
		return m.replace(e.checked(m)), nil
	}
	if f, ok := e.field.press(k); ok {
		e.field = f
		return m.replace(e.checked(m)), nil
	}
	return m, nil
}

// checked is the editor with what is to be said about its text.
func (e editor) checked(m Model) editor {
	_, e.refused = e.value(m)
	return e
}

// value is what was typed, or why it is none.
func (e editor) value(m Model) (v kconfig.Value, why string) {
	sym := e.node.Symbol
	v = kconfig.Value{Type: sym.Type, Text: e.field.String()}
	if sym.Type != kconfig.TypeString {
		v.Text = strings.TrimSpace(v.Text)
	}
	if sym.Type == kconfig.TypeHex && !strings.HasPrefix(strings.ToLower(v.Text), "0x") {
		v.Text = "0x" + v.Text
	}
	if err := (kconfig.Assignment{Name: sym.Name, Value: v}).Check(); err != nil && sym.Type == kconfig.TypeString {
		return v, err.Error()
	}
	s := m.now.Clone()
	if err := s.Set(sym.Name, v); err != nil {
		return v, strings.TrimPrefix(err.Error(), "option "+sym.Name+": ")
	}
	if got, _, _ := s.User(sym); s.Value(sym) != got {
		return v, refusal(s, sym)
	}
	return v, ""
}
