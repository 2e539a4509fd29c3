package kconfig

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// A Tree is a parsed and checked tree of Kconfig files. It never changes and
// may be shared; what is chosen and what follows from it is in a Settings.
type Tree struct {
	Root    *Node     // holds everything; its prompt is the mainmenu
	Symbols []*Symbol // those that are defined, in the order of their first definitions
	Choices []*Choice

	byName   map[string]*Symbol // referred to or defined
	nodes    []*Node            // every entry, ifs too, in file order
	plan     plan
	names    *renames
	version  string
	problems []*Error

	includedAt map[string]Origin // by file; not the first one
	lists      []string          // of Source
}

// Symbol returns the symbol of that name, or nil when none is defined.
func (t *Tree) Symbol(name string) *Symbol {
	if s := t.byName[name]; s != nil && s.Defined() {
		return s
	}
	return nil
}

// Inclusions returns the lines by which a Kconfig file came into the tree, the
// nearest first. Where several take it in, the first one counts; files that lie
// nowhere do not.
func (t *Tree) Inclusions(file string) (lines []Origin) {
	for at, ok := t.includedAt[file]; ok; at, ok = t.includedAt[at.File] {
		if !slices.Contains(t.lists, at.File) {
			lines = append(lines, at)
		}
	}
	return lines
}

// Problems returns what is odd about the tree but no error, in the order in
// which it was found.
func (t *Tree) Problems() []*Error { return t.problems }

// A Kind is what a Node stands for.
type Kind uint8

// The kinds.
const (
	KindMenu Kind = iota
	KindSymbol
	KindChoice
	KindComment
	kindIf // not in the finished tree
)

// A Node is an entry of the tree where it stands: a menu, a comment, or one
// definition of a symbol or a choice.
type Node struct {
	Kind       Kind
	Symbol     *Symbol // when Kind is KindSymbol
	Choice     *Choice // when Kind is KindChoice
	Prompt     string
	HasPrompt  bool // an entry without one is never shown
	Menuconfig bool // its children open as a menu of their own
	HasHelp    bool
	Warning    string // to be confirmed before the first change
	File       string
	Line       int
	Parent     *Node // in the menu; nil for the root
	Children   []*Node

	help      string // as it stands in the file
	index     int
	scope     *Node // whose condition flows down to this one
	inside    []*Node
	depends   *Expr // of its own; nil is y
	promptIf  *Expr
	visibleIf *Expr
	defaults  []guarded
	ranges    []bounds
	selects   []reference
	implies   []reference
	sets      []assignment
	weakSets  []assignment
}

// What an entry says, each under a condition.
type (
	guarded struct {
		value, cond *Expr
		at          *Error // where it stands, when it is an expression
	}
	bounds    struct{ low, high, cond *Expr }
	reference struct {
		symbol *Symbol
		cond   *Expr
	}
	assignment struct {
		symbol *Symbol
		value  *Expr
		cond   *Expr
	}
)

// A reverse is what another entry says about a symbol: it selects it, or sets
// it to a value.
type reverse struct {
	by    *Symbol
	at    *Node
	cond  *Expr
	value *Expr // of a set
}

// A Symbol is an option.
type Symbol struct {
	Name    string
	Type    Type    // TypeBare when no definition says
	Nodes   []*Node // its definitions, in file order
	Choice  *Choice // of which it is a member, or nil
	Warning string  // to be confirmed before the first change

	leaf     Expr // the symbol as an expression
	index    int  // in Tree.Symbols; -1 when it is not defined
	constant bool
	shared   bool // # ignore: multiple-definition
	unnamed  bool // by option env: in no output
	selected []reverse
	implied  []reverse
	set      []reverse
	weakSet  []reverse
}

// Defined says that some entry defines the symbol. The others are only named in
// expressions.
func (s *Symbol) Defined() bool { return s.index >= 0 }

// HasPrompt says that the symbol can be visible at all.
func (s *Symbol) HasPrompt() bool {
	for _, n := range s.Nodes {
		if n.HasPrompt {
			return true
		}
	}
	return false
}

// member reports whether a choice decides on the symbol's value.
func (s *Symbol) member() bool { return s.Choice != nil && s.Type == TypeBool }

// A Choice is a set of bools of which one is y.
type Choice struct {
	Name    string // may be empty
	Nodes   []*Node
	Members []*Symbol

	index    int
	typ      Type
	shared   bool // # ignore: multiple-definition
	defaults []choiceDefault
}

type choiceDefault struct {
	guarded
	node *Node // where it stands
}

// Help returns the help text, without the indent that all its lines have.
func (n *Node) Help() string {
	var b strings.Builder
	indent := -1
	for rest := n.help; rest != ""; {
		var line string
		line, _, rest = splitLine(rest)
		line, blanks := indented(line)
		if indent < 0 {
			indent = blanks
		}
		if !isBlank(line) {
			b.WriteString(line[min(indent, len(line)):])
		}
		b.WriteByte('\n')
	}
	return trimRight(b.String())
}

// eachValue calls visit for what defaults and ranges are made of.
func (n *Node) eachValue(visit func(*Expr)) {
	for _, d := range n.defaults {
		visit(d.value)
		visit(d.cond)
	}
	for _, r := range n.ranges {
		visit(r.low)
		visit(r.high)
		visit(r.cond)
	}
}

// DependsOn is the whole condition of an entry, with what flows down from the
// entries around it. nil is y.
func (n *Node) DependsOn() *Expr {
	if n.scope == nil {
		return n.depends
	}
	if n.scope.Kind == KindChoice {
		return and(n.depends, &Expr{op: opChoice, choice: n.scope.Choice})
	}
	return and(n.depends, n.scope.DependsOn())
}

// VisibleIf is the whole condition of an entry's prompt. nil is y.
func (n *Node) VisibleIf() *Expr {
	var visible *Expr
	if n.Kind == KindSymbol || n.Kind == KindChoice {
		for m := n.scope; m != nil; m = m.scope {
			visible = and(m.visibleIf, visible)
		}
	}
	return and(n.promptIf, and(visible, n.DependsOn()))
}

// ID names an entry to programs: a symbol's is its name, another's is made of
// its path of prompts and the place where it is defined.
func (n *Node) ID() string {
	if n.Kind == KindSymbol {
		return n.Symbol.Name
	}
	var slugs []string
	for m := n; m.Parent != nil && m.HasPrompt; m = m.Parent {
		slugs = append(slugs, slug(m.Prompt))
	}
	slices.Reverse(slugs)
	file := strings.NewReplacer("/", "-", `\`, "-").Replace(n.File)
	if !strings.HasPrefix(file, "-") {
		file = "-" + file
	}
	return strings.Join(slugs, "-") + file + "-" + strconv.Itoa(n.Line)
}

// slug replaces all between the words of a prompt by a -.
func slug(prompt string) string {
	var b strings.Builder
	gap := false
	for _, r := range prompt {
		word := r == '_' || unicode.IsLetter(r) || unicode.IsNumber(r)
		if word {
			b.WriteRune(unicode.ToLower(r))
		} else if !gap {
			b.WriteByte('-')
		}
		gap = !word
	}
	return b.String()
}

// Walk calls visit for every entry below the root, parents before their
// children, in file order.
func (t *Tree) Walk(visit func(*Node)) {
	var walk func([]*Node)
	walk = func(nodes []*Node) {
		for _, n := range nodes {
			visit(n)
			walk(n.Children)
		}
	}
	walk(t.Root.Children)
}

func (n *Node) place() *Error { return &Error{File: n.File, Line: n.Line, Column: 1, source: true} }
