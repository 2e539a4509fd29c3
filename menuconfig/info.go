package menuconfig

import (
	"fmt"
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/tcpboot/tcpboot/menuconfig/kconfig"
)

// An info is all that is known of an entry. The symbols that it names are links.
type info struct {
	node *kconfig.Node
	top  int
	link int // the one that Enter follows; -1 is none
}

func (v info) below(Model) int { return 0 }

func (v info) hints() []hint {
	return []hint{{"esc", "close"}, {"tab", "next link"}, {"enter", "follow"}, {"m", "show in the menu"}, {"c", "copy"}, {"?", "keys"}}
}

// A sheet is an info being written.
type sheet struct {
	m     Model
	lines []line
	links []*kconfig.Symbol
	at    []int // the line of each link
	link  int
}

func (v info) sheet(m Model) *sheet {
	s := &sheet{m: m, link: v.link}
	s.opening(v.node)
	if help := v.node.Help(); help != "" {
		s.head("Help")
		s.text(lookText, help)
	}
	s.terms("Shown if", v.node.VisibleIf())
	if v.node.Kind == kconfig.KindChoice {
		s.symbols("One of", v.node.Choice.Members)
	}
	if v.node.Kind == kconfig.KindSymbol {
		s.symbol(v.node.Symbol)
	}
	s.definitions(v.node)
	return s
}

func (s *sheet) head(title string) { s.lines = append(s.lines, line{}, text(lookHead, " "+title)) }

func (s *sheet) text(l look, body string) {
	for _, t := range wrap(body, s.m.width-4) {
		s.lines = append(s.lines, text(l, "   "+t))
	}
}

// opening is what the entry is and what it has come to.
func (s *sheet) opening(n *kconfig.Node) {
	l := text(lookMenu, " "+titleOf(n))
	if n.HasPrompt && nameOf(n) != "" {
		l.add(lookNote, "  "+nameOf(n))
	}
	s.lines = append(s.lines, l)
	if n.Kind == kconfig.KindSymbol {
		s.lines = append(s.lines, s.value(n.Symbol))
	}
	if why := s.m.trouble(n); why != "" {
		s.text(lookAlert, why)
	}
	if n.Warning != "" {
		s.text(lookAlert, n.Warning)
	}
}

func (s *sheet) value(sym *kconfig.Symbol) line {
	l := text(lookNote, "   "+sym.Type.String())
	l.add(lookText, " = ")
	l.add(lookValue, s.whole(sym, s.m.now.Value(sym)))
	known := append([]string{""}, s.m.known(sym, s.m.trouble(s.m.nodeOf(sym)) == "")...)
	if d := s.m.byDefault(sym); !s.m.now.IsDefault(sym) {
		known = append(known, "by default "+s.whole(sym, d))
	}
	if !s.m.now.Written(sym) {
		known = append(known, "not in the file")
	}
	l.add(lookNote, strings.Join(known, s.m.glyphs().dot))
	return l
}

// whole is a value in full, unless it is a secret.
func (s *sheet) whole(sym *kconfig.Symbol, v kconfig.Value) string {
	if s.m.session.secret(sym) {
		return s.m.shown(sym, v.Text)
	}
	return clean(v.String())
}

// terms lists conditions that all must hold, and which of them do.
func (s *sheet) terms(title string, e *kconfig.Expr) {
	terms := e.Terms()
	if len(terms) == 0 {
		return
	}
	s.head(title)
	for _, t := range terms {
		holds := s.m.now.Holds(t)
		l := text(pick(holds, lookOn, lookOff), pick(holds, "   y ", "   n "))
		s.term(&l, t)
		s.lines = append(s.lines, l)
	}
}

// term is a condition with the values of the symbols in it. One that is a symbol
// and nothing else is shown by its link.
func (s *sheet) term(l *line, t *kconfig.Expr) {
	symbols, whole := t.Symbols(), clean(t.String())
	if len(symbols) == 1 && symbols[0].Name == whole {
		s.addLink(l, symbols[0])
		l.add(lookNote, "  "+titleOf(s.m.nodeOf(symbols[0])))
		return
	}
	l.add(lookText, whole)
	for _, sym := range symbols {
		l.add(lookText, "  ")
		s.addLink(l, sym)
		l.add(lookNote, "="+s.m.shown(sym, s.m.now.Value(sym).Text))
	}
}

