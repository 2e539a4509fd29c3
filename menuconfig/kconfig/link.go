package kconfig

import "fmt"

// link makes one tree of what the files say: it numbers the entries, tells
// symbols what others say about them, builds the menu, checks, and plans the
// order of evaluation.
func (p *parser) link() (*Tree, error) {
	t := p.tree
	t.Root, t.byName = p.root, p.symbols
	t.gather(p.root)
	t.Root.Children = arrange(t.Root)
	t.settleTypes()
	t.checkConditions()
	if err := t.check(); err != nil {
		return nil, err
	}
	if err := t.makePlan(); err != nil {
		return nil, err
	}
	return t, nil
}

// gather walks the entries in file order.
func (t *Tree) gather(n *Node) {
	n.index = len(t.nodes)
	t.nodes = append(t.nodes, n)
	switch n.Kind {
	case KindSymbol:
		n.tell()
	case KindChoice:
		for _, d := range n.defaults {
			n.Choice.defaults = append(n.Choice.defaults, choiceDefault{d, n})
		}
	}
	for _, m := range n.inside {
		t.gather(m)
	}
}

// tell hands what a definition says about other symbols to those.
func (n *Node) tell() {
	s := n.Symbol
	if n.Warning != "" {
		s.Warning = n.Warning
	}
	for _, r := range n.selects {
		r.symbol.selected = append(r.symbol.selected, reverse{s, n, r.cond, nil})
	}
	for _, r := range n.implies {
		r.symbol.implied = append(r.symbol.implied, reverse{s, n, r.cond, nil})
	}
	for _, a := range n.sets {
		a.symbol.set = append(a.symbol.set, reverse{s, n, a.cond, a.value})
	}
	for _, a := range n.weakSets {
		a.symbol.weakSet = append(a.symbol.weakSet, reverse{s, n, a.cond, a.value})
	}
}

// arrange returns the children of an entry in the menu, from what stands inside
// it in the file.
func arrange(n *Node) []*Node {
	var children []*Node
	for rest := n.inside; len(rest) > 0; {
		var c *Node
		c, rest = takeEntry(rest, 0)
		children = append(children, c)
	}
	return flatten(children, n)
}

// takeEntry takes the first entry off a list, with those that follow and depend
// on it: they become its children.
func takeEntry(list []*Node, depth int) (n *Node, rest []*Node) {
	n, rest = list[0], list[1:]
	if n.Kind != KindSymbol {
		n.Children = arrange(n)
		n.enroll()
		return n, rest
	}
	var children []*Node
	for depth < maxNesting && len(rest) > 0 && rest[0].dependsOn(n.Symbol) {
		var c *Node
		c, rest = takeEntry(rest, depth+1)
		children = append(children, c)
	}
	n.Children = flatten(children, n)
	return n, rest
}

// dependsOn reports whether an entry cannot be shown unless s is y.
func (n *Node) dependsOn(s *Symbol) bool {
	if n.HasPrompt {
		return n.VisibleIf().implies(s)
	}
	return n.DependsOn().implies(s)
}

// flatten dissolves the entries that nobody sees into their parent: ifs, and
// symbols without a prompt that have children.
func flatten(list []*Node, parent *Node) []*Node {
	var flat []*Node
	for _, n := range list {
		if n.Kind != kindIf {
			flat = append(flat, n)
		}
		if !n.HasPrompt && n.Kind != KindChoice {
			flat = append(flat, n.Children...)
			n.Children = nil
		}
	}
	for _, n := range flat {
		n.Parent = parent
	}
	return flat
}

// enroll makes the symbols right below a choice its members.
func (n *Node) enroll() {
	if n.Kind != KindChoice {
		return
	}
	for _, m := range n.Children {
		if m.Kind == KindSymbol && m.Symbol.Choice != n.Choice {
			m.Symbol.Choice = n.Choice
			n.Choice.Members = append(n.Choice.Members, m.Symbol)
		}
	}
}

// settleTypes gives a choice the type of its first member that has one, and
// members without a type that of their choice.
func (t *Tree) settleTypes() {
	for _, c := range t.Choices {
		for _, m := range c.Members {
			if c.typ == TypeBare {
				c.typ = m.Type
			}
		}
		for _, m := range c.Members {
			if m.Type == TypeBare {
				m.Type = c.typ
			}
			m.Warning = "" // it has no effect on a member
		}
	}
}

