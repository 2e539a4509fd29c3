package kconfig

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// A Report is what the reference tool's report file tells of how settings came
// about: files are loaded through it, and it remembers what they said. Its areas
// are those of that tool; the messages are in our words.
//
//	{"header": {"report_type": "kconfig", "parser_version": 1, "verbosity": "default",
//	            "status": "Info", "unique_defined_syms": 9, "defaults_policy": "sdkconfig"},
//	 "areas": [{"title": …, "severity": "Info", "data": …}, …],
//	 "messages": [{"level": "note", "message": …}, …]}
//
// An area is there when it has something to tell. Then the status is Info, unless
// that is about options without a prompt alone, and OK otherwise:
//
//	Multiple Symbol/Choice Definitions
//	Default Value Mismatch       marked values, of options and choices, that are no
//	                             longer the tree's, also of options without a prompt
//	Multiple Assignments         of an option in one file
//	Disabled Symbols/Choices With User-Set Value
type Report struct {
	Settings *Settings
	Policy   string // the name of the policy: "sdkconfig"

	quiet      []string // options without a prompt that files may set
	odd        []*Error
	mismatches []Mismatch
	promptless []promptless
	repeated   []repetition
	hidden     []hiddenChoice
}

// A promptless is a marked value of an option without a prompt.
type promptless struct {
	symbol        *Symbol
	kconfig, file string
}

// A repetition is an option that a file assigned more than once.
type repetition struct {
	symbol *Symbol
	lines  []Entry
}

// A hiddenChoice is a choice of which a file chose members while it is not shown.
type hiddenChoice struct {
	choice *Choice
	member string // the last one that was y; empty: none was
	file   string
}

// Report returns a report on the tree with nothing chosen. Files may set the
// options named quiet although they have no prompt.
func (t *Tree) Report(quiet ...string) *Report {
	return &Report{Settings: t.Settings(), Policy: "sdkconfig", quiet: quiet}
}

// Load is that of Settings. sdkconfig says that the file is the existing one, and
// no defaults file.
func (r *Report) Load(c *Config, policy Policy, sdkconfig bool) []*Error {
	if sdkconfig {
		r.promptlessOf(c)
	}
	odd := r.Settings.Load(c, func(m Mismatch) Outcome {
		r.mismatches = append(r.mismatches, m)
		if policy == nil {
			return KeepMarked
		}
		return policy(m)
	})
	r.odd = append(append(r.odd, c.Problems()...), odd...)
	r.readAgain(c, sdkconfig)
	return odd
}

// promptlessOf remembers marked values of options without a prompt that are not
// what the tree has for them, given what the file says of others.
func (r *Report) promptlessOf(c *Config) {
	now := r.Settings.Clone()
	now.Load(c, PreferKconfig)
	for e := range c.All() {
		sym := now.tree.now(e.Name)
		if sym == nil || sym.HasPrompt() || !e.Marked || slices.Contains(r.quiet, sym.Name) {
			continue
		}
		if text, ok := sym.accept(e.Value); ok && text != now.values[sym.index].text {
			r.promptless = append(r.promptless, promptless{sym, now.values[sym.index].text, text})
		}
	}
}

// readAgain remembers what Load has no use for: lines that assign an option for
// the second time, and those for a choice that is not shown.
func (r *Report) readAgain(c *Config, sdkconfig bool) {
	lines := map[*Symbol][]Entry{}
	hidden := map[*Choice]*hiddenChoice{}
	for e := range c.All() {
		sym := r.Settings.tree.now(e.Name)
		if sym == nil {
			continue
		}
		lines[sym] = append(lines[sym], e)
		if choice := sym.Choice; sym.member() && sdkconfig && !e.Marked && !r.Settings.modes[choice.index] {
			if hidden[choice] == nil {
				hidden[choice] = &hiddenChoice{choice: choice, file: c.file}
			}
			if y, _ := e.Value.True(); y {
				hidden[choice].member = sym.Name
			}
		}
	}
	for _, sym := range r.Settings.tree.Symbols {
		// Several members that are y are no repetition: the last one counts.
		if list := lines[sym]; len(list) > 1 && (!sym.member() || list[0].Marked) {
			r.repeated = append(r.repeated, repetition{sym, list})
		}
	}
	for _, choice := range r.Settings.tree.Choices {
		if h := hidden[choice]; h != nil {
			r.hidden = append(r.hidden, *h)
		}
	}
}

// now returns the symbol that a name stands for, an old one too.
func (t *Tree) now(name string) *Symbol {
	if sym := t.Symbol(name); sym != nil {
		return sym
	}
	if r, ok := t.names.find(name); ok {
		return t.Symbol(r.now)
	}
	return nil
}

