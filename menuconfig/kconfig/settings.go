package kconfig

import (
	"fmt"
	"math/bits"
	"slices"
)

// A Settings is what somebody chose in a Tree, and every value that follows
// from it. Tree.Settings makes one. It is not safe for concurrent use.
type Settings struct {
	tree *Tree

	// What was chosen, and what files say; by Symbol.index and Choice.index.
	users []userValue
	files []fileValue
	kept  []keptDefault // a marked value that became the only default
	picks []picked

	// What follows.
	dep    []bool // an entry's whole condition holds
	shown  []bool // no visible if around an entry hides what is in it
	values []value
	modes  []bool // a choice has a selection to make
	picked []*Symbol

	dirty []uint64 // places to evaluate again, a bit each
	first int      // the words of dirty before it are 0
}

// A userValue is what somebody chose for a symbol, effective or not.
type userValue struct {
	set  bool
	text string
	at   Origin
}

// An Origin says where a value was chosen: a line of a file, or no file at all.
type Origin struct {
	File string
	Line int
}

// A fileValue is what files say of a symbol, chosen or marked.
type fileValue struct {
	set    bool
	text   string
	marked bool
}

type keptDefault struct {
	set  bool
	text string
}

// A picked is the member of a choice that somebody chose, and the member that a
// file's mark made the only default.
type picked struct{ user, kept *Symbol }

// A value is what a symbol has come to.
type value struct {
	text    string // y or n of a bool
	visible bool
	written bool // has a line in sdkconfig
	forced  bool // set by another symbol
}

// Settings returns the tree with nothing chosen: all defaults.
func (t *Tree) Settings() *Settings {
	s := &Settings{tree: t,
		users: make([]userValue, len(t.Symbols)), files: make([]fileValue, len(t.Symbols)), kept: make([]keptDefault, len(t.Symbols)),
		picks: make([]picked, len(t.Choices)), dep: make([]bool, len(t.nodes)), shown: make([]bool, len(t.nodes)),
		values: make([]value, len(t.Symbols)), modes: make([]bool, len(t.Choices)), picked: make([]*Symbol, len(t.Choices)),
		dirty: make([]uint64, len(t.plan.order)/64+1),
	}
	s.evaluateAll()
	return s
}

// Clone returns a copy that changes on its own.
func (s *Settings) Clone() *Settings {
	c := *s
	c.users, c.files, c.kept, c.picks = slices.Clone(s.users), slices.Clone(s.files), slices.Clone(s.kept), slices.Clone(s.picks)
	c.dep, c.shown, c.values = slices.Clone(s.dep), slices.Clone(s.shown), slices.Clone(s.values)
	c.modes, c.picked = slices.Clone(s.modes), slices.Clone(s.picked)
	c.dirty = slices.Clone(s.dirty)
	return &c
}

// Tree returns the tree that s is about.
func (s *Settings) Tree() *Tree { return s.tree }

// touch says that what was chosen for a symbol may be another now.
func (s *Settings) touch(sym *Symbol) {
	p := &s.tree.plan
	for _, at := range []step{p.symbolStep(sym), p.valueStep(sym)} {
		s.soil(p.place[at])
	}
}

func (s *Settings) soil(place int32) {
	s.dirty[place/64] |= 1 << (place % 64)
	s.first = min(s.first, int(place/64))
}

func (s *Settings) evaluateAll() {
	for place := range s.tree.plan.order {
		s.soil(int32(place))
	}
	s.evaluateAgain()
}

// evaluateAgain evaluates what was touched, and what uses it as long as
// something changes. Users have later places, so one walk is enough.
func (s *Settings) evaluateAgain() {
	p := &s.tree.plan
	for i := s.first; i < len(s.dirty); i++ {
		for s.dirty[i] != 0 {
			bit := bits.TrailingZeros64(s.dirty[i])
			s.dirty[i] &^= 1 << bit
			place := i*64 + bit
			if s.evaluate(p.order[place]) {
				for _, user := range p.usersOf(place) {
					s.soil(user)
				}
			}
		}
	}
	s.first = len(s.dirty)
}

// Set chooses a value for a symbol. It is kept, and has its effect once it may,
// when the symbol is hidden or the value outside its range: Check says so then.
// The error says that there is no such symbol, or that it never takes such a
// value; nothing is changed then.
func (s *Settings) Set(name string, v Value) error {
	sym := s.tree.Symbol(name)
	if sym == nil {
		return fmt.Errorf("there is no option %s", name)
	}
	text, ok := sym.accept(v)
	if !ok {
		return fmt.Errorf("option %s: %s is wanted", name, sym.wants())
	}
	s.set(sym, text, Origin{})
	s.evaluateAgain()
	return nil
}

// wants says in words which values a symbol takes.
func (s *Symbol) wants() string {
	switch s.Type {
	case TypeBool:
		return "y or n"
	case TypeString:
		return "a string"
	case TypeInt:
		return "a decimal number"
	case TypeHex:
		return "a hexadecimal number"
	case TypeFloat:
		return "a number"
	}
	return "nothing"
}

// accept returns the text by which a symbol keeps v; ok is false when v is of
// no use to it.
func (s *Symbol) accept(v Value) (text string, ok bool) {
	if v.Type == TypeString && s.Type != TypeString {
		return "", false
	}
	switch s.Type {
	case TypeBool:
		b, ok := v.True()
		return Bool(b).Text, ok
	case TypeString:
		return v.Text, v.Type == TypeString
	case TypeHex:
		n := parseInt(v.Text, 16)
		return v.Text, n != nil && n.Sign() >= 0
	case TypeFloat:
		return shortest(v.Text), s.Type.reads(v.Text)
	}
	return v.Text, s.Type.reads(v.Text)
}

