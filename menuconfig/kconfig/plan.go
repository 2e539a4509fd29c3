package kconfig

import (
	"fmt"
	"slices"
	"strings"
)

// A plan is the order in which everything that has a value is evaluated, each
// step after those it uses. So no evaluation recurses, and after a change only
// the steps behind it that use it are done again.
//
// A member of a choice takes two steps: whether it is visible comes before the
// choice picks, its value after. That is why members do not form a cycle with
// their choice.
type plan struct {
	nodes, symbols, choices int     // how many there are
	order                   []step  // by place
	place                   []int32 // by step
	users                   []int32 // places that use a place, in a row
	usersEnd                []int32 // where a place's row ends
}

// A step is a number: of what it evaluates, after all of the kinds before it.
type step int32

func (p *plan) depStep(n *Node) step   { return step(n.index) }
func (p *plan) shownStep(n *Node) step { return step(p.nodes + n.index) }
func (p *plan) symbolStep(s *Symbol) step {
	return step(2*p.nodes + s.index)
}
func (p *plan) modeStep(c *Choice) step { return step(2*p.nodes + p.symbols + c.index) }
func (p *plan) pickStep(c *Choice) step { return step(2*p.nodes + p.symbols + p.choices + c.index) }
func (p *plan) steps() int              { return 2*p.nodes + p.symbols + 2*p.choices }

// valueStep is the one after which a symbol has its value.
func (p *plan) valueStep(s *Symbol) step {
	if s.member() {
		return p.pickStep(s.Choice)
	}
	return p.symbolStep(s)
}

type stepKind uint8

const (
	stepDep    stepKind = iota // an entry's condition
	stepShown                  // what visible if says about what is in an entry
	stepSymbol                 // a symbol: visible, and unless it is a member its value
	stepMode                   // whether a choice has a selection to make
	stepPick                   // the selection, and its members' values
)

// split says what a step evaluates: the kind, and the index.
func (p *plan) split(at step) (kind stepKind, i int) {
	i = int(at)
	for kind, n := range [...]int{p.nodes, p.nodes, p.symbols, p.choices} {
		if i < n {
			return stepKind(kind), i
		}
		i -= n
	}
	return stepPick, i
}

// A planner orders the steps by walking from each through what it uses.
type planner struct {
	tree  *Tree
	plan  *plan
	uses  []step   // of all steps begun, in rows
	row   [][2]int // where a step's row lies
	state []uint8  // of each step
	stack []frame
}

type frame struct {
	at   step
	next int // in uses
}

const (
	unseen = iota
	begun
	done
)

func (t *Tree) makePlan() error {
	t.plan = plan{nodes: len(t.nodes), symbols: len(t.Symbols), choices: len(t.Choices)}
	n := t.plan.steps()
	p := &planner{tree: t, plan: &t.plan, row: make([][2]int, n), state: make([]uint8, n)}
	t.plan.place = make([]int32, n)
	for _, s := range t.Symbols {
		if err := p.walk(t.plan.symbolStep(s)); err != nil {
			return err
		}
	}
	for _, c := range t.Choices {
		if err := p.walk(t.plan.pickStep(c)); err != nil {
			return err
		}
	}
	for _, n := range t.nodes {
		if err := p.walk(t.plan.depStep(n)); err != nil {
			return err
		}
	}
	p.turnAround()
	return nil
}

// walk puts a step into the order, after all it uses.
func (p *planner) walk(from step) error {
	if p.state[from] == done {
		return nil
	}
	p.begin(from)
	for len(p.stack) > 0 {
		f := &p.stack[len(p.stack)-1]
		if f.next == p.row[f.at][1] {
			p.finish(f.at)
			continue
		}
		used := p.uses[f.next]
		f.next++
		switch p.state[used] {
		case begun:
			return p.cycle(used)
		case unseen:
			p.begin(used)
		}
	}
	return nil
}

func (p *planner) begin(at step) {
	start := len(p.uses)
	p.state[at] = begun
	p.usesOf(at)
	p.row[at] = [2]int{start, len(p.uses)}
	p.stack = append(p.stack, frame{at, start})
}

func (p *planner) finish(at step) {
	p.state[at] = done
	p.plan.place[at] = int32(len(p.plan.order))
	p.plan.order = append(p.plan.order, at)
	p.stack = p.stack[:len(p.stack)-1]
}

func (p *planner) use(at step) { p.uses = append(p.uses, at) }

func (p *planner) useExpr(e *Expr) {
	e.each(func(s *Symbol, c *Choice) {
		switch {
		case c != nil:
			p.use(p.plan.modeStep(c))
		case s.Defined():
			p.use(p.plan.valueStep(s))
		}
	})
}

