package menuconfig

import (
	"fmt"

	tea "charm.land/bubbletea/v2"

	"github.com/tcpboot/tcpboot/menuconfig/kconfig"
)

// A change is an option that has another value in one place than in another. It
// was chosen, or it follows from what was.
type change struct {
	symbol        *kconfig.Symbol
	before, after string // empty: not in the file
	follows       bool
}

// changesOf lists what the file would say otherwise in now, what was chosen
// first. A value that was the default and is now chosen is such a change too.
func changesOf(before, now *kconfig.Settings) []change {
	var chosen, following []change
	for _, sym := range now.Tree().Symbols {
		c := change{sym, inFile(before, sym), inFile(now, sym), sameChoice(before, now, sym)}
		if marks := before.IsDefault(sym) != now.IsDefault(sym); c.before == c.after && marks && c.after != "" {
			c.before, c.after = marked(before, sym), marked(now, sym)
		}
		switch {
		case c.before == c.after:
		case c.follows:
			following = append(following, c)
		default:
			chosen = append(chosen, c)
		}
	}
	return append(chosen, following...)
}

// inFile is a value as it stands in the file, or nothing.
func inFile(s *kconfig.Settings, sym *kconfig.Symbol) string {
	if !s.Written(sym) {
		return ""
	}
	return s.Value(sym).String()
}

// marked is a value and whether it is the default.
func marked(s *kconfig.Settings, sym *kconfig.Symbol) string {
	return inFile(s, sym) + pick(s.IsDefault(sym), " by default", "")
}

// sameChoice reports whether two settings agree on whether a value is somebody's.
func sameChoice(a, b *kconfig.Settings, sym *kconfig.Symbol) bool {
	v, _, chosen := a.User(sym)
	w, _, too := b.User(sym)
	return v == w && chosen == too
}

// count finds what is changed and what does not hold, after the settings are
// other ones.
func (m Model) count() Model {
	m.changes = changesOf(m.saved, m.now)
	m.conflicts = map[*kconfig.Symbol]*kconfig.Conflict{}
	for _, c := range m.now.Check() {
		m.conflicts[c.Symbol] = c
	}
	m.changed = map[*kconfig.Symbol]bool{}
	for _, c := range m.changes {
		m.changed[c.symbol] = true
	}
	return m
}

// changedAt reports whether an entry, or something in its menu, is not as in the
// file.
func (m Model) changedAt(n *kconfig.Node) bool {
	switch {
	case len(m.changed) == 0:
		return false
	case n.Kind == kconfig.KindSymbol && m.changed[n.Symbol]:
		return true
	case !opens(n):
		return false
	}
	return m.changedIn(n)
}

func (m Model) changedIn(n *kconfig.Node) bool {
	for _, c := range n.Children {
		if c.Kind == kconfig.KindSymbol && m.changed[c.Symbol] || m.changedIn(c) {
			return true
		}
	}
	return false
}

// differences is the screen that lists changes: against the file, or against all
// defaults.
type differences struct {
	list
	defaults bool
	quitting bool // the question is whether to save them
}

func (d differences) of(m Model) []change {
	if d.defaults {
		return changesOf(m.now.Tree().Settings(), m.now)
	}
	return m.changes
}

func (d differences) below(Model) int { return 0 }

func (d differences) hints() []hint {
	if d.quitting {
		return []hint{{"y", "save and quit"}, {"n", "quit, lose them"}, {"esc", "go on"}, {"enter", "show it"}, {"r", "take it back"}}
	}
	return []hint{{"enter", "show it"}, {"r", "take it back"}, {"tab", pick(d.defaults, "against the file", "against all defaults")}, {"s", "save"}, {"esc", "close"}}
}

