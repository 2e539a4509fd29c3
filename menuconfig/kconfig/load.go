package kconfig

import (
	"fmt"
	"strings"
)

// A Mismatch is a marked value in an sdkconfig file that is no longer what the
// tree gives by default. It is about a symbol, or about a choice: then the
// values are the names of its members.
type Mismatch struct {
	Symbol  *Symbol
	Choice  *Choice
	Marked  string // what the file says
	Kconfig string // what the tree says now
}

// An Outcome is what holds after a Mismatch.
type Outcome uint8

// The outcomes.
const (
	KeepMarked    Outcome = iota // the marked value is the default from now on
	KeepKconfig                  // the tree's default
	ChooseMarked                 // the marked value, as if somebody had chosen it
	ChooseKconfig                // the tree's default, as if somebody had chosen it
)

// A Policy decides on a Mismatch.
type Policy func(Mismatch) Outcome

// The policies sdkconfig and kconfig of KCONFIG_DEFAULTS_POLICY. A function
// that asks is the policy interactive.
var (
	PreferSdkconfig Policy = func(Mismatch) Outcome { return KeepMarked }
	PreferKconfig   Policy = func(Mismatch) Outcome { return KeepKconfig }
)

// Load puts a file on top of what was chosen so far: first the defaults files,
// the later ones on top, then the existing sdkconfig. It returns what is odd
// about the lines: no symbol can take the value, or an old name stands for it,
// or another line assigned it before. Config.Problems has the malformed ones,
// Check the values that have no effect now, but could. A nil policy is
// PreferSdkconfig.
func (s *Settings) Load(c *Config, policy Policy) []*Error {
	l := &loading{Settings: s, policy: policy, file: c, chosen: map[*Choice]*Symbol{},
		seen: make([]bool, len(s.tree.Symbols)), walked: make([]bool, len(s.tree.Symbols)), settled: make([]bool, len(s.tree.Symbols)),
		entries: make([]bool, len(s.tree.nodes)), queued: make([]bool, len(s.tree.Choices)), choices: make([]bool, len(s.tree.Choices))}
	for e := range c.All() {
		l.line(e)
	}
	for _, m := range l.members {
		l.choose(m.symbol, m.text, m.line)
	}
	s.evaluateAgain()
	for _, sym := range l.symbols {
		l.settle(sym)
	}
	for _, c := range l.marked {
		l.settleChoice(c)
	}
	return l.odd
}

// A loading is the state of one Load.
type loading struct {
	*Settings
	policy  Policy
	file    *Config
	members []member  // unmarked ones, to be chosen when all lines are read
	symbols []*Symbol // marked ones, in file order
	marked  []*Choice // with marked members, in file order
	seen    []bool    // symbols that have their line
	chosen  map[*Choice]*Symbol
	odd     []*Error

	walked  []bool // symbols whose dependencies are settled
	settled []bool // symbols
	entries []bool // whose conditions are settled
	queued  []bool // choices that are in marked
	choices []bool // that are settled
}

type member struct {
	symbol *Symbol
	text   string
	line   int
}

// line takes one assignment.
func (l *loading) line(e Entry) {
	sym, e := l.today(e)
	if sym == nil {
		l.note(e, Unknown, "there is no option "+e.Name)
		return
	}
	text, ok := sym.accept(e.Value)
	switch {
	case !ok && l.isRemark(e.Line): // "is not set" is for bools alone
		return
	case !ok:
		l.note(e, Broken, fmt.Sprintf("%s is wanted", sym.wants()))
		return
	}
	if l.seen[sym.index] {
		l.note(e, Harmless, "assigned for the second time: the last line counts")
	}
	l.seen[sym.index] = true
	switch {
	case e.Marked:
		l.mark(sym, text)
	case sym.member():
		l.noteChoice(sym, text, e)
		l.members = append(l.members, member{sym, text, e.Line})
	default:
		l.choose(sym, text, e.Line)
	}
}

// noteChoice notes a second member of a choice that is to be y.
func (l *loading) noteChoice(sym *Symbol, text string, e Entry) {
	if text != "y" {
		return
	}
	if first := l.chosen[sym.Choice]; first != nil && first != sym {
		l.note(e, Harmless, fmt.Sprintf("%s of %s is y too: the last one counts", first.Name, sym.Choice))
	}
	l.chosen[sym.Choice] = sym
}

func (l *loading) isRemark(line int) bool {
	return strings.HasPrefix(trimLeft(l.file.lines[line-1].text), "#")
}

func (l *loading) note(e Entry, kind ErrorKind, why string) {
	l.odd = append(l.odd, &Error{File: l.file.file, Line: e.Line, Column: 1, Text: l.file.lines[e.Line-1].text, Why: why, Kind: kind})
}

