package kconfig

import (
	"math"
	"strings"
)

// evaluate does one step and reports whether its result changed.
func (s *Settings) evaluate(at step) (changed bool) {
	switch kind, i := s.tree.plan.split(at); kind {
	case stepDep:
		return renew(&s.dep[i], s.depends(s.tree.nodes[i]))
	case stepShown:
		n := s.tree.nodes[i]
		return renew(&s.shown[i], (n.scope == nil || s.shown[n.scope.index]) && s.holds(n.visibleIf))
	case stepSymbol:
		return renew(&s.values[i], s.evaluateSymbol(s.tree.Symbols[i]))
	case stepMode:
		return renew(&s.modes[i], s.prompts(s.tree.Choices[i].Nodes))
	default:
		return s.evaluateChoice(s.tree.Choices[i])
	}
}

func renew[T comparable](old *T, now T) (changed bool) {
	changed = *old != now
	*old = now
	return changed
}

func (s *Settings) depends(n *Node) bool {
	switch {
	case n.scope == nil:
		return true
	case n.scope.Kind == KindChoice:
		return s.modes[n.scope.Choice.index] && s.holds(n.depends)
	}
	return s.dep[n.scope.index] && s.holds(n.depends)
}

// prompted reports whether an entry's prompt is to be seen.
func (s *Settings) prompted(n *Node) bool {
	return n.HasPrompt && s.dep[n.index] && s.shown[n.scope.index] && s.holds(n.promptIf)
}

func (s *Settings) prompts(nodes []*Node) bool {
	for _, n := range nodes {
		if s.prompted(n) {
			return true
		}
	}
	return false
}

// dependsMet reports whether the dependencies of one of a symbol's definitions
// hold.
func (s *Settings) dependsMet(sym *Symbol) bool {
	for _, n := range sym.Nodes {
		if s.dep[n.index] {
			return true
		}
	}
	return false
}

// applies reports whether what another symbol says counts now.
func (s *Settings) applies(r reverse) bool {
	return s.isYes(r.by) && s.dep[r.at.index] && s.holds(r.cond)
}

func (s *Settings) anyApplies(list []reverse) bool {
	for _, r := range list {
		if s.applies(r) {
			return true
		}
	}
	return false
}

// holds evaluates a condition.
func (s *Settings) holds(e *Expr) bool {
	if e == nil {
		return true
	}
	switch e.op {
	case opSymbol:
		return s.isYes(e.symbol)
	case opChoice:
		return s.modes[e.choice.index]
	case opAnd:
		return s.holds(e.x) && s.holds(e.y)
	case opOr:
		return s.holds(e.x) || s.holds(e.y)
	case opNot:
		return !s.holds(e.x)
	}
	return s.compare(e.op, e.x.symbol, e.y.symbol)
}

// isYes is a symbol as a condition: what is no bool is n.
func (s *Settings) isYes(sym *Symbol) bool {
	if !sym.Defined() {
		return sym == yes
	}
	return sym.Type == TypeBool && s.values[sym.index].text == "y"
}

// text is a symbol as a value: what is not defined is its own name.
func (s *Settings) text(sym *Symbol) string {
	if !sym.Defined() || sym.Type == TypeBare {
		return sym.Name
	}
	return s.values[sym.index].text
}

// compare compares two strings as text, anything else as numbers if both are.
func (s *Settings) compare(op op, a, b *Symbol) bool {
	order, ok := 0, false
	if a.Type != TypeString || b.Type != TypeString {
		if order, ok = s.compareNumbers(a, b); order == incomparable {
			return op == opUnequal
		}
	}
	if !ok {
		order = strings.Compare(s.text(a), s.text(b))
	}
	switch op {
	case opEqual:
		return order == 0
	case opUnequal:
		return order != 0
	case opLess:
		return order < 0
	case opLessEqual:
		return order <= 0
	case opGreater:
		return order > 0
	}
	return order >= 0
}