// JSON returns the report file.
func (r *Report) JSON() []byte {
	areas, status := array{}, "OK"
	for _, a := range []struct {
		title string
		data  object
	}{
		{"Multiple Symbol/Choice Definitions", r.definitions()},
		{"Default Value Mismatch", r.mismatch()},
		{"Multiple Assignments", r.assignments()},
		{"Disabled Symbols/Choices With User-Set Value", r.disabled()},
	} {
		if a.data != nil {
			severity := "Info"
			if a.data["mismatched_promptless"] != nil && len(a.data) == 1 {
				severity = "OK"
			} else {
				status = "Info"
			}
			areas = append(areas, object{"title": a.title, "severity": severity, "data": a.data})
		}
	}
	var b strings.Builder
	printJSON(&b, object{"areas": areas, "messages": r.messages(), "header": object{
		"report_type": "kconfig", "parser_version": number("1"), "verbosity": "default", "status": status,
		"unique_defined_syms": number(strconv.Itoa(len(r.Settings.tree.Symbols))), "defaults_policy": r.Policy,
	}}, "\n")
	return []byte(b.String())
}

// definitions are the places of what is defined in several.
func (r *Report) definitions() object {
	data := object{}
	add := func(name string, nodes []*Node) {
		places := map[string]*Node{}
		for _, n := range nodes {
			places[fmt.Sprintf("    %s:%d", n.File, n.Line)] = n
		}
		if len(places) < 2 {
			return
		}
		list := array{}
		for _, n := range slices.SortedFunc(maps.Values(places), func(a, b *Node) int {
			return cmp.Or(strings.Compare(a.File, b.File), a.Line-b.Line)
		}) {
			list = append(list, fmt.Sprintf("    %s:%d", n.File, n.Line))
		}
		data[name] = list
	}
	for _, sym := range r.Settings.tree.Symbols {
		if !sym.shared {
			add(sym.Name, sym.Nodes)
		}
	}
	for _, c := range r.Settings.tree.Choices {
		if !c.shared {
			add(c.Name, c.Nodes)
		}
	}
	return orNil(data)
}

func orNil(o object) object {
	if len(o) == 0 {
		return nil
	}
	return o
}

func (r *Report) mismatch() object {
	data := object{}
	add := func(key string, o object) {
		list, _ := data[key].(array)
		data[key] = append(list, o)
	}
	for _, m := range r.mismatches {
		if m.Symbol != nil {
			add("changed_defaults", object{"name": m.Symbol.Name, "kconfig_default": m.Kconfig, "sdkconfig_default": m.Marked})
		} else {
			add("changed_choices", object{"name": m.Choice.Name, "kconfig_selection": m.Kconfig, "sdkconfig_selection": m.Marked})
		}
	}
	for _, p := range r.promptless {
		// The last key is false there although the value was marked.
		add("mismatched_promptless", object{"name": p.symbol.Name, "kconfig_value": p.kconfig, "sdkconfig_value": p.file, "sdkconfig_value_is_default": false})
	}
	return orNil(data)
}

func (r *Report) assignments() object {
	if len(r.repeated) == 0 {
		return nil
	}
	symbols, choices := object{}, object{}
	for _, p := range r.repeated {
		values := object{}
		for _, e := range p.lines {
			text := e.Value.Text
			if p.symbol.member() {
				text = p.symbol.Name
			}
			values[text] = map[bool]string{true: "default", false: "user-set"}[e.Marked]
		}
		if p.symbol.member() {
			choices[p.symbol.Choice.Name] = object{"values": values, "final_value": r.selection(p.symbol.Choice)}
		} else {
			symbols[p.symbol.Name] = object{"values": values, "final_value": r.Settings.values[p.symbol.index].text}
		}
	}
	return object{"symbols": symbols, "choices": choices}
}

// selection names the member of a choice that is y.
func (r *Report) selection(c *Choice) string {
	if sym := r.Settings.picked[c.index]; sym != nil {
		return sym.Name
	}
	return "choice deselected"
}

func (r *Report) disabled() object {
	symbols, choices := object{}, object{}
	for _, sym := range r.Settings.tree.Symbols {
		if u := r.Settings.users[sym.index]; u.set && !r.Settings.values[sym.index].visible && sym.HasPrompt() && sym.Choice == nil {
			symbols[sym.Name] = object{"value": u.text, "source": u.at.File}
		}
	}
	for _, h := range r.hidden {
		choices[h.choice.Name] = object{"value": optional(h.member, h.member != ""), "source": h.file}
	}
	if len(symbols)+len(choices) == 0 {
		return nil
	}
	return object{"symbols": symbols, "choices": choices}
}

// messages are what is odd about the tree, the files and the values.
func (r *Report) messages() array {
	list := array{}
	for _, odd := range [][]*Error{r.Settings.tree.problems, r.odd, r.Settings.Problems()} {
		for _, e := range odd {
			level := "note"
			if e.Kind == Broken && !e.source {
				level = "warning"
			}
			list = append(list, object{"level": level, "message": e.Error()})
		}
	}
	for _, c := range r.Settings.Check() {
		list = append(list, object{"level": "note", "message": c.Error()})
	}
	return list
}
