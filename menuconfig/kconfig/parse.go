package kconfig

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// Parse reads a tree of Kconfig files and checks it. An *Error says what is
// wrong, and where.
func Parse(src Source) (*Tree, error) {
	if src.Env == nil {
		src.Env = func(string) (string, bool) { return "", false }
	}
	files := &opener{Source: src}
	p := &parser{
		files:   files,
		macros:  &macros{variables: map[string]*variable{}, env: src.Env},
		symbols: map[string]*Symbol{},
		choices: map[string]*Choice{},
		tree:    &Tree{includedAt: map[string]Origin{}},
		root:    &Node{Kind: KindMenu, Prompt: "Main menu", HasPrompt: true, File: src.Root, Line: 1},
	}
	if err := p.source(src.Root, src.Root, p.root, nil); err != nil {
		return nil, err
	}
	for _, name := range src.Lists {
		p.tree.lists = append(p.tree.lists, name, files.shown(name)) // the first file is shown by its whole path
	}
	names, err := readRenames(files)
	if err != nil {
		return nil, err
	}
	p.tree.names = names
	p.tree.version, _ = src.Env("IDF_VERSION")
	p.tree.problems = append(p.macros.notes, p.notes...)
	return p.link()
}

// A parser reads the files one after another into one tree of entries.
type parser struct {
	files   *opener
	macros  *macros
	symbols map[string]*Symbol
	choices map[string]*Choice // with a name
	tree    *Tree
	root    *Node
	notes   []*Error
	path    []string // the files that are open
	depth   int      // of blocks and files

	lex     *lexer
	at      int // in lex.tokens
	terms   int // in the expressions of the entry under way
	special *Symbol
}

// source parses a file into the entries of a block. name is its path, shown how
// people and rsource see it.
func (p *parser) source(name, shown string, into *Node, line *Error) error {
	text, err := p.files.read(name)
	if err != nil {
		return p.unread(shown, line, err)
	}
	for _, open := range p.path {
		if open == shown {
			line.Why = "the file " + shown + " takes in itself"
			return line
		}
	}
	if _, known := p.tree.includedAt[shown]; line != nil && !known {
		p.tree.includedAt[shown] = Origin{line.File, line.Line}
	}
	outer := p.lex
	p.lex = &lexer{file: shown, rest: text, macros: p.macros}
	p.path = append(p.path, shown)
	err = p.nested(func() error { return p.block(into, tokEnd) })
	p.path = p.path[:len(p.path)-1]
	p.lex = outer
	return err
}

// unread puts the reason why a file cannot be read where the file is named.
func (p *parser) unread(name string, line *Error, err error) error {
	if e := new(Error); errors.As(err, &e) {
		return err
	}
	if line == nil {
		line = &Error{File: name, Line: 1, Column: 1}
	}
	line.Why = err.Error()
	if errors.Is(err, fs.ErrNotExist) {
		line.Why = fmt.Sprintf("there is no file %s", name)
	}
	return line
}

// nested bounds how deep blocks and files lie in one another.
func (p *parser) nested(do func() error) error {
	if p.depth++; p.depth > maxNesting {
		return p.lex.fail(0, fmt.Sprintf("nested more than %d deep", maxNesting))
	}
	defer func() { p.depth-- }()
	return do()
}

// block parses entries up to the line that ends them: a keyword, or the end of
// the file.
func (p *parser) block(into *Node, end tokenKind) error {
	for {
		ok, err := p.next()
		if err != nil {
			return err
		}
		if !ok || p.kind() == end {
			return p.closed(into, end, ok)
		}
		if err := p.entry(into); err != nil {
			return err
		}
	}
}

// closed checks how a block ended.
func (p *parser) closed(into *Node, end tokenKind, ok bool) error {
	switch {
	case ok:
		p.at++
		return p.endOfLine()
	case end != tokEnd:
		e := into.place()
		e.Why = fmt.Sprintf("no %s before the end of %s", endWords[end], p.lex.file)
		return e
	}
	return nil
}

var endWords = map[tokenKind]string{tokEndMenu: "endmenu", tokEndIf: "endif", tokEndChoice: "endchoice"}

// next reads a line.
func (p *parser) next() (ok bool, err error) {
	p.at = 0
	return p.lex.next()
}

func (p *parser) kind() tokenKind { return p.lex.tokens[p.at].kind }

func (p *parser) fail(why string) error { return p.lex.fail(p.lex.tokens[p.at].pos, why) }

func (p *parser) note(why string) { p.notes = append(p.notes, p.lex.fail(p.lex.tokens[0].pos, why)) }

// take steps over a token of that kind.
func (p *parser) take(kind tokenKind) bool {
	if p.kind() == kind {
		p.at++
		return true
	}
	return false
}

