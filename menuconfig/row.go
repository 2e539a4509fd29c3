package menuconfig

import (
	"fmt"
	"strings"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/tcpboot/tcpboot/menuconfig/kconfig"
)

// widest is how much of a value a row shows.
const widest = 32

// row draws a row: what is in it, and at the right what is known of it.
func (m Model) row(r row, i int) line {
	g := m.glyphs()
	l := line{cursor: i == m.at.row, does: m.clickRow(i)}
	l.add(lookText, pick(l.cursor, g.cursor, " "))
	if m.changedAt(r.node) {
		l.add(lookChanged, g.changed)
	} else {
		l.add(lookText, " ")
	}
	l.add(lookText, strings.Repeat("  ", r.indent)+" ")
	m.entry(&l, r)
	return l.split(m.note(r), m.width-1, g)
}

func pick[T any](is bool, yes, no T) T {
	if is {
		return yes
	}
	return no
}

func (l *line) add(look look, text string) {
	l.spans = append(l.spans, span{text: text, look: look})
}

// clickRow puts the cursor on a row; on the row where it is, it does what Enter
// does.
func (m Model) clickRow(i int) action {
	if i == m.at.row {
		return pressing("enter")
	}
	return toRow(i)
}

func toRow(i int) action {
	return func(m Model) (Model, tea.Cmd) { return m.move(i - m.at.row), nil }
}

// entry draws an entry: its mark or value, its prompt, and how it opens.
func (m Model) entry(l *line, r row) {
	n := r.node
	if n.Kind == kconfig.KindComment {
		l.add(lookNote, "*** "+clean(n.Prompt)+" ***")
		return
	}
	m.mark(l, n)
	prompt := lookText
	switch {
	case r.hidden:
		prompt = lookHidden
	case opens(n):
		prompt = lookMenu
	}
	l.add(prompt, m.prompt(n))
	if n.Kind == kconfig.KindChoice && m.now.Selection(n.Choice) != nil {
		l.add(lookValue, " ("+titleOf(m.nodeOf(m.now.Selection(n.Choice)))+")")
	}
	if opens(n) {
		l.add(lookOff, pick(m.empty(n), "  ----", "  --->"))
	}
}

// prompt is the text of an entry, with its name when names are asked for.
func (m Model) prompt(n *kconfig.Node) string {
	if name := nameOf(n); m.names && n.HasPrompt && name != "" {
		return titleOf(n) + " <" + name + ">"
	}
	return titleOf(n)
}

// titleOf is the text of an entry, or its name when it has no prompt.
func titleOf(n *kconfig.Node) string {
	if !n.HasPrompt {
		return "<" + nameOf(n) + ">"
	}
	return clean(n.Prompt)
}

func nameOf(n *kconfig.Node) string {
	switch n.Kind {
	case kconfig.KindSymbol:
		return n.Symbol.Name
	case kconfig.KindChoice:
		return n.Choice.Name
	}
	return ""
}

// mark draws what stands before the prompt: [*], (X), -*-, (value), or nothing.
func (m Model) mark(l *line, n *kconfig.Node) {
	if n.Kind != kconfig.KindSymbol {
		l.add(lookText, "    ")
		return
	}
	sym, look, mark := n.Symbol, lookValue, ""
	switch yes := m.isYes(sym); {
	case sym.Type != kconfig.TypeBool:
		mark = "(" + m.shown(sym, m.now.Value(sym).Text) + ")"
	case !m.now.Visible(sym) || m.now.Forced(sym):
		look, mark = lookOff, pick(yes, "-*-", "- -")
	case sym.Choice != nil:
		look, mark = pick(yes, lookOn, lookOff), pick(yes, "(X)", "( )")
	default:
		look, mark = pick(yes, lookOn, lookOff), pick(yes, "[*]", "[ ]")
	}
	look = pick(m.now.Shown(n), look, lookHidden)
	l.spans = append(l.spans, span{mark, look, toggling(n)}, span{text: " "})
}

// toggling is a click on a mark: it takes the cursor there and changes it.
func toggling(n *kconfig.Node) action {
	return func(m Model) (Model, tea.Cmd) {
		m.at.node = n
		return m.settle().toggle()
	}
}

func (m Model) isYes(sym *kconfig.Symbol) bool { return m.now.Value(sym) == kconfig.Bool(true) }

// shown is a value as far as a row has room for it, and anybody may see it.
func (m Model) shown(sym *kconfig.Symbol, text string) string {
	if m.session.secret(sym) && strings.Trim(text, `"`) != "" {
		return "secret"
	}
	return short(text, m.glyphs())
}

// short is text as far as a row has room for it.
func short(s string, g glyphs) string { return ansi.Truncate(clean(s), widest, g.more) }

// note is what is known of a row: why it is hidden or cannot be changed, that a
// value will not hold, or else its range and where it comes from.
func (m Model) note(r row) line {
	switch why := m.trouble(r.node); {
	case r.hidden:
		return text(lookNote, why)
	case why != "":
		return text(lookAlert, why)
	}
	var known []string
	switch n := r.node; n.Kind {
	case kconfig.KindSymbol:
		known = m.known(n.Symbol, true)
	case kconfig.KindChoice:
		if sym := m.now.Selection(n.Choice); sym != nil {
			known = append(known, m.origin(sym))
		}
	}
	return text(lookNote, strings.Join(known, m.glyphs().dot))
}

// limits are the bounds of a number in words.
func (m Model) limits(sym *kconfig.Symbol) string {
	low, high, ok := m.now.Range(sym)
	if !ok {
		return ""
	}
	return fmt.Sprintf("%s to %s", low, high)
}

// origin says where a value comes from.
func (m Model) origin(sym *kconfig.Symbol) string {
	why, at, by := m.now.Why(sym)
	switch {
	case why == kconfig.Selected:
		return "selected by " + by.Name
	case why == kconfig.Imposed:
		return "set by " + by.Name
	case why == kconfig.ByDefault:
		return "default"
	case at.File == "":
		return "chosen here"
	case m.session.Origin != nil:
		return clean(m.session.Origin(at))
	}
	return fmt.Sprintf("%s:%d", clean(at.File), at.Line)
}