// check refuses what no evaluation could make sense of, and notes what is odd.
func (t *Tree) check() error {
	for _, s := range t.Symbols {
		for _, n := range s.Nodes {
			if err := n.checkDefaults(s.Type == TypeBool || s.Type == TypeBare); err != nil {
				return err
			}
		}
		t.checkSymbol(s)
	}
	for _, c := range t.Choices {
		for _, n := range c.Nodes {
			if err := n.checkDefaults(false); err != nil {
				return err
			}
		}
		t.checkChoice(c)
	}
	return nil
}

func (n *Node) checkDefaults(expressions bool) error {
	for _, d := range n.defaults {
		if d.value.op != opSymbol && !expressions {
			d.at.Why = "a default that is an expression is for bools only"
			return d.at
		}
	}
	return nil
}

func (t *Tree) note(n *Node, format string, args ...any) {
	e := n.place()
	e.Why = fmt.Sprintf(format, args...)
	t.problems = append(t.problems, e)
}

// checkConditions notes the symbols in conditions that can never be y: those
// that are no bools.
func (t *Tree) checkConditions() {
	known := map[*Symbol]bool{}
	for _, n := range t.nodes {
		n.eachCondition(func(s *Symbol) {
			if s.Defined() && s.Type != TypeBool && s.Type != TypeBare && !known[s] {
				known[s] = true
				t.note(n, "the %s %s is used as a condition, which never holds", s.Type, s.Name)
			}
		})
	}
}

// eachCondition calls visit for the symbols that an entry uses as conditions.
func (n *Node) eachCondition(visit func(*Symbol)) {
	n.depends.eachCondition(visit)
	n.promptIf.eachCondition(visit)
	n.visibleIf.eachCondition(visit)
	for _, d := range n.defaults {
		d.cond.eachCondition(visit)
	}
	for _, r := range n.ranges {
		r.cond.eachCondition(visit)
	}
	for _, list := range [][]reference{n.selects, n.implies} {
		for _, r := range list {
			r.cond.eachCondition(visit)
		}
	}
	for _, list := range [][]assignment{n.sets, n.weakSets} {
		for _, a := range list {
			a.cond.eachCondition(visit)
		}
	}
}

// checkPlaces notes a symbol that is defined in several places, unless one of
// them says that it knows.
func (t *Tree) checkPlaces(s *Symbol) {
	first := s.Nodes[0]
	for _, n := range s.Nodes[1:] {
		if !s.shared && (n.File != first.File || n.Line != first.Line) {
			t.note(n, "%s is also defined at %s:%d", s.Name, first.File, first.Line)
		}
	}
}

func (t *Tree) checkSymbol(s *Symbol) {
	t.checkPlaces(s)
	first := s.Nodes[0]
	if s.Type == TypeBare {
		t.note(first, "%s is given no type", s.Name)
	}
	if s.Type != TypeBool && len(first.selects)+len(first.implies) > 0 {
		t.note(first, "%s selects or implies, which only a bool can", s.Name)
	}
	for _, n := range s.Nodes {
		if n.Menuconfig && !n.HasPrompt {
			t.note(n, "the menuconfig %s has no prompt, so nobody sees it", s.Name)
		}
		if len(n.ranges) > 0 && !s.Type.number() {
			t.note(n, "%s has a range, but is no number", s.Name)
		}
		if s.Choice != nil && len(n.defaults) > 0 {
			t.note(n, "a default on %s means nothing: %s selects it", s.Name, s.Choice)
		}
		for _, d := range n.defaults {
			t.checkNumber(n, s, "default", d.value)
		}
		for _, r := range n.ranges {
			t.checkNumber(n, s, "range", r.low)
			t.checkNumber(n, s, "range", r.high)
		}
	}
	if s.Choice != nil && len(s.selected)+len(s.implied) > 0 {
		t.note(first, "selecting or implying %s means nothing: it is a member of %s", s.Name, s.Choice)
	}
}

// checkNumber notes a number's default or bound that is none.
func (t *Tree) checkNumber(n *Node, s *Symbol, what string, value *Expr) {
	if !s.Type.number() || value.op != opSymbol {
		return
	}
	v := value.symbol
	if v.Defined() && v.Type != s.Type || !v.Defined() && !s.Type.reads(v.Name) {
		t.note(n, "the %s %s of %s is no %s", what, v.Name, s.Name, s.Type)
	}
}

func (t *Tree) checkChoice(c *Choice) {
	prompt := false
	for _, n := range c.Nodes {
		prompt = prompt || n.HasPrompt
	}
	if !prompt {
		t.note(c.Nodes[0], "%s has no prompt, so nobody can choose", c)
	}
	for _, d := range c.defaults {
		if s := d.value.symbol; s.Choice != c {
			t.note(d.node, "the default %s of %s is none of its members", s.Name, c)
		}
	}
}