// addLink adds a symbol that can be followed.
func (s *sheet) addLink(l *line, sym *kconfig.Symbol) {
	look := lookLink
	if s.link == len(s.links) {
		look = lookHere
	}
	s.links, s.at = append(s.links, sym), append(s.at, len(s.lines))
	l.spans = append(l.spans, span{sym.Name, look, following(sym)})
}

func following(sym *kconfig.Symbol) action {
	return func(m Model) (Model, tea.Cmd) { return m.open(info{node: m.nodeOf(sym), link: -1}), nil }
}

func (s *sheet) symbols(title string, symbols []*kconfig.Symbol) {
	if len(symbols) == 0 {
		return
	}
	s.head(title)
	for _, sym := range symbols {
		yes := sym.Type == kconfig.TypeBool && s.m.isYes(sym)
		l := lineOf(span{text: pick(yes, "   y ", "   n "), look: pick(yes, lookOn, lookOff)})
		s.addLink(&l, sym)
		l.add(lookNote, "  "+titleOf(s.m.nodeOf(sym)))
		s.lines = append(s.lines, l)
	}
}

func (s *sheet) symbol(sym *kconfig.Symbol) {
	selecting, implying, setting := sym.Selectors()
	s.symbols("Selected by", selecting)
	s.symbols("Implied by", implying)
	s.symbols("Set by", setting)
	if sym.Choice != nil {
		s.symbols("One of", sym.Choice.Members)
	}
}

// definitions are where an entry stands, and what stands there.
func (s *sheet) definitions(n *kconfig.Node) {
	nodes := []*kconfig.Node{n}
	switch n.Kind {
	case kconfig.KindSymbol:
		nodes = n.Symbol.Nodes
	case kconfig.KindChoice:
		nodes = n.Choice.Nodes
	}
	for _, n := range nodes {
		s.head(fmt.Sprintf("Defined in %s:%d", clean(n.File), n.Line))
		if where := s.m.whereabouts(n); where != "" {
			s.text(lookPath, "(Top)"+s.m.glyphs().path+where)
		}
		for _, at := range s.m.now.Tree().Inclusions(n.File) {
			s.text(lookNote, fmt.Sprintf("taken in by %s:%d", at.File, at.Line))
		}
		s.text(lookText, n.Definition())
	}
}

func (v info) draw(m Model, h int) []line {
	lines := v.sheet(m).lines
	return lines[atMost(v.top, len(lines), h):]
}

// rest is how many lines are below the screen.
func (v info) rest(m Model) int {
	n, h := len(v.sheet(m).lines), m.bodyHeight()
	return n - h - atMost(v.top, n, h)
}

func (v info) press(m Model, k key) (Model, tea.Cmd) {
	s, h := v.sheet(m), m.bodyHeight()
	if top, ok := scroll(k, v.top, len(s.lines), h); ok {
		v.top = top
		return m.replace(v), nil
	}
	switch k.name {
	case "tab", "shift+tab":
		return m.replace(v.next(s, pick(k.name == "tab", 1, -1), h)), nil
	case "enter", "right", "l":
		if v.link >= 0 && v.link < len(s.links) {
			return following(s.links[v.link])(m)
		}
	case "m":
		return m.jump(v.node), nil
	case "c":
		return m.tell("copied"), tea.SetClipboard(s.String())
	case "?", "f1":
		return m.replace(palette{}), nil
	}
	if closing(k) {
		return m.close(), nil
	}
	return m, nil
}

// next goes on to another link, and scrolls to it.
func (v info) next(s *sheet, by, h int) info {
	if len(s.links) == 0 {
		return v
	}
	v.link = (max(v.link, pick(by > 0, -1, 0)) + by + len(s.links)) % len(s.links)
	v.top = scrolled(v.top, s.at[v.link], len(s.lines), h)
	return v
}

// String is the sheet as text.
func (s *sheet) String() string {
	var b strings.Builder
	for _, l := range s.lines {
		b.WriteString(strings.TrimRight(strings.TrimPrefix(l.String(), " "), " ") + "\n")
	}
	return b.String()
}