func (p *parser) endOfLine() error {
	if p.kind() != tokEnd {
		return p.fail("more than the line may hold")
	}
	return nil
}

// text takes a string.
func (p *parser) text() (string, error) {
	if p.kind() != tokText {
		return "", p.fail("a string is wanted")
	}
	p.at++
	return p.lex.tokens[p.at-1].text, nil
}

// onlyText takes a string that ends the line.
func (p *parser) onlyText() (string, error) {
	s, err := p.text()
	if err != nil {
		return "", err
	}
	return s, p.endOfLine()
}

// entry parses one entry, whose line is read.
func (p *parser) entry(into *Node) error {
	word := p.kind()
	p.at++
	switch word {
	case tokConfig, tokMenuConfig:
		return p.config(into, word == tokMenuConfig)
	case tokSource, tokRsource, tokOsource, tokOrsource:
		return p.sources(into, word)
	case tokIf:
		return p.ifBlock(into)
	case tokMenu:
		return p.menu(into)
	case tokComment:
		return p.comment(into)
	case tokChoice:
		return p.choice(into)
	case tokMainMenu:
		title, err := p.onlyText()
		p.root.Prompt = title
		return err
	}
	p.at--
	if open, ok := map[tokenKind]string{tokEndMenu: "menu", tokEndIf: "if", tokEndChoice: "choice"}[word]; ok {
		return p.fail("there is no " + open + " to end here")
	}
	return p.fail("this begins no entry")
}

// add makes an entry at the line that is read.
func (p *parser) add(into, n *Node) *Node {
	p.terms = 0
	n.File, n.Line, n.scope = p.lex.file, p.lex.number, into
	into.inside = append(into.inside, n)
	return n
}

func (p *parser) config(into *Node, menuconfig bool) error {
	s, err := p.symbol()
	if err != nil {
		return err
	}
	if err := p.endOfLine(); err != nil {
		return err
	}
	if !s.Defined() {
		s.index = len(p.tree.Symbols)
		p.tree.Symbols = append(p.tree.Symbols, s)
	}
	s.shared = s.shared || p.isShared()
	n := p.add(into, &Node{Kind: KindSymbol, Symbol: s, Menuconfig: menuconfig})
	s.Nodes = append(s.Nodes, n)
	if err := p.options(n); err != nil {
		return err
	}
	p.mendBools(n)
	return nil
}

// mendBools replaces the spellings of a bool that the language does not have.
func (p *parser) mendBools(n *Node) {
	if n.Symbol.Type != TypeBool {
		return
	}
	for i, d := range n.defaults {
		if d.value.op != opSymbol {
			continue
		}
		switch d.value.symbol.Name {
		case "true", "True", "false", "False", "yes", "Yes", "no", "No", "0", "1":
			e := n.place()
			e.Why = fmt.Sprintf("%s: default %s is neither y nor n, and means n", n.Symbol.Name, d.value.symbol.Name)
			p.notes = append(p.notes, e)
			n.defaults[i].value = never
		}
	}
}

func (p *parser) ifBlock(into *Node) error {
	cond, err := p.onlyExpr()
	if err != nil {
		return err
	}
	n := p.add(into, &Node{Kind: kindIf, depends: cond})
	return p.nested(func() error { return p.block(n, tokEndIf) })
}

func (p *parser) menu(into *Node) error {
	title, err := p.onlyText()
	if err != nil {
		return err
	}
	n := p.add(into, &Node{Kind: KindMenu, Prompt: title, HasPrompt: true})
	if err := p.options(n); err != nil {
		return err
	}
	return p.nested(func() error { return p.block(n, tokEndMenu) })
}

func (p *parser) comment(into *Node) error {
	title, err := p.onlyText()
	if err != nil {
		return err
	}
	return p.options(p.add(into, &Node{Kind: KindComment, Prompt: title, HasPrompt: true}))
}

// isShared reports whether the line says that others define the same.
func (p *parser) isShared() bool {
	return strings.Contains(p.lex.text, "# ignore: multiple-definition")
}

func (p *parser) choice(into *Node) error {
	c := &Choice{}
	if p.kind() != tokEnd {
		name, err := p.onlyText()
		if err != nil {
			return err
		}
		if known := p.choices[name]; known != nil {
			c = known
		}
		c.Name, p.choices[name] = name, c
	}
	c.shared = c.shared || p.isShared()
	if len(c.Nodes) == 0 {
		c.index = len(p.tree.Choices)
		p.tree.Choices = append(p.tree.Choices, c)
	}
	n := p.add(into, &Node{Kind: KindChoice, Choice: c})
	c.Nodes = append(c.Nodes, n)
	if err := p.options(n); err != nil {
		return err
	}
	return p.nested(func() error { return p.block(n, tokEndChoice) })
}

