package menuconfig

import (
	tea "charm.land/bubbletea/v2"

	"github.com/tcpboot/tcpboot/menuconfig/kconfig"
)

// A command is what keys do in the menu.
type command struct {
	keys []string // the first is the one that is shown
	hint string   // in the line at the bottom; empty: not there
	help string
	does action
}

// commands are all keys of the menu.
func commands() []command {
	return []command{
		{[]string{"f1", "p"}, "keys", "all keys, and by Enter what they do", opening(func(Model) screen { return palette{} })},
		{[]string{"/"}, "search", "search names and prompts, and go there", opening(func(m Model) screen { return newSearch(m) })},
		{[]string{"?", "i"}, "info", "all about the row: help, conditions, who decides on it", about},
		{[]string{"s"}, "save", "save", func(m Model) (Model, tea.Cmd) { return m.save(false) }},
		{[]string{"q", "ctrl+c"}, "quit", "quit, with a question when something is not saved", quit},
		{[]string{"u"}, "undo", "undo the last change", doing(Model.undo)},
		{[]string{"v"}, "changes", "what is changed, since the file or from the defaults", opening(func(Model) screen { return differences{} })},
		{[]string{"a"}, "all", "show hidden entries too, and why they are hidden", doing(Model.showAll)},
		{[]string{"c"}, "names", "show names beside prompts", doing(func(m Model) Model { m.names = !m.names; return m })},
		{[]string{"f"}, "help", "show the help text of the row below the menu", doing(func(m Model) Model { m.help = !m.help; return m.settle() })},
		{[]string{"r"}, "reset", "reset the row to its default; of a menu all that is in it", reset},
		{[]string{"enter", "right", "l"}, "", "open a menu, change a value", activate},
		{[]string{"space"}, "", "change a value, of a menu with one too", func(m Model) (Model, tea.Cmd) { return m.toggle() }},
		{[]string{"y"}, "", "set to y", setting(true)},
		{[]string{"n"}, "", "set to n", setting(false)},
		{[]string{"left", "h", "backspace"}, "", "back to the menu around this one", doing(Model.leave)},
		{[]string{"esc"}, "", "the same; at the top, quit", escape},
		{[]string{"U", "ctrl+r"}, "", "do again what was undone", doing(Model.redo)},
		{[]string{"w"}, "", "go to what hides this row or holds its value", doing(Model.toCause)},
		{[]string{"b", "ctrl+o"}, "", "back from a jump", doing(Model.back)},
		{[]string{"S"}, "", "save as another file, and go on with it", opening(saveAsDialog)},
		{[]string{"d"}, "", "save what differs from the defaults, as sdkconfig.defaults", opening(minimalDialog)},
		{[]string{"o"}, "", "load a file on top of the present values", opening(loadDialog)},
		{[]string{"e"}, "", "lines of the files that had no effect", opening(func(m Model) screen { return oddities(m.session.Odd) })},
		{[]string{"t"}, "", "another theme of colours", doing(Model.nextTheme)},
		{[]string{"up", "k", "ctrl+p"}, "", "up", doing(func(m Model) Model { return m.move(-1) })},
		{[]string{"down", "j", "ctrl+n"}, "", "down", doing(func(m Model) Model { return m.move(1) })},
		{[]string{"pgup", "ctrl+b"}, "", "a screen up", doing(func(m Model) Model { return m.move(-m.bodyHeight()) })},
		{[]string{"pgdown", "ctrl+f"}, "", "a screen down", doing(func(m Model) Model { return m.move(m.bodyHeight()) })},
		{[]string{"home", "g"}, "", "to the first row", doing(func(m Model) Model { return m.move(-m.at.row) })},
		{[]string{"end", "G"}, "", "to the last row", doing(func(m Model) Model { return m.move(len(m.rows())) })},
		{[]string{"ctrl+z"}, "", "put the menu into the background", func(m Model) (Model, tea.Cmd) { return m, tea.Suspend }},
	}
}

func doing(f func(Model) Model) action {
	return func(m Model) (Model, tea.Cmd) { return f(m), nil }
}

func opening(of func(Model) screen) action {
	return func(m Model) (Model, tea.Cmd) { return m.open(of(m)), nil }
}

func setting(yes bool) action {
	return func(m Model) (Model, tea.Cmd) {
		if n := m.at.node; n != nil && n.Kind == kconfig.KindSymbol && n.Symbol.Type == kconfig.TypeBool {
			return m.choose(n, kconfig.Bool(yes))
		}
		return m, nil
	}
}

func menuHints() (hints []hint) {
	for _, c := range commands() {
		if c.hint != "" {
			hints = append(hints, hint{c.keys[0], c.hint})
		}
	}
	return hints
}

// pressMenu is a key in the menu.
func (m Model) pressMenu(k key) (Model, tea.Cmd) {
	for _, c := range commands() {
		for _, name := range c.keys {
			if name == k.name {
				return c.does(m)
			}
		}
	}
	return m, nil
}