func (p *planner) usesOf(at step) {
	switch kind, i := p.plan.split(at); kind {
	case stepDep:
		p.depUses(p.tree.nodes[i])
	case stepShown:
		p.shownUses(p.tree.nodes[i])
	case stepSymbol:
		p.symbolUses(p.tree.Symbols[i])
	case stepMode:
		p.modeUses(p.tree.Choices[i])
	case stepPick:
		p.pickUses(p.tree.Choices[i])
	}
}

func (p *planner) depUses(n *Node) {
	switch {
	case n.scope == nil:
	case n.scope.Kind == KindChoice:
		p.use(p.plan.modeStep(n.scope.Choice))
	default:
		p.use(p.plan.depStep(n.scope))
	}
	p.useExpr(n.depends)
}

func (p *planner) shownUses(n *Node) {
	if n.scope != nil {
		p.use(p.plan.shownStep(n.scope))
	}
	p.useExpr(n.visibleIf)
}

func (p *planner) usePrompt(n *Node) {
	p.use(p.plan.depStep(n))
	if n.HasPrompt {
		p.use(p.plan.shownStep(n.scope))
		p.useExpr(n.promptIf)
	}
}

func (p *planner) symbolUses(s *Symbol) {
	for _, n := range s.Nodes {
		p.usePrompt(n)
		n.eachValue(p.useExpr)
	}
	for _, list := range [][]reverse{s.selected, s.implied, s.set, s.weakSet} {
		for _, r := range list {
			if r.by.Defined() {
				p.use(p.plan.valueStep(r.by))
			}
			p.use(p.plan.depStep(r.at))
			p.useExpr(r.cond)
			if s.Type == TypeString {
				p.useExpr(r.value)
			}
		}
	}
}

func (p *planner) modeUses(c *Choice) {
	for _, n := range c.Nodes {
		p.usePrompt(n)
	}
}

func (p *planner) pickUses(c *Choice) {
	p.use(p.plan.modeStep(c))
	for _, m := range c.Members {
		p.use(p.plan.symbolStep(m))
	}
	for _, d := range c.defaults {
		p.use(p.plan.depStep(d.node))
		p.useExpr(d.cond)
		if s := d.value.symbol; s.Defined() {
			p.use(p.plan.symbolStep(s))
		}
	}
}

// turnAround lists, for each place, the places that use it.
func (p *planner) turnAround() {
	pl := p.plan
	pl.usersEnd = make([]int32, len(pl.order)+1)
	p.eachUse(func(used, _ int32) { pl.usersEnd[used+1]++ })
	for i := range pl.order {
		pl.usersEnd[i+1] += pl.usersEnd[i]
	}
	pl.users = make([]int32, pl.usersEnd[len(pl.order)])
	next := slices.Clone(pl.usersEnd)
	p.eachUse(func(used, user int32) {
		pl.users[next[used]] = user
		next[used]++
	})
}

func (p *planner) eachUse(visit func(used, user int32)) {
	for user, at := range p.plan.order {
		for _, used := range p.uses[p.row[at][0]:p.row[at][1]] {
			visit(p.plan.place[used], int32(user))
		}
	}
}

// usersOf returns the places that use a place, all behind it.
func (p *plan) usersOf(place int) []int32 {
	return p.users[p.usersEnd[place]:p.usersEnd[place+1]]
}

// cycle says which symbols and choices depend on one another in a circle that
// begins with a step.
func (p *planner) cycle(from step) error {
	i := slices.IndexFunc(p.stack, func(f frame) bool { return f.at == from })
	var names []string
	var first *Node
	for _, f := range p.stack[i:] {
		name, n := p.named(f.at)
		if n == nil || len(names) > 0 && names[len(names)-1] == name {
			continue
		}
		if first == nil {
			first = n
		}
		names = append(names, name)
	}
	if len(names) > 10 {
		names = append(names[:10], "…")
	}
	e := first.place()
	e.Why = "a dependency cycle: " + strings.Join(append(names, names[0]), " depends on ")
	return e
}

// named names what a step evaluates, and where it is defined.
func (p *planner) named(at step) (name string, n *Node) {
	switch kind, i := p.plan.split(at); kind {
	case stepSymbol:
		n = p.tree.Symbols[i].Nodes[0]
		name = n.Symbol.Name
	case stepMode, stepPick:
		n = p.tree.Choices[i].Nodes[0]
		name = n.Choice.String()
	default:
		return "", nil
	}
	return fmt.Sprintf("%s (%s:%d)", name, n.File, n.Line), n
}
