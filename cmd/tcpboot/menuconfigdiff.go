package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/tcpboot/tcpboot/menuconfig/kconfig"
	"github.com/tcpboot/tcpboot/pki/delivery"
	"github.com/tcpboot/tcpboot/pki/fleet"
)

// A differing is an option that two configurations have at different values, and
// where those come from. A side is null where the option has no line.
type differing struct {
	Name string `json:"name"`
	A    *side  `json:"a"`
	B    *side  `json:"b"`
}

type side struct {
	Value  *string `json:"value"` // null: a secret
	Origin string  `json:"origin"`
}

func menuconfigDiff(c *cli.Context) error {
	if err := wantArgs(c, 2, "A and B to compare"); err != nil {
		return err
	}
	return sideOf(c.Args().Get(0)).open(c, func(a *configuration) error {
		return sideOf(c.Args().Get(1)).open(c, func(b *configuration) error {
			list := differences(a, b)
			return answer(c, list, func(w io.Writer) { printDifferences(w, list) })
		})
	})
}

// sideOf is what an argument of --diff names.
func sideOf(text string) subject {
	name, isHardware := strings.CutPrefix(text, "hardware:")
	m, err := fleet.ParseMAC(text)
	switch {
	case err == nil:
		return subject{board: &m}
	case isHardware && name != "":
		return subject{hardware: name}
	case text == "site":
		return subject{site: true}
	}
	return subject{config: text, exists: true}
}

// differences compares two configurations, in the order of the first one's tree.
func differences(a, b *configuration) []differing {
	list := []differing{}
	add := func(name string) {
		left, textA := a.side(name)
		right, textB := b.side(name)
		if (left == nil) != (right == nil) || textA != textB {
			list = append(list, differing{name, left, right})
		}
	}
	for _, sym := range a.tree.Symbols {
		add(sym.Name)
	}
	for _, sym := range b.tree.Symbols {
		if a.tree.Symbol(sym.Name) == nil {
			add(sym.Name)
		}
	}
	return list
}

// side is what a configuration has for an option; text is its value, which side
// does not show when it is a secret.
func (conf *configuration) side(name string) (s *side, text string) {
	sym := conf.tree.Symbol(name)
	if sym == nil || !conf.settings.Written(sym) {
		return nil, ""
	}
	return &side{conf.shown(sym), conf.origin(sym)}, conf.settings.Value(sym).Text
}

// shown is a value for people and programs that ask what is what: nil for a
// secret.
func (conf *configuration) shown(sym *kconfig.Symbol) *string {
	text := conf.settings.Value(sym).Text
	if delivery.Secret(sym.Name) && text != "" {
		return nil
	}
	return &text
}

func printDifferences(w io.Writer, list []differing) {
	if len(list) == 0 {
		fmt.Fprintln(w, "no difference")
		return
	}
	var rows [][]string
	for _, d := range list {
		rows = append(rows, []string{d.Name, d.A.text(), d.A.origin(), d.B.text(), d.B.origin()})
	}
	table(w, "OPTION A FROM B FROM", rows)
}

func (s *side) text() string {
	switch {
	case s == nil:
		return ""
	case s.Value == nil:
		return "(secret)"
	}
	return *s.Value
}

func (s *side) origin() string {
	if s == nil {
		return ""
	}
	return s.Origin
}
