package registry

import (
	"fmt"
	"strings"

	"github.com/tcpboot/tcpboot/pki/fleet"
)

// A Filter takes the boards that fit everything it says. The zero Filter takes
// all.
type Filter struct {
	States   []fleet.State // any of them
	MACs     []fleet.MAC   // any of them
	Hardware string
	Channel  string
	Match    string // part of the name, in either case, or of the MAC, with separators or without
}

// where spells f as SQL. before are the arguments bound so far, from $1 on.
//
// A walk over boards must find them in the order of their MACs: to sort them
// would gather all of them first. The indexes keep that order within one state,
// and within one hardware and channel. Where f asks otherwise, unordered keeps
// the database from using them.
func (f Filter) where(d *dialect, before ...any) (clause string, args []any) {
	w := where{dialect: d, args: before}
	if len(f.States) == 1 {
		w.equal("d.state", string(f.States[0]))
	} else {
		w.any(unordered("d.state"), texts(f.States))
	}
	w.any("d.mac", texts(f.MACs))
	if f.Hardware != "" && f.Channel != "" {
		w.equal("d.hardware", f.Hardware)
		w.equal("d.channel", f.Channel)
	} else {
		w.equal(unordered("d.hardware"), f.Hardware)
		w.equal(unordered("d.channel"), f.Channel)
	}
	w.match(f.Match)
	if len(w.terms) == 0 {
		return "", w.args
	}
	return " WHERE " + strings.Join(w.terms, " AND "), w.args
}

// A where gathers terms and the arguments bound to them.
type where struct {
	*dialect
	terms []string
	args  []any
}

// unordered makes an expression of a column, which no index knows.
func unordered(column string) string { return column + " || ''" }

// bind returns the placeholder of one more argument.
func (w *where) bind(v any) string {
	w.args = append(w.args, v)
	return fmt.Sprintf("$%d", len(w.args))
}

func (w *where) equal(column, s string) {
	if s != "" {
		w.terms = append(w.terms, column+" = "+w.bind(s))
	}
}

// any binds a list of any length as one argument.
func (w *where) any(column string, list []string) {
	if len(list) > 0 {
		w.terms = append(w.terms, w.in(column, w.bind(w.list(list))))
	}
}

// texts are words or MACs as they lie in the database.
func texts[T any](list []T) (all []string) {
	for _, v := range list {
		all = append(all, fmt.Sprint(v))
	}
	return all
}

func (w *where) match(s string) {
	if s == "" {
		return
	}
	term := "lower(d.name) LIKE " + w.bind(contains(s)) + ` ESCAPE '\'`
	if digits := strings.NewReplacer(":", "", "-", "").Replace(s); digits != "" {
		term += " OR d.mac LIKE " + w.bind(contains(digits)) + ` ESCAPE '\'`
	}
	w.terms = append(w.terms, "("+term+")")
}

// contains is the LIKE pattern of texts with s inside, whatever s holds.
func contains(s string) string {
	s = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(s)
	return "%" + strings.Map(lower, s) + "%"
}

// lower folds what SQL's lower folds everywhere: ASCII.
func lower(r rune) rune {
	if r >= 'A' && r <= 'Z' {
		r += 'a' - 'A'
	}
	return r
}