// activate opens a menu, changes a bool, or asks for a value.
func activate(m Model) (Model, tea.Cmd) {
	switch n := m.at.node; {
	case n == nil:
		return m, nil
	case opens(n):
		return m.enter(n), nil
	}
	return m.toggle()
}

// toggle changes what is in the row: a bool to its other value, a menu that is a
// bool too. Others it asks for, or opens.
func (m Model) toggle() (Model, tea.Cmd) {
	switch n := m.at.node; {
	case n == nil || n.Kind == kconfig.KindComment:
		return m, nil
	case n.Kind != kconfig.KindSymbol:
		return m.enter(n), nil
	case n.Symbol.Type == kconfig.TypeBool:
		return m.choose(n, kconfig.Bool(!m.isYes(n.Symbol) || n.Symbol.Choice != nil))
	default:
		return m.edit(n)
	}
}

func escape(m Model) (Model, tea.Cmd) {
	if m.at.menu.Parent == nil {
		return quit(m)
	}
	return m.leave(), nil
}

func quit(m Model) (Model, tea.Cmd) {
	if m.unsaved() {
		return m.open(differences{quitting: true}), nil
	}
	return m, tea.Quit
}

func about(m Model) (Model, tea.Cmd) {
	if m.at.node == nil {
		return m, nil
	}
	return m.open(info{node: m.at.node, link: -1}), nil
}

// showAll shows hidden entries, or hides them again. A menu that is itself hidden
// then is left.
func (m Model) showAll() Model {
	m.all = !m.all
	for !m.all && m.at.menu.Parent != nil && !m.now.Shown(m.at.menu) {
		m = m.leave()
		m.all = false
	}
	return m.settle()
}

func (m Model) nextTheme() Model {
	names := Themes()
	for i, name := range names {
		if name == m.style {
			m.style = names[(i+1)%len(names)]
			break
		}
	}
	return m.tell("theme " + m.style)
}

// reset takes choices back: of an option, or after a question of a whole menu.
func reset(m Model) (Model, tea.Cmd) {
	n := m.at.node
	if n == nil {
		return m, nil
	}
	symbols := within(n)
	if n.Kind == kconfig.KindSymbol && !n.Menuconfig {
		symbols = []*kconfig.Symbol{n.Symbol}
	}
	chosen := m.chosen(symbols)
	switch {
	case len(chosen) == 0:
		return m.tell("nothing was chosen here"), nil
	case !opens(n) || n.Kind == kconfig.KindChoice:
		return m.unset(chosen, titleOf(n)+" reset"), nil
	}
	question := []string{"Reset all in " + titleOf(n) + "? " + counted(len(chosen), "value") + " will be the default again."}
	return m.open(askYesNo(question, func(m Model) (Model, tea.Cmd) { return m.unset(chosen, titleOf(n)+" reset"), nil })), nil
}

// within are the symbols of an entry and of all below it.
func within(n *kconfig.Node) (symbols []*kconfig.Symbol) {
	if n.Kind == kconfig.KindSymbol {
		symbols = append(symbols, n.Symbol)
	}
	for _, c := range n.Children {
		symbols = append(symbols, within(c)...)
	}
	return symbols
}

func (m Model) chosen(symbols []*kconfig.Symbol) (chosen []*kconfig.Symbol) {
	for _, sym := range symbols {
		if _, _, ok := m.now.User(sym); ok {
			chosen = append(chosen, sym)
		}
	}
	return chosen
}

func (m Model) unset(symbols []*kconfig.Symbol, what string) Model {
	next := m.now.Clone()
	next.Unset(symbols...)
	next, err := m.session.reread(next)
	if err != nil {
		return m.alert("not reset: " + err.Error())
	}
	return m.become(next, what)
}

// choose gives an option another value, unless something is in the way. An
// option with a warning is asked about before its first change.
func (m Model) choose(n *kconfig.Node, v kconfig.Value) (Model, tea.Cmd) {
	sym := n.Symbol
	switch why := m.obstacle(n); {
	case why != "":
		return m.alert(sym.Name + ": " + why), nil
	case sym.Choice != nil && m.isYes(sym) && v == kconfig.Bool(false):
		return m.alert(sym.Name + ": it is what is chosen: choose another instead"), nil
	case sym.Warning != "" && !m.warned(sym):
		return m.open(warn(n, v)), nil
	}
	next := m.now.Clone()
	if err := next.Set(sym.Name, v); err != nil {
		return m.alert(err.Error()), nil
	}
	before, after := m.now.Value(sym), next.Value(sym)
	if before == after && v != after {
		return m.alert(sym.Name + ": " + refusal(next, sym)), nil
	}
	m = m.become(next, sym.Name+" "+m.shown(sym, before.String())+m.glyphs().becomes+m.shown(sym, after.String()))
	if sym.Choice != nil && m.at.menu.Kind == kconfig.KindChoice && len(n.Children) == 0 {
		return m.leave(), nil
	}
	return m, nil
}