// today finds the symbol of an assignment, under its old name too.
func (l *loading) today(e Entry) (*Symbol, Entry) {
	if sym := l.tree.Symbol(e.Name); sym != nil {
		return sym, e
	}
	r, ok := l.tree.names.find(e.Name)
	sym := l.tree.Symbol(r.now)
	if !ok || sym == nil {
		return nil, e
	}
	l.note(e, Harmless, fmt.Sprintf("%s is now %s", e.Name, r.now))
	e.Marked = false
	if b, ok := e.Value.True(); ok && r.inverted && sym.Type == TypeBool {
		e.Value = Bool(!b)
	}
	return sym, e
}

// choose takes an unmarked value.
func (l *loading) choose(sym *Symbol, text string, line int) {
	l.set(sym, text, Origin{l.file.file, line})
	l.files[sym.index] = fileValue{true, text, false}
}

// mark takes a marked value: it sets nothing by itself.
func (l *loading) mark(sym *Symbol, text string) {
	l.files[sym.index] = fileValue{true, text, true}
	switch {
	case !sym.HasPrompt(): // follows the tree always
	case sym.Choice == nil:
		l.symbols = append(l.symbols, sym)
	case !l.queued[sym.Choice.index]:
		l.queued[sym.Choice.index] = true
		l.marked = append(l.marked, sym.Choice)
	}
}

// settle compares a symbol's marked value with the tree's, after those that it
// depends on.
func (l *loading) settle(sym *Symbol) {
	f := l.files[sym.index]
	if l.settled[sym.index] || l.users[sym.index].set || sym.Choice != nil || !f.set {
		return
	}
	if !l.walked[sym.index] {
		l.walked[sym.index] = true
		l.before(sym.Nodes)
	}
	v := l.values[sym.index]
	if !v.visible {
		return
	}
	l.settled[sym.index] = true
	if v.text == f.text {
		return
	}
	switch l.decide(Mismatch{Symbol: sym, Marked: f.text, Kconfig: v.text}) {
	case KeepMarked:
		l.kept[sym.index] = keptDefault{true, f.text}
		l.touch(sym)
	case ChooseMarked:
		l.set(sym, f.text, Origin{File: l.file.file})
	case ChooseKconfig:
		l.set(sym, v.text, Origin{File: l.file.file})
	}
	l.evaluateAgain()
}

func (l *loading) decide(m Mismatch) Outcome {
	if l.policy == nil {
		return KeepMarked
	}
	return l.policy(m)
}

// before settles what definitions depend on.
func (l *loading) before(nodes []*Node) {
	for _, n := range nodes {
		l.entry(n)
		n.eachValue(l.expr)
		for _, list := range [][]reference{n.selects, n.implies} {
			for _, r := range list {
				l.expr(r.cond)
			}
		}
	}
}

// entry settles what an entry's conditions are made of.
func (l *loading) entry(n *Node) {
	if l.entries[n.index] {
		return
	}
	l.entries[n.index] = true
	if n.scope != nil {
		l.entry(n.scope)
		if n.scope.Kind == KindChoice {
			l.settleChoice(n.scope.Choice)
		}
	}
	l.expr(n.depends)
	l.expr(n.promptIf)
	l.expr(n.visibleIf)
}

func (l *loading) expr(e *Expr) {
	e.each(func(s *Symbol, _ *Choice) {
		if s != nil && s.Defined() {
			l.settle(s)
		}
	})
}

// settleChoice compares the member that is marked y with the tree's.
func (l *loading) settleChoice(c *Choice) {
	if l.choices[c.index] {
		return
	}
	l.choices[c.index] = true
	l.before(c.Nodes)
	if !l.modes[c.index] {
		l.choices[c.index] = false
		return
	}
	if l.picks[c.index].user != nil {
		l.chooseAll(c)
		return
	}
	marked := l.markedMember(c)
	if marked == nil {
		return
	}
	name := ""
	if p := l.picked[c.index]; p != nil {
		name = p.Name
	}
	switch l.decide(Mismatch{Choice: c, Marked: marked.Name, Kconfig: name}) {
	case KeepMarked:
		l.picks[c.index].kept = marked
		l.touch(marked)
	case ChooseMarked:
		l.set(marked, "y", Origin{File: l.file.file})
	case ChooseKconfig:
		if p := l.picked[c.index]; p != nil {
			l.set(p, "y", Origin{File: l.file.file})
		}
	}
	l.evaluateAgain()
}

// chooseAll makes every member's value a chosen one, because somebody chose
// one of them.
func (l *loading) chooseAll(c *Choice) {
	for _, m := range c.Members {
		if m.member() {
			l.set(m, l.values[m.index].text, l.users[m.index].at)
		}
	}
	l.evaluateAgain()
}

// markedMember is the member that the file makes the selection and the tree
// does not, or nil.
func (l *loading) markedMember(c *Choice) *Symbol {
	var ys []*Symbol
	differs := false
	for _, m := range c.Members {
		f := l.files[m.index]
		if f.set && f.text == "y" {
			l.before(m.Nodes)
			if l.values[m.index].visible {
				ys = append(ys, m)
			}
		}
		differs = differs || f.set && f.marked && f.text != l.values[m.index].text
	}
	if len(ys) == 0 || len(ys) == 1 && !differs {
		return nil
	}
	return ys[len(ys)-1]
}
