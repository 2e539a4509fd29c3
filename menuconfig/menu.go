package menuconfig

import (
	"fmt"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/tcpboot/tcpboot/menuconfig/kconfig"
)

// A layout is how many lines each part of the screen has, from above: a bar with
// title and file, the way to the present menu, its rows or what lies on them,
// what is known of the row or a question about it, and keys. A small screen has to
// do without some.
type layout struct{ bar, path, rule, body, foot, hints int }

func (m Model) layout() layout {
	from := func(height int) int { return pick(m.height >= height, 1, 0) }
	l := layout{bar: from(5), path: from(7), rule: from(12), foot: m.footHeight(), hints: from(4)}
	l.body = max(m.height-l.bar-l.path-2*l.rule-l.foot-l.hints, 0)
	return l
}

// footHeight is what a question wants, or one line, and more with a help text.
func (m Model) footHeight() int {
	if len(m.over) > 0 {
		if h := m.top().below(m); h > 0 {
			return min(h, max(m.height-4, 1))
		}
	}
	if m.helping() {
		return 1 + helpHeight + 1
	}
	return pick(m.height >= 6, 1, 0)
}

// helpHeight is how much of a help text lies below the menu.
const helpHeight = 4

func (m Model) helping() bool { return m.help && m.height >= 14 && len(m.over) == 0 }

// bodyHeight is how many rows can be seen.
func (m Model) bodyHeight() int { return max(m.layout().body, 1) }

// lines are those of the whole screen.
func (m Model) lines() []line {
	l := m.layout()
	rule := []line{m.rule()}[:l.rule]
	body := m.body(l.body)
	all := slices.Concat([]line{m.bar()}[:l.bar], []line{m.path()}[:l.path], rule,
		body, make([]line, max(l.body-len(body), 0)), rule, m.foot(l.foot), []line{m.hintLine()}[:l.hints])
	for i := range all {
		all[i] = all[i].cut(m.width, m.glyphs().more)
	}
	return all[:min(len(all), max(m.height, 0))]
}

func (m Model) rule() line { return text(lookRule, strings.Repeat(m.glyphs().rule, max(m.width, 0))) }

// body draws the topmost screen that wants all of it, or the menu.
func (m Model) body(h int) []line {
	for i := len(m.over) - 1; i >= 0; i-- {
		if m.over[i].below(m) == 0 {
			lines := m.over[i].draw(m, h)
			return lines[:min(len(lines), h)]
		}
	}
	rows := m.rows()
	if len(rows) == 0 {
		return []line{text(lookNote, "  Nothing in here is visible. a shows it.")}
	}
	top := scrolled(m.at.top, m.at.row, len(rows), h)
	var lines []line
	for i := top; i < min(len(rows), top+h); i++ {
		lines = append(lines, m.row(rows[i], i))
	}
	return lines
}

// foot is what lies below the menu: a question, or what is known of the row.
func (m Model) foot(h int) []line {
	switch {
	case h == 0:
		return nil
	case len(m.over) > 0 && m.top().below(m) > 0:
		lines := m.top().draw(m, h)
		return append(lines[:min(len(lines), h)], make([]line, max(h-len(lines), 0))...)
	case m.helping():
		return append(m.helpPane(helpHeight), m.rule(), m.about())
	}
	return []line{m.about()}
}

// helpPane is the help text of the row in h lines.
func (m Model) helpPane(h int) []line {
	lines := make([]line, h)
	if m.at.node == nil {
		return lines
	}
	help := m.at.node.Help()
	if help == "" {
		help = "There is no help text."
	}
	for i, l := range wrap(help, m.width-2) {
		if i == h {
			lines[h-1] = text(lookText, " "+l+m.glyphs().more)
			break
		}
		lines[i] = text(lookText, " "+l)
	}
	return lines
}

// bar is the top line: the title, the file, and how much is changed.
func (m Model) bar() line {
	right := clean(m.session.File)
	if over := width(right) - m.width/2; over > 0 {
		right = m.glyphs().more + ansi.TruncateLeft(right, over+1, "")
	}
	if n := len(m.changes); n > 0 {
		right += m.glyphs().dot + counted(n, "change")
	}
	if m.all {
		right = "all shown" + m.glyphs().dot + right
	}
	l := text(lookTitle, " "+m.title()).split(text(lookTitle, right+" "), m.width, m.glyphs())
	for i := range l.spans {
		l.spans[i].look = lookTitle
	}
	if gap := m.width - l.width(); gap > 0 {
		l.add(lookTitle, strings.Repeat(" ", gap))
	}
	return l
}

