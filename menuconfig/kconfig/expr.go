package kconfig

import "strings"

// An Expr is a condition, or a symbol or a constant as a value. nil is y.
type Expr struct {
	op     op
	x, y   *Expr
	symbol *Symbol // of opSymbol; of a comparison x and y are symbols
	choice *Choice // of opChoice: the choice has a selection to make
}

type op uint8

const (
	opSymbol op = iota
	opChoice
	opAnd
	opOr
	opNot
	opEqual
	opUnequal
	opLess
	opLessEqual
	opGreater
	opGreaterEqual
)

var opText = [...]string{opAnd: "&&", opOr: "||", opEqual: "=", opUnequal: "!=", opLess: "<", opLessEqual: "<=",
	opGreater: ">", opGreaterEqual: ">="}

// The constants y and n are the same in every tree.
var (
	yes = typed(constant("y"), TypeBool)
	no  = typed(constant("n"), TypeBool)

	never = no.expr()
)

// constant is a symbol that has its name as its value.
func constant(text string) *Symbol {
	s := &Symbol{Name: text, constant: true, index: -1}
	s.leaf.symbol = s
	return s
}

func typed(s *Symbol, t Type) *Symbol {
	s.Type = t
	return s
}

// expr is the symbol as an expression.
func (s *Symbol) expr() *Expr { return &s.leaf }

func (e *Expr) isYes() bool { return e == nil || e.op == opSymbol && e.symbol == yes }
func (e *Expr) isNo() bool  { return e != nil && e.op == opSymbol && e.symbol == no }

func and(x, y *Expr) *Expr {
	switch {
	case x.isYes():
		return y
	case y.isYes():
		return x
	case x.isNo() || y.isNo():
		return never
	}
	return &Expr{op: opAnd, x: x, y: y}
}

// String prints e as a Kconfig file would have it; a choice is "<choice NAME>".
func (e *Expr) String() string {
	if e == nil {
		return "y"
	}
	var b strings.Builder
	e.print(&b)
	return b.String()
}

func (e *Expr) print(b *strings.Builder) {
	switch e.op {
	case opSymbol:
		b.WriteString(e.symbol.String())
	case opChoice:
		b.WriteString(e.choice.String())
	case opNot:
		b.WriteByte('!')
		e.x.within(b, e.x.op != opSymbol)
	case opAnd, opOr:
		// The other of the two in parentheses, needed or not: easier to read.
		other := opAnd + opOr - e.op
		e.x.within(b, e.x.op == other)
		b.WriteString(" " + opText[e.op] + " ")
		e.y.within(b, e.y.op == other)
	default:
		e.x.print(b)
		b.WriteString(" " + opText[e.op] + " ")
		e.y.print(b)
	}
}

func (e *Expr) within(b *strings.Builder, parentheses bool) {
	if parentheses {
		b.WriteByte('(')
		defer b.WriteByte(')')
	}
	e.print(b)
}

// String prints a symbol as an expression has it: constants in quotes.
func (s *Symbol) String() string {
	if s.constant && s != yes && s != no {
		return `"` + escape.Replace(s.Name) + `"`
	}
	return s.Name
}

// String prints "<choice NAME>", or "<choice>" for one without a name.
func (c *Choice) String() string {
	if c.Name == "" {
		return "<choice>"
	}
	return "<choice " + c.Name + ">"
}

// Terms splits e at its outermost &&: all of them must hold.
func (e *Expr) Terms() (terms []*Expr) {
	var split func(*Expr)
	split = func(e *Expr) {
		switch {
		case e == nil:
		case e.op == opAnd:
			split(e.x)
			split(e.y)
		default:
			terms = append(terms, e)
		}
	}
	split(e)
	return terms
}

// implies reports whether e can only hold when s is y, as far as a glance at
// its outermost && tells.
func (e *Expr) implies(s *Symbol) bool {
	if e == nil {
		return false
	}
	switch e.op {
	case opSymbol:
		return e.symbol == s
	case opAnd:
		return e.x.implies(s) || e.y.implies(s)
	case opEqual, opUnequal:
		want := yes
		if e.op == opUnequal {
			want = no
		}
		x, y := e.x.symbol, e.y.symbol
		return x == s && y == want || y == s && x == want
	}
	return false
}

// each calls visit for every symbol and choice in e.
func (e *Expr) each(visit func(*Symbol, *Choice)) {
	if e == nil {
		return
	}
	switch e.op {
	case opSymbol, opChoice:
		visit(e.symbol, e.choice)
	default:
		e.x.each(visit)
		e.y.each(visit)
	}
}

// eachCondition calls visit for the symbols in e that stand alone, not in a
// comparison.
func (e *Expr) eachCondition(visit func(*Symbol)) {
	if e == nil {
		return
	}
	switch e.op {
	case opSymbol:
		visit(e.symbol)
	case opAnd, opOr, opNot:
		e.x.eachCondition(visit)
		e.y.eachCondition(visit)
	}
}