// set takes a value that the symbol accepts.
func (s *Settings) set(sym *Symbol, text string, at Origin) {
	s.users[sym.index] = userValue{true, text, at}
	if sym.Choice != nil && text == "y" {
		s.pick(sym)
	}
	s.touch(sym)
}

// pick makes a member the chosen one, which says n of the others, whatever
// files said.
func (s *Settings) pick(sym *Symbol) {
	s.picks[sym.Choice.index].user = sym
	for _, m := range sym.Choice.Members {
		if m != sym {
			s.files[m.index] = fileValue{true, "n", false}
		}
	}
}

// Unset takes the choices made for symbols back; for a member of a choice, for
// all its members.
func (s *Settings) Unset(symbols ...*Symbol) {
	for _, sym := range symbols {
		s.forget(sym)
		if sym.Choice == nil {
			continue
		}
		s.picks[sym.Choice.index].user = nil
		for _, m := range sym.Choice.Members {
			s.forget(m)
		}
	}
	s.evaluateAgain()
}

func (s *Settings) forget(sym *Symbol) {
	s.users[sym.index] = userValue{}
	s.touch(sym)
}

// Reset takes all choices back, and forgets all files.
func (s *Settings) Reset() { *s = *s.tree.Settings() }

// Value returns the value of a symbol. An empty number is a bare value without
// text.
func (s *Settings) Value(sym *Symbol) Value {
	v := Value{sym.Type, s.values[sym.index].text}
	if sym.Type.number() && v.Text == "" {
		v.Type = TypeBare
	}
	return v
}

// Visible reports whether somebody may change a symbol now.
func (s *Settings) Visible(sym *Symbol) bool { return s.values[sym.index].visible }

// Written reports whether a symbol has a line in sdkconfig now. One that option
// env gives its default has none, unless it is a bool.
func (s *Settings) Written(sym *Symbol) bool {
	return s.values[sym.index].written && (!sym.unnamed || sym.Type == TypeBool)
}

// Forced reports whether other symbols hold a symbol at its value: by select,
// or by set.
func (s *Settings) Forced(sym *Symbol) bool {
	return s.values[sym.index].forced || sym.Choice == nil && len(s.SelectedBy(sym)) > 0
}

// SelectedBy returns the symbols that select a symbol now.
func (s *Settings) SelectedBy(sym *Symbol) []*Symbol {
	return s.active(sym.selected)
}

// SetBy returns the symbol that fixes a symbol's value now, or nil.
func (s *Settings) SetBy(sym *Symbol) *Symbol {
	if by := s.active(sym.set); s.values[sym.index].forced && len(by) > 0 {
		return by[0]
	}
	return nil
}

func (s *Settings) active(list []reverse) []*Symbol {
	var by []*Symbol
	for _, r := range list {
		if s.applies(r) {
			by = append(by, r.by)
		}
	}
	return by
}

// User returns what somebody chose for a symbol, effective or not, and where.
func (s *Settings) User(sym *Symbol) (v Value, at Origin, ok bool) {
	u := s.users[sym.index]
	if !u.set {
		return Value{}, Origin{}, false
	}
	return Value{sym.Type, u.text}, u.at, true
}

// IsDefault reports whether nobody chose a symbol's value: sdkconfig marks it.
func (s *Settings) IsDefault(sym *Symbol) bool {
	if !sym.HasPrompt() {
		return true
	}
	return sym.Type != TypeBare && (!s.users[sym.index].set || s.values[sym.index].forced) &&
		(sym.Choice == nil || s.picks[sym.Choice.index].user == nil)
}

// Selection returns the member of a choice that is y, or nil.
func (s *Settings) Selection(c *Choice) *Symbol { return s.picked[c.index] }

// Shown reports whether an entry is to be seen in the menu now.
func (s *Settings) Shown(n *Node) bool {
	if n.scope == nil {
		return true
	}
	if n.Kind == KindMenu {
		return s.dep[n.index] && s.holds(n.visibleIf)
	}
	if n.Kind == KindComment {
		return s.dep[n.index]
	}
	return s.prompted(n)
}

// Holds reports whether a condition of the tree holds now.
func (s *Settings) Holds(e *Expr) bool { return s.holds(e) }

// Range returns the bounds of a number now, low and high. ok is false when it
// has none.
func (s *Settings) Range(sym *Symbol) (low, high Value, ok bool) {
	r, ok := s.bounds(sym)
	if !ok {
		return Value{}, Value{}, false
	}
	of := func(e *Expr) Value { return Value{sym.Type, clamped(s.text(e.symbol), sym.Type)} }
	return of(r.low), of(r.high), true
}

// bounds returns the range that counts: the first whose condition holds.
func (s *Settings) bounds(sym *Symbol) (r bounds, ok bool) {
	if !sym.Type.number() {
		return bounds{}, false
	}
	for _, n := range sym.Nodes {
		if len(n.ranges) == 0 || !s.dep[n.index] {
			continue
		}
		for _, r := range n.ranges {
			if s.holds(r.cond) {
				return r, true
			}
		}
	}
	return bounds{}, false
}
