package menuconfig

import (
	"slices"
	"strings"

	"github.com/tcpboot/tcpboot/menuconfig/kconfig"
)

// trouble says what is odd about an entry: what is in its way, or that the value
// chosen for it has no effect.
func (m Model) trouble(n *kconfig.Node) string {
	if why := m.obstacle(n); why != "" {
		return why
	}
	return m.vain(n)
}

// obstacle says why an entry is not to be seen or cannot be changed, or nothing.
func (m Model) obstacle(n *kconfig.Node) string {
	if n.Kind == kconfig.KindSymbol {
		if why := m.held(n.Symbol); why != "" {
			return why
		}
	}
	switch {
	case !m.now.Shown(n):
		return m.hiding(n)
	case n.Kind == kconfig.KindSymbol && m.session.Barred != nil:
		return m.session.Barred(n.Symbol.Name)
	}
	return ""
}

// held says which symbols hold another at its value.
func (m Model) held(sym *kconfig.Symbol) string {
	if by := m.now.SetBy(sym); by != nil {
		return "set by " + by.Name
	}
	if by := m.now.SelectedBy(sym); len(by) > 0 && sym.Type == kconfig.TypeBool && sym.Choice == nil {
		return "selected by " + namesOf(by)
	}
	return ""
}

func namesOf(symbols []*kconfig.Symbol) string {
	var names []string
	for _, sym := range symbols {
		names = append(names, sym.Name)
	}
	return strings.Join(names, ", ")
}

// hiding says why an entry is not to be seen.
func (m Model) hiding(n *kconfig.Node) string {
	if !n.HasPrompt {
		return "no prompt: others decide on it"
	}
	var needs []string
	for _, e := range m.now.Missing(n) {
		needs = append(needs, clean(e.String()))
	}
	return "needs " + strings.Join(slices.Compact(needs), " and ")
}

// vain says that the value chosen for an option has no effect, and why.
func (m Model) vain(n *kconfig.Node) string {
	c := m.conflicts[n.Symbol]
	if n.Kind != kconfig.KindSymbol || c == nil {
		return ""
	}
	v, _, _ := m.now.User(n.Symbol)
	return "chosen " + m.shown(n.Symbol, v.Text) + ": " + c.Why
}

// refusal says why a value that was chosen is not the one that holds.
func refusal(s *kconfig.Settings, sym *kconfig.Symbol) string {
	for _, c := range s.Check() {
		if c.Symbol == sym {
			return c.Why
		}
	}
	return "this value does not hold"
}

// causes are the symbols that are in an entry's way.
func (m Model) causes(n *kconfig.Node) (causes []*kconfig.Symbol) {
	if n.Kind == kconfig.KindSymbol {
		if by := m.now.SetBy(n.Symbol); by != nil {
			return []*kconfig.Symbol{by}
		}
		if m.held(n.Symbol) != "" {
			return m.now.SelectedBy(n.Symbol)
		}
	}
	if m.now.Shown(n) {
		return nil
	}
	for _, e := range m.now.Missing(n) {
		causes = append(causes, e.Symbols()...)
	}
	return causes
}

// toCause goes to what is in the way of the row.
func (m Model) toCause() Model {
	if m.at.node == nil {
		return m
	}
	if causes := m.causes(m.at.node); len(causes) > 0 {
		return m.jump(m.nodeOf(causes[0])).tell(m.obstacle(m.at.node))
	}
	return m.tell("nothing is in the way of this")
}