func (d differences) draw(m Model, h int) []line {
	changes, g := d.of(m), m.glyphs()
	lines := []line{text(lookHead, " "+d.heading(m, len(changes))), {}}
	return append(lines, d.window(len(changes), h-len(lines), func(i int) line {
		c := changes[i]
		l := lineOf(span{text: pick(d.at == i, " "+g.cursor+" ", "   ")}, span{text: pick(c.follows, "  ", ""), look: lookText},
			span{text: c.symbol.Name, look: lookMenu}, span{text: "  "}, span{text: m.inList(c.symbol, c.before), look: lookOff},
			span{text: g.becomes, look: lookNote}, span{text: m.inList(c.symbol, c.after), look: lookValue})
		l.cursor, l.does = d.at == i, d.click(i)
		return l.split(text(lookNote, pick(c.follows, "follows", "")+pick(c.follows, g.dot, "")+titleOf(m.nodeOf(c.symbol))), m.width-1, g)
	})...)
}

func (m Model) inList(sym *kconfig.Symbol, value string) string {
	if value == "" {
		return "none"
	}
	return m.shown(sym, value)
}

func (d differences) heading(m Model, n int) string {
	switch {
	case d.quitting && m.session.Saved == nil && n == 0:
		return fmt.Sprintf("There is no %s yet. Save it?", m.session.File)
	case d.quitting && n == 0:
		return fmt.Sprintf("No value is changed, but %s would be written in another way. Save it?", m.session.File)
	case d.quitting:
		return fmt.Sprintf("%s not saved in %s. Save them?", counted(n, "change"), m.session.File)
	case d.defaults:
		return fmt.Sprintf("%s from the defaults", counted(n, "difference"))
	}
	return fmt.Sprintf("%s since %s", counted(n, "change"), m.session.File)
}

func counted(n int, what string) string {
	return fmt.Sprintf("%d %s", n, what+pick(n == 1, "", "s"))
}

func (d differences) subject(m Model) *kconfig.Node {
	if changes := d.of(m); len(changes) > 0 {
		return m.nodeOf(changes[min(d.at, len(changes)-1)].symbol)
	}
	return nil
}

func (d differences) click(i int) action {
	return func(m Model) (Model, tea.Cmd) {
		if d.at == i {
			return m.press(keyNamed("enter"))
		}
		d.at = i
		return m.replace(d), nil
	}
}

func (d differences) press(m Model, k key) (Model, tea.Cmd) {
	changes := d.of(m)
	if l, ok := d.list.press(k, len(changes), m.bodyHeight()-2); ok {
		d.list = l
		return m.replace(d), nil
	}
	switch {
	case d.quitting && k.name == "y":
		return m.close().save(true)
	case d.quitting && (k.name == "n" || k.name == "ctrl+c"):
		return m, tea.Quit
	}
	switch k.name {
	case "ctrl+c":
		return quit(m.close())
	case "esc", "q", "left", "h", "backspace", "v":
		return m.close(), nil
	case "tab":
		d.defaults, d.at, d.top = !d.defaults && !d.quitting, 0, 0
		return m.replace(d), nil
	case "s":
		return m.close().save(d.quitting)
	case "u":
		return m.undo(), nil
	case "U", "ctrl+r":
		return m.redo(), nil
	case "enter", "right", "l":
		if n := d.subject(m); n != nil {
			return m.jump(n), nil
		}
	case "r":
		if n := d.subject(m); n != nil {
			return d.takeBack(m, n.Symbol), nil
		}
	}
	return m, nil
}

// takeBack gives a symbol the value that it has in what is compared with; a
// member of a choice all its fellows too.
func (d differences) takeBack(m Model, sym *kconfig.Symbol) Model {
	next := m.now.Clone()
	next.Unset(sym)
	group := []*kconfig.Symbol{sym}
	if sym.Choice != nil {
		group = sym.Choice.Members
	}
	for _, sym := range group {
		v, _, chosen := m.saved.User(sym)
		if chosen && !d.defaults {
			_ = next.Set(sym.Name, v) // it took this value before
		}
	}
	return m.become(next, sym.Name+" taken back")
}
