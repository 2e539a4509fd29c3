package kconfig

import (
	"fmt"
	"slices"
	"strings"
)

// A Conflict is a value that somebody chose and that has no effect.
type Conflict struct {
	Symbol *Symbol
	At     Origin
	Why    string // "hidden, because NET does not hold"
}

// Error prints "board.defaults:3: PORT: outside the range 1 to 65535". It does
// not show the value, which may be a secret.
func (c *Conflict) Error() string {
	at := ""
	if c.At.File != "" {
		at = fmt.Sprintf("%s:%d: ", c.At.File, c.At.Line)
	}
	return at + c.Symbol.Name + ": " + c.Why
}

// Check returns the chosen values that have no effect, in the order of the
// tree.
func (s *Settings) Check() []*Conflict {
	var conflicts []*Conflict
	for _, sym := range s.tree.Symbols {
		if why := s.inVain(sym); why != "" {
			conflicts = append(conflicts, &Conflict{sym, s.users[sym.index].at, why})
		}
	}
	return conflicts
}

// inVain says why the value chosen for a symbol has no effect, or nothing.
func (s *Settings) inVain(sym *Symbol) string {
	u, v := s.users[sym.index], s.values[sym.index]
	switch {
	case !u.set || u.text == v.text:
		return ""
	case sym.member() && u.text == "y" && s.picks[sym.Choice.index].user != sym:
		return "" // another member was chosen after it
	case !sym.HasPrompt():
		return "nobody can choose it: it has no prompt"
	case !v.visible:
		return "hidden, because " + s.whyHidden(sym)
	case sym.member():
		return fmt.Sprintf("it is the selection of %s: set another member to y instead", sym.Choice)
	case v.forced:
		return "set by " + s.SetBy(sym).Name
	case sym.Type == TypeBool:
		return "selected by " + s.SelectedBy(sym)[0].Name
	}
	low, high, _ := s.Range(sym)
	return fmt.Sprintf("outside the range %s to %s", low, high)
}

// Problems returns what is odd about the values now, by the place of the symbol:
// a default that the range moved, a select against the dependencies.
func (s *Settings) Problems() []*Error {
	var list []*Error
	note := func(sym *Symbol, format string, args ...any) {
		e := sym.Nodes[0].place()
		e.Why = fmt.Sprintf(format, args...)
		list = append(list, e)
	}
	for _, sym := range s.tree.Symbols {
		v := s.values[sym.index]
		if by := s.SelectedBy(sym); sym.Type == TypeBool && len(by) > 0 && !s.dependsMet(sym) {
			note(sym, "%s is selected by %s although its dependencies do not hold", sym.Name, by[0].Name)
		}
		if d, ok := s.defaultOf(sym); ok && sym.Type.number() && s.fromDefault(sym) && sym.normal(d) != v.text {
			low, high, _ := s.Range(sym)
			note(sym, "the default %s of %s is outside the range %s to %s", d, sym.Name, low, high)
		}
	}
	return list
}

// fromDefault reports whether a number has its value from a default.
func (s *Settings) fromDefault(sym *Symbol) bool {
	u, v := s.users[sym.index], s.values[sym.index]
	_, weak := s.firstSet(sym.weakSet)
	return !v.forced && !weak && (!v.visible || !u.set || u.text != v.text)
}

// whyHidden says in words what keeps a symbol from being visible.
func (s *Settings) whyHidden(sym *Symbol) string {
	var reasons []string
	for _, n := range sym.Nodes {
		for _, e := range s.Missing(n) {
			reasons = append(reasons, e.String())
		}
	}
	return strings.Join(slices.Compact(reasons), " and ") + " does not hold"
}

// Missing returns the conditions that keep an entry's prompt from being shown:
// all of them must hold, and these do not; a menu's visible if is among them. In
// place of a choice that is not shown stands what keeps it from that.
func (s *Settings) Missing(n *Node) []*Expr {
	var missing []*Expr
	for _, e := range and(n.VisibleIf(), n.visibleIf).Terms() {
		switch {
		case s.holds(e):
		case e.op == opChoice:
			for _, m := range e.choice.Nodes {
				missing = append(missing, s.Missing(m)...)
			}
		default:
			missing = append(missing, e)
		}
	}
	return missing
}