func (m Model) title() string { return clean(m.now.Tree().Root.Prompt) }

// path is the way to the present menu. Each part of it can be clicked. Of a long
// one the end is shown.
func (m Model) path() line {
	g := m.glyphs()
	var l line
	for i, menu := range trail(m.at.menu) {
		if i > 0 {
			l.add(lookRule, g.path)
		}
		name := "(Top)"
		if menu.Parent != nil {
			name = titleOf(menu)
		}
		l.spans = append(l.spans, span{name, lookPath, toMenu(menu)})
	}
	for l.width() > m.width-1 && len(l.spans) > 1 {
		l.spans = l.spans[1:]
	}
	l.spans = append([]span{{text: " "}}, l.spans...)
	return l
}

func toMenu(menu *kconfig.Node) action {
	return func(m Model) (Model, tea.Cmd) {
		m = m.closeAll()
		for m.at.menu != menu && m.at.menu.Parent != nil {
			m = m.leave()
		}
		return m, nil
	}
}

// about is the line about the row, or a message.
func (m Model) about() line {
	switch n := m.at.node; {
	case m.message != "" && m.alerting:
		return text(lookAlert, " "+clean(m.message))
	case m.message != "":
		return text(lookHead, " "+clean(m.message))
	case len(m.over) > 0:
		return m.aboutSubject()
	case n == nil:
		return line{}
	default:
		return m.aboutNode(n)
	}
}

// aboutSubject is about the entry that the topmost screen has its cursor on, or
// how much of its text is still to come.
func (m Model) aboutSubject() line {
	switch s := m.top().(type) {
	case interface{ subject(Model) *kconfig.Node }:
		if n := s.subject(m); n != nil {
			return m.aboutNode(n)
		}
	case interface{ rest(Model) int }:
		if n := s.rest(m); n > 0 {
			return text(lookNote, " "+counted(n, "more line")+" below")
		}
	}
	return line{}
}

func (m Model) aboutNode(n *kconfig.Node) line {
	why := m.trouble(n)
	known := []string{fmt.Sprintf("%s:%d", clean(n.File), n.Line)}
	if n.Kind == kconfig.KindSymbol {
		known = m.known(n.Symbol, why == "")
		known = append([]string{n.Symbol.Type.String()}, known...)
	}
	l := text(lookHead, " "+nameOf(n))
	l.add(lookNote, pick(nameOf(n) == "", "", "  ")+strings.Join(known, m.glyphs().dot))
	if why != "" {
		l.add(lookAlert, m.glyphs().dot+why)
	}
	if len(m.causes(n)) > 0 && len(m.over) == 0 {
		l.add(lookNote, m.glyphs().dot+"w goes there")
	}
	return l
}

// known is what a line says of an option: its range, and unless something else is
// said of its value, where that comes from. What a choice has not chosen comes
// from nowhere.
func (m Model) known(sym *kconfig.Symbol, origin bool) (known []string) {
	if limits := m.limits(sym); limits != "" {
		known = append(known, limits)
	}
	if origin && (sym.Choice == nil || m.isYes(sym)) {
		known = append(known, m.origin(sym))
	}
	return known
}

// hintLine shows the keys that fit, each to be clicked.
func (m Model) hintLine() line {
	hints := menuHints()
	if len(m.over) > 0 {
		hints = m.top().hints()
	}
	l, gap := text(lookText, " "), ""
	for _, h := range hints {
		label := labelOf(h.key)
		if l.width()+width(gap+label)+1+width(h.does) >= m.width {
			break
		}
		l.spans = append(l.spans, span{text: gap}, span{label, lookKey, pressing(h.key)}, span{" " + h.does, lookHint, pressing(h.key)})
		gap = "  "
	}
	return l
}

var labels = strings.NewReplacer("ctrl+", "Ctrl-", "f1", "F1", "enter", "Enter", "esc", "Esc", "tab", "Tab", "space", "Space",
	"pgup", "PgUp", "pgdown", "PgDn", "home", "Home", "end", "End", "left", "Left", "right", "Right", "up", "Up", "down", "Down", "backspace", "Backspace")

// labelOf is how a key is called on the screen.
func labelOf(key string) string {
	if len(key) == 1 {
		return key
	}
	return labels.Replace(key)
}