// incomparable is the order of two numbers of which one is NaN.
const incomparable = 2

// compareNumbers compares two symbols as numbers; ok is false when one is none.
func (s *Settings) compareNumbers(a, b *Symbol) (order int, ok bool) {
	if a.Type == TypeBool {
		a = boolNumber(s.isYes(a))
	}
	if b.Type == TypeBool {
		b = boolNumber(s.isYes(b))
	}
	x, y := parseInt(s.text(a), a.Type.base()), parseInt(s.text(b), b.Type.base())
	if x != nil && y != nil {
		return x.Cmp(y), true
	}
	f, okF := parseFloat(s.text(a))
	g, okG := parseFloat(s.text(b))
	if x != nil {
		f, _ = x.Float64()
	}
	if y != nil {
		g, _ = y.Float64()
	}
	switch d := f - g; {
	case x == nil && !okF || y == nil && !okG:
		return 0, false
	case math.IsNaN(d):
		return incomparable, true
	case d < 0:
		return -1, true
	case d > 0:
		return 1, true
	}
	return 0, true
}

var two, none = constant("2"), constant("0")

// boolNumber is a bool among numbers: 2 or 0.
func boolNumber(y bool) *Symbol {
	if y {
		return two
	}
	return none
}

// evaluateSymbol returns whether a symbol is visible, and unless a choice
// decides on it its value.
func (s *Settings) evaluateSymbol(sym *Symbol) value {
	visible := s.prompts(sym.Nodes)
	v := value{visible: visible, written: visible}
	switch {
	case sym.member():
		v.text, v.written = s.values[sym.index].text, s.values[sym.index].written
	case sym.Type == TypeBool:
		s.evaluateBool(sym, &v)
	case sym.Type == TypeString:
		s.evaluateString(sym, &v)
	case sym.Type.number():
		s.evaluateNumber(sym, &v)
	default:
		v.text, v.written = sym.Name, false
	}
	return v
}

// evaluateBool: select, then what somebody chose, then imply or a default.
func (s *Settings) evaluateBool(sym *Symbol, v *value) {
	y := false
	if u := s.users[sym.index]; v.visible && u.set {
		y = u.text == "y"
	} else {
		d, _ := s.defaultOf(sym)
		y = d == "y" || s.anyApplies(sym.implied) && s.dependsMet(sym)
	}
	y = y || s.anyApplies(sym.selected)
	v.text, v.written = Bool(y).Text, v.written || y
}

// evaluateString: set, then what somebody chose, then set default, then a
// default.
func (s *Settings) evaluateString(sym *Symbol, v *value) {
	if r, ok := s.firstSet(sym.set); ok {
		v.text, v.written, v.forced = s.text(r.value.symbol), true, true
		return
	}
	if u := s.users[sym.index]; v.visible && u.set {
		v.text = u.text
		return
	}
	if r, ok := s.firstSet(sym.weakSet); ok && s.dependsMet(sym) {
		v.text, v.written = s.text(r.value.symbol), true
	}
	if v.text == "" {
		s.takeDefault(sym, v)
	}
}

// takeDefault gives a symbol that is no bool its default, if one holds.
func (s *Settings) takeDefault(sym *Symbol, v *value) {
	if text, ok := s.defaultOf(sym); ok {
		v.text, v.written = sym.normal(text), true
	}
}

// firstSet returns the first of what others set that counts.
func (s *Settings) firstSet(list []reverse) (r reverse, ok bool) {
	for _, r := range list {
		if s.applies(r) {
			return r, true
		}
	}
	return reverse{}, false
}

