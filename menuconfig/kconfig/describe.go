package kconfig

import (
	"fmt"
	"slices"
	"strings"
)

// Definition prints an entry as a Kconfig file would have it, without its help
// text. Its depends on has what flows down from the entries around it; the other
// conditions are its own.
func (n *Node) Definition() string {
	d := &definition{}
	d.open(n)
	if e := n.DependsOn(); !e.isYes() {
		d.line("depends on", e, nil)
	}
	if !n.visibleIf.isYes() {
		d.line("visible if", n.visibleIf, nil)
	}
	for _, v := range n.defaults {
		d.line("default", v.value, v.cond)
	}
	for _, r := range n.ranges {
		d.line("range", r.low.String()+" "+r.high.String(), r.cond)
	}
	for _, r := range n.selects {
		d.line("select", r.symbol, r.cond)
	}
	for _, r := range n.implies {
		d.line("imply", r.symbol, r.cond)
	}
	for _, a := range n.sets {
		d.line("set", a.symbol.Name+"="+a.value.String(), a.cond)
	}
	for _, a := range n.weakSets {
		d.line("set default", a.symbol.Name+"="+a.value.String(), a.cond)
	}
	if n.Warning != "" {
		d.line("warning", String(n.Warning), nil)
	}
	return d.String()
}

type definition struct{ strings.Builder }

// open prints the first line of an entry, and its type and prompt.
func (d *definition) open(n *Node) {
	switch n.Kind {
	case KindMenu:
		fmt.Fprintf(d, "menu %s\n", String(n.Prompt))
	case KindComment:
		fmt.Fprintf(d, "comment %s\n", String(n.Prompt))
	case KindChoice:
		fmt.Fprintf(d, "%s\n", strings.TrimSpace("choice "+n.Choice.Name))
		d.prompt("prompt", n)
	case KindSymbol:
		fmt.Fprintf(d, "%s %s\n", map[bool]string{true: "menuconfig", false: "config"}[n.Menuconfig], n.Symbol.Name)
		if n.Symbol.Type == TypeBare {
			d.prompt("prompt", n)
		} else if d.prompt(n.Symbol.Type.String(), n); !n.HasPrompt {
			d.line(n.Symbol.Type.String(), "", nil)
		}
	}
}

func (d *definition) prompt(word string, n *Node) {
	if n.HasPrompt {
		d.line(word, String(n.Prompt), n.promptIf)
	}
}

func (d *definition) line(word string, what any, cond *Expr) {
	text := strings.TrimSpace(fmt.Sprintf("%s %v", word, what))
	if !cond.isYes() {
		text += " if " + cond.String()
	}
	d.WriteString("    " + text + "\n")
}

// Selectors returns the symbols that may select s, imply it, or set it, active
// or not.
func (s *Symbol) Selectors() (selecting, implying, setting []*Symbol) {
	of := func(lists ...[]reverse) (by []*Symbol) {
		for _, list := range lists {
			for _, r := range list {
				by = append(by, r.by)
			}
		}
		return by
	}
	return of(s.selected), of(s.implied), of(s.set, s.weakSet)
}

// Symbols returns the symbols that e names, those that are defined, each once.
func (e *Expr) Symbols() (named []*Symbol) {
	e.each(func(sym *Symbol, _ *Choice) {
		if sym != nil && sym.Defined() && !slices.Contains(named, sym) {
			named = append(named, sym)
		}
	})
	return named
}