// sources parses the files that a line names.
func (p *parser) sources(into *Node, word tokenKind) error {
	line := p.lex.where(p.lex.tokens[p.at].pos)
	pattern, err := p.onlyText()
	if err != nil {
		return err
	}
	if (word == tokRsource || word == tokOrsource) && !strings.HasPrefix(pattern, "/") {
		dir, _ := path.Split(p.lex.file)
		pattern = dir + pattern
	}
	files, err := p.files.matching(pattern)
	if err != nil {
		return p.unread(pattern, line, err)
	}
	if len(files) == 0 && (word == tokSource || word == tokRsource) {
		line.Why = fmt.Sprintf("there is no file %s; a variable that is not set may be why", pattern)
		return line
	}
	for _, f := range files {
		if err := p.source(f, p.files.shown(f), into, line); err != nil {
			return err
		}
	}
	return nil
}

// symbol takes a name.
func (p *parser) symbol() (*Symbol, error) {
	if t := p.lex.tokens[p.at]; t.kind == tokName && t.text != "y" && t.text != "n" {
		p.at++
		return p.named(t.text)
	}
	return nil, p.fail("the name of a symbol is wanted")
}

// named returns the symbol of that name, a new one at its first mention.
func (p *parser) named(name string) (*Symbol, error) {
	if s := p.symbols[name]; s != nil {
		return s, nil
	}
	if len(p.symbols) == maxSymbols {
		return nil, p.fail(fmt.Sprintf("more than %d symbols", maxSymbols))
	}
	s := &Symbol{Name: name, index: -1}
	s.leaf.symbol = s
	p.symbols[name] = s
	return s, nil
}

// operand takes a symbol or a constant.
func (p *parser) operand() (*Expr, error) {
	t := p.lex.tokens[p.at]
	if t.kind != tokName && t.kind != tokQuoted {
		return nil, p.fail("a symbol or a constant is wanted")
	}
	p.at++
	switch {
	case t.text == "y":
		return yes.expr(), nil
	case t.text == "n":
		return never, nil
	case t.kind == tokQuoted:
		return constant(t.text).expr(), nil
	}
	s, err := p.named(t.text)
	if err != nil {
		return nil, err
	}
	return s.expr(), nil
}

// expr takes an expression: terms between ||, of factors between &&.
func (p *parser) expr() (*Expr, error) {
	return p.chain(tokOr, opOr, (*parser).ands)
}

func (p *parser) ands() (*Expr, error) { return p.chain(tokAnd, opAnd, (*parser).factor) }

// chain takes parts between one operator. A && B && C is A && (B && C).
func (p *parser) chain(kind tokenKind, op op, part func(*parser) (*Expr, error)) (*Expr, error) {
	first, err := part(p)
	if err != nil || p.kind() != kind {
		return first, err
	}
	whole := &Expr{op: op, x: first}
	for last := whole; ; {
		p.at++
		next, err := part(p)
		if err != nil {
			return nil, err
		}
		if p.kind() != kind {
			last.y = next
			return whole, nil
		}
		last.y = &Expr{op: op, x: next}
		last = last.y
	}
}

var comparisons = map[tokenKind]op{tokEqual: opEqual, tokUnequal: opUnequal, tokLess: opLess,
	tokLessEqual: opLessEqual, tokGreater: opGreater, tokGreaterEqual: opGreaterEqual}

func (p *parser) factor() (e *Expr, err error) {
	if p.terms++; p.terms > maxTerms {
		return nil, p.fail(fmt.Sprintf("more than %d terms in the expressions of one entry", maxTerms))
	}
	switch p.kind() {
	case tokNot:
		p.at++
		err = p.nested(func() (err error) { e, err = p.factor(); return err })
		return &Expr{op: opNot, x: e}, err
	case tokOpen:
		p.at++
		if err = p.nested(func() (err error) { e, err = p.expr(); return err }); err != nil {
			return nil, err
		}
		if !p.take(tokClose) {
			return nil, p.fail("a closing parenthesis is wanted")
		}
		return e, nil
	}
	if e, err = p.operand(); err != nil {
		return nil, err
	}
	op, ok := comparisons[p.kind()]
	if !ok {
		return e, nil
	}
	p.at++
	right, err := p.operand()
	return &Expr{op: op, x: e, y: right}, err
}

// onlyExpr takes an expression that ends the line.
func (p *parser) onlyExpr() (*Expr, error) {
	e, err := p.expr()
	if err != nil {
		return nil, err
	}
	return e, p.endOfLine()
}

// condition takes what may stand at the end of an option: if and an
// expression.
func (p *parser) condition() (*Expr, error) {
	if p.take(tokIf) {
		return p.onlyExpr()
	}
	return nil, p.endOfLine()
}