// defaultOf returns the first default whose condition holds, y or n for a bool.
func (s *Settings) defaultOf(sym *Symbol) (text string, ok bool) {
	if k := s.kept[sym.index]; k.set {
		if !s.allDepends(sym.Nodes) {
			return "", false
		}
		return k.text, true
	}
	for _, n := range sym.Nodes {
		if len(n.defaults) == 0 || !s.dep[n.index] {
			continue
		}
		for _, d := range n.defaults {
			if !s.holds(d.cond) {
				continue
			}
			if sym.Type == TypeBool {
				return Bool(s.holds(d.value)).Text, true
			}
			return s.text(d.value.symbol), true
		}
	}
	return "", false
}

// allDepends is the condition of a default that a file's mark gave.
func (s *Settings) allDepends(nodes []*Node) bool {
	for _, n := range nodes {
		if !s.dep[n.index] {
			return false
		}
	}
	return true
}

// evaluateNumber: set, then what somebody chose within the range, then set
// default, then a default; and what is outside the range is clamped.
func (s *Settings) evaluateNumber(sym *Symbol, v *value) {
	r, ranged := s.bounds(sym)
	u := s.users[sym.index]
	if set, ok := s.firstSet(sym.set); ok && sym.Type.reads(set.value.symbol.Name) {
		v.text, v.written, v.forced = sym.normal(set.value.symbol.Name), true, true
	} else if v.visible && u.set && (!ranged || s.beyond(sym, u.text, r) == nil) {
		v.text = u.text
		return
	} else {
		s.numberDefault(sym, v)
	}
	if ranged {
		if limit := s.beyond(sym, v.text, r); limit != nil {
			v.text = clamped(s.text(limit), sym.Type)
		}
	}
}

func (s *Settings) numberDefault(sym *Symbol, v *value) {
	if r, ok := s.firstSet(sym.weakSet); ok && s.dependsMet(sym) && sym.Type.reads(r.value.symbol.Name) {
		v.text, v.written = sym.normal(r.value.symbol.Name), true
	}
	if v.text == "" {
		s.takeDefault(sym, v)
	}
}

// normal is how a symbol spells a value that it did not clamp: only floats are
// rewritten.
func (s *Symbol) normal(text string) string {
	if s.Type == TypeFloat {
		return shortest(text)
	}
	return text
}

// beyond returns the bound that a number breaks, or nil.
func (s *Settings) beyond(sym *Symbol, text string, r bounds) *Symbol {
	low, high := r.low.symbol, r.high.symbol
	switch {
	case compareAs(sym.Type, text, s.text(low)) < 0:
		return low
	case compareAs(sym.Type, text, s.text(high)) > 0:
		return high
	}
	return nil
}

// evaluateChoice picks the member that is y, and gives all members their value.
func (s *Settings) evaluateChoice(c *Choice) (changed bool) {
	p := s.selection(c)
	s.picked[c.index] = p
	for _, m := range c.Members {
		if !m.member() {
			continue
		}
		v := s.values[m.index]
		v.text, v.written = Bool(v.visible && m == p).Text, v.visible
		changed = renew(&s.values[m.index], v) || changed
	}
	return changed
}

// selection is the member that somebody chose if it is visible, or else the
// one by default.
func (s *Settings) selection(c *Choice) *Symbol {
	if !s.modes[c.index] {
		return nil
	}
	if u := s.picks[c.index].user; u != nil && s.values[u.index].visible {
		return u
	}
	return s.defaultSelection(c)
}

// defaultSelection is the first default that holds and is visible, or else the
// first member that is.
func (s *Settings) defaultSelection(c *Choice) *Symbol {
	visible := func(sym *Symbol) bool { return sym.Defined() && s.values[sym.index].visible }
	if k := s.picks[c.index].kept; k != nil {
		if s.allDepends(c.Nodes) && visible(k) {
			return k
		}
	} else {
		for _, d := range c.defaults {
			if s.dep[d.node.index] && s.holds(d.cond) && visible(d.value.symbol) {
				return d.value.symbol
			}
		}
	}
	for _, m := range c.Members {
		if visible(m) {
			return m
		}
	}
	return nil
}
