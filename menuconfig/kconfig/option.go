package kconfig

import (
	"fmt"
	"strings"
)

// options parses the lines below an entry that say something about it. The
// first that does not is given back.
func (p *parser) options(n *Node) error {
	for {
		ok, err := p.next()
		if err != nil || !ok {
			return err
		}
		word := p.kind()
		parse, ok := optionParsers[word]
		if !ok {
			p.lex.back = true
			return nil
		}
		p.at++
		if err := parse(p, n, word); err != nil {
			return err
		}
	}
}

var optionParsers map[tokenKind]func(*parser, *Node, tokenKind) error

func init() {
	optionParsers = map[tokenKind]func(*parser, *Node, tokenKind) error{
		tokBool: (*parser).typeLine, tokInt: (*parser).typeLine, tokHex: (*parser).typeLine,
		tokString: (*parser).typeLine, tokFloat: (*parser).typeLine,
		tokPrompt: (*parser).prompt, tokDepends: (*parser).dependsOn, tokVisible: (*parser).visibleIf,
		tokDefault: (*parser).defaultValue, tokRange: (*parser).rangeLine, tokHelp: (*parser).helpText,
		tokSelect: (*parser).selects, tokImply: (*parser).selects, tokSet: (*parser).sets,
		tokOption: (*parser).option, tokOptional: (*parser).optional, tokWarning: (*parser).warning,
	}
}

var types = map[tokenKind]Type{tokBool: TypeBool, tokInt: TypeInt, tokHex: TypeHex, tokString: TypeString, tokFloat: TypeFloat}

func (p *parser) typeLine(n *Node, word tokenKind) error {
	t := types[word]
	var typ *Type
	switch n.Kind {
	case KindSymbol:
		typ = &n.Symbol.Type
	case KindChoice:
		typ = &n.Choice.typ
	default:
		return p.misplaced("a type")
	}
	if *typ != TypeBare && *typ != t {
		p.note(fmt.Sprintf("a second type: it was %s, and is %s from here on", *typ, t))
	}
	*typ = t
	if p.kind() == tokEnd {
		return nil
	}
	return p.prompt(n, tokPrompt)
}

// misplaced says that an option stands below an entry that cannot have it.
func (p *parser) misplaced(what string) error {
	p.at = 0
	return p.fail(what + " does not belong to this entry")
}

func (p *parser) prompt(n *Node, _ tokenKind) (err error) {
	if n.Kind != KindSymbol && n.Kind != KindChoice {
		return p.misplaced("a prompt")
	}
	if n.HasPrompt {
		p.note("a second prompt: this one counts")
	}
	text, err := p.text()
	if err != nil {
		return err
	}
	n.Prompt, n.HasPrompt = strings.TrimFunc(text, blank), true
	n.promptIf, err = p.condition()
	return err
}

func (p *parser) dependsOn(n *Node, _ tokenKind) error {
	if !p.take(tokOn) {
		return p.fail("depends is followed by on")
	}
	e, err := p.onlyExpr()
	n.depends = and(n.depends, e)
	return err
}

func (p *parser) visibleIf(n *Node, _ tokenKind) error {
	if !p.take(tokIf) {
		return p.fail("visible is followed by if")
	}
	if n.Kind == KindSymbol || n.Kind == KindChoice {
		p.note("visible if is for menus, and means nothing here")
		return nil
	}
	e, err := p.onlyExpr()
	n.visibleIf = and(n.visibleIf, e)
	return err
}

func (p *parser) defaultValue(n *Node, _ tokenKind) error {
	pos := p.lex.tokens[p.at].pos
	value, err := p.expr()
	if err != nil {
		return err
	}
	var at *Error
	if value.op != opSymbol {
		at = p.lex.where(pos)
	}
	cond, err := p.condition()
	n.defaults = append(n.defaults, guarded{value, cond, at})
	return err
}

func (p *parser) rangeLine(n *Node, _ tokenKind) (err error) {
	var r bounds
	if r.low, err = p.operand(); err != nil {
		return err
	}
	if r.high, err = p.operand(); err != nil {
		return err
	}
	r.cond, err = p.condition()
	n.ranges = append(n.ranges, r)
	return err
}

func (p *parser) helpText(n *Node, _ tokenKind) (err error) {
	if n.HasHelp {
		p.note("a second help text: this one counts")
	}
	n.HasHelp = true
	n.help, err = p.lex.help()
	return err
}

func (p *parser) selects(n *Node, word tokenKind) error {
	if n.Kind != KindSymbol {
		return p.misplaced("select or imply")
	}
	target, err := p.symbol()
	if err != nil {
		return err
	}
	cond, err := p.condition()
	if word == tokSelect {
		n.selects = append(n.selects, reference{target, cond})
	} else {
		n.implies = append(n.implies, reference{target, cond})
	}
	return err
}

// sets parses set X=V and set default X=V.
func (p *parser) sets(n *Node, _ tokenKind) error {
	if n.Kind != KindSymbol || n.Symbol.Type != TypeBare && n.Symbol.Type != TypeBool {
		p.note("set is for bools, and means nothing here")
		return nil
	}
	list := &n.sets
	if p.take(tokDefault) {
		list = &n.weakSets
	}
	target, err := p.symbol()
	if err != nil {
		return err
	}
	if !p.take(tokEqual) {
		return p.fail("set is followed by a name, = and a value")
	}
	value, err := p.operand()
	if err != nil {
		return err
	}
	cond, err := p.condition()
	*list = append(*list, assignment{target, value, cond})
	return err
}

// option parses what is left of the options of other Kconfig dialects.
func (p *parser) option(n *Node, _ tokenKind) error {
	if n.Kind != KindSymbol {
		return p.misplaced("option")
	}
	switch {
	case p.take(tokEnv):
		return p.fromEnvironment(n)
	case p.take(tokAllNoConfig):
		return nil
	case p.take(tokDefconfigList):
		n.Symbol.unnamed = n.Symbol.unnamed || p.special == nil
		p.special = n.Symbol
		return nil
	}
	return p.fail("no option of the language")
}

func (p *parser) fromEnvironment(n *Node) error {
	if !p.take(tokEqual) {
		return p.fail("env is followed by = and a name")
	}
	name, err := p.onlyText()
	if err != nil {
		return err
	}
	n.Symbol.unnamed = true
	value, ok := p.macros.env(name)
	if !ok {
		p.note("the environment has no " + name)
		return nil
	}
	d := guarded{value: constant(value).expr()}
	switch value {
	case "y":
		d.value = yes.expr()
	case "n":
		d.value = never
	}
	n.defaults = append(n.defaults, d)
	return nil
}

func (p *parser) optional(n *Node, _ tokenKind) error {
	if n.Kind != KindChoice {
		return p.misplaced("optional")
	}
	return nil
}

func (p *parser) warning(n *Node, _ tokenKind) (err error) {
	if n.Warning != "" {
		p.note("a second warning: this one counts")
	}
	n.Warning, err = p.text()
	return err
}
