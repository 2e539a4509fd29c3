package kconfig

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"strings"
)

// The versions of the config server's protocol. In 1 what is hidden has the
// value null; 2 has a map of what is visible; 3 knows defaults and reset.
const (
	minVersion = 1
	maxVersion = 3
)

// A Server speaks ESP-IDF's config-server protocol, by which editors change
// settings: one JSON object a line, in and out. It reads and writes nothing by
// itself: lines are handed to it, and files to Load and from Save.
type Server struct {
	Settings *Settings
	File     string // what load and save mean when they name no file
	Load     func(file string) ([]byte, error)
	Save     func(file string, data []byte) error
}

// A view is what the protocol tells of settings.
type view struct{ values, ranges, visible, defaults object }

func (v *Server) view() view {
	s := v.Settings
	w := view{s.valuesJSON(), object{}, object{}, object{}}
	for _, sym := range s.tree.Symbols {
		if r := s.rangeJSON(sym); r != nil {
			w.ranges[sym.Name] = r
		}
		w.defaults[sym.Name] = s.IsDefault(sym)
	}
	s.viewVisible(s.tree.Root, w.visible)
	return w
}

// viewVisible fills in what is visible below an entry, and returns whether any
// of its children is: that makes a menu visible.
func (s *Settings) viewVisible(n *Node, visible object) (some bool) {
	for _, c := range n.Children {
		below := s.viewVisible(c, visible)
		switch c.Kind {
		case KindSymbol:
			below = s.Visible(c.Symbol)
		case KindChoice:
			below = s.modes[c.Choice.index]
		}
		visible[c.ID()] = below
		some = some || below
	}
	return some
}

// Greeting is the first line, before any request.
func (v *Server) Greeting() []byte {
	w := v.view()
	warnings := object{}
	for _, sym := range v.Settings.tree.Symbols {
		if sym.Warning != "" {
			warnings[sym.Name] = sym.Warning
		}
	}
	return oneLine(object{"version": number("3"), "values": w.values, "ranges": w.ranges, "visible": w.visible,
		"defaults": w.defaults, "warnings": warnings})
}

// oneLine prints a message of the protocol.
func oneLine(o object) []byte {
	var b strings.Builder
	printJSON(&b, o, "")
	return []byte(b.String() + "\n")
}

// A request is what a line asks for.
type request struct {
	Version *json.Number
	Load    json.RawMessage
	Set     json.RawMessage
	Reset   []string
	Save    json.RawMessage

	version  int64
	problems array
}

func (q *request) refuse(format string, args ...any) {
	q.problems = append(q.problems, fmt.Sprintf(format, args...))
}

// Answer does what a request asks for and returns the answer: what has changed,
// and what was refused.
func (v *Server) Answer(text []byte) []byte {
	q := &request{}
	if err := json.Unmarshal(text, q); err != nil {
		return oneLine(object{"version": number("3"), "error": array{"JSON formatting error: " + err.Error()}})
	}
	if q.Version == nil {
		return oneLine(object{"version": number("3"), "error": array{"All requests must have a 'version'"}})
	}
	var err error
	before := v.view()
	if q.version, err = q.Version.Int64(); err != nil || q.version < minVersion || q.version > maxVersion {
		q.refuse("Unsupported request version %s. Server supports versions %d-%d", *q.Version, minVersion, maxVersion)
	} else {
		if q.version == 1 && q.Load != nil {
			before = view{object{}, object{}, object{}, object{}}
		}
		v.carryOut(q)
	}
	return oneLine(v.changes(q, before))
}

// changes is the answer to a request.
func (v *Server) changes(q *request, before view) object {
	after := v.view()
	values, visible := changed(before.values, after.values), changed(before.visible, after.visible)
	answer := object{"version": number(q.Version.String()), "values": values, "ranges": changed(before.ranges, after.ranges)}
	if q.version == 1 {
		for id, is := range visible {
			if is == false {
				values[id] = nil
			}
		}
	} else {
		answer["visible"] = visible
	}
	if q.version >= 3 {
		answer["defaults"] = changed(before.defaults, after.defaults)
	}
	if len(q.problems) > 0 {
		answer["error"] = q.problems
	}
	return answer
}

// changed returns what is new or other in after.
func changed(before, after object) object {
	o := maps.Clone(after)
	maps.DeleteFunc(o, func(k string, v any) bool { return reflect.DeepEqual(before[k], v) })
	return o
}

// carryOut does what a request asks for, in the protocol's order.
func (v *Server) carryOut(q *request) {
	if q.Load != nil {
		if err := v.load(q.Load); err != nil {
			q.refuse("Failed to load from %s: %v", v.File, err)
		}
	}
	if q.Set != nil {
		v.set(q)
	}
	if q.Reset != nil {
		v.reset(q)
	}
	if q.Save != nil {
		if err := v.save(q.Save); err != nil {
			q.refuse("Failed to save to %s: %v", v.File, err)
		}
	}
}

// name takes the file that load or save names, if it names one.
func (v *Server) name(raw json.RawMessage) error {
	var file *string
	err := json.Unmarshal(raw, &file)
	if file != nil {
		v.File = *file
	}
	return err
}

// load replaces all that was chosen by a file.
func (v *Server) load(raw json.RawMessage) error {
	if err := v.name(raw); err != nil {
		return err
	}
	data, err := v.Load(v.File)
	if err != nil {
		return err
	}
	c, err := Read(v.File, data)
	if err != nil {
		return err
	}
	v.Settings.Reset()
	v.Settings.Load(c, PreferSdkconfig)
	return nil
}

func (v *Server) save(raw json.RawMessage) error {
	if err := v.name(raw); err != nil {
		return err
	}
	return v.Save(v.File, v.Settings.Sdkconfig())
}

// A pair is one value to set.
type pair struct {
	symbol *Symbol
	value  any
}

// set sets what is visible, again and again, since what it sets may reveal
// more.
func (v *Server) set(q *request) {
	pairs, missing, err := v.pairs(q.Set)
	if err != nil {
		q.refuse("JSON formatting error: %v", err)
		return
	}
	if len(missing) > 0 {
		q.refuse("The following config symbol(s) were not found: %s", strings.Join(missing, ", "))
	}
	for progress := true; progress; {
		var hidden []pair
		for _, p := range pairs {
			if v.Settings.Visible(p.symbol) {
				v.setOne(q, p)
			} else {
				hidden = append(hidden, p)
			}
		}
		progress = len(hidden) < len(pairs)
		pairs = hidden
	}
	if len(pairs) > 0 {
		names := make([]string, len(pairs))
		for i, p := range pairs {
			names[i] = p.symbol.Name
		}
		q.refuse("The following config symbol(s) were not visible so were not updated: %s", strings.Join(names, ", "))
	}
}

// pairs reads an object in the order in which it was written.
func (v *Server) pairs(raw json.RawMessage) (pairs []pair, missing []string, err error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return nil, nil, errors.Join(err, errors.New("set wants an object"))
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, nil, err
		}
		var value any
		if err := d.Decode(&value); err != nil {
			return nil, nil, err
		}
		sym := v.Settings.tree.Symbol(name.(string))
		if sym == nil {
			missing = append(missing, name.(string))
			continue
		}
		pairs = append(pairs, pair{sym, value})
	}
	_, err = d.Token()
	if err == io.EOF {
		err = nil
	}
	return pairs, missing, err
}

func (v *Server) setOne(q *request, p pair) {
	value, why := p.symbol.fromJSON(p.value)
	if why != "" {
		q.refuse("%s", why)
		return
	}
	if err := v.Settings.Set(p.symbol.Name, value); err != nil {
		q.refuse("%v", err)
	}
}

// fromJSON is the value that a client means for a symbol; why says that it
// cannot mean any.
func (s *Symbol) fromJSON(value any) (v Value, why string) {
	text, isText := value.(string)
	n, isNumber := value.(json.Number)
	if isNumber {
		text = n.String()
	}
	switch s.Type {
	case TypeBool:
		b, ok := value.(bool)
		if !ok {
			return Value{}, fmt.Sprintf("Boolean symbol %s only accepts true/false values", s.Name)
		}
		return Bool(b), ""
	case TypeHex:
		base := 16
		if isNumber {
			base = 10
		}
		hex := parseInt(text, base)
		if hex == nil {
			return Value{}, fmt.Sprintf("Hex symbol %s can accept a decimal integer or a string of hex digits, only", s.Name)
		}
		return Value{TypeHex, clamped(hex.Text(16), TypeHex)}, ""
	case TypeFloat:
		if !s.Type.reads(text) {
			return Value{}, fmt.Sprintf("Float symbol %s requires a valid float value", s.Name)
		}
	}
	if !isText && !isNumber {
		return Value{}, fmt.Sprintf("Symbol %s only accepts a string or a number", s.Name)
	}
	return Value{s.Type, text}, ""
}

// reset takes choices back: of symbols, of all below a menu, or all.
func (v *Server) reset(q *request) {
	if q.version < 3 {
		q.refuse("Resetting config symbols is not supported in protocol version %d", q.version)
		return
	}
	menus := v.menus()
	var symbols []*Symbol
	var noSymbols, noMenus []string
	for _, name := range q.Reset {
		sym := v.Settings.tree.Symbol(name)
		switch menu := menus[name]; {
		case name == "all":
			v.Settings.Unset(v.Settings.tree.Symbols...)
			return
		case sym != nil:
			symbols = append(symbols, sym)
		case menu != nil:
			symbols = append(symbols, menu.below()...)
		case strings.Contains(name, "-"):
			noMenus = append(noMenus, name)
		default:
			noSymbols = append(noSymbols, name)
		}
	}
	if len(noSymbols) > 0 {
		q.refuse("The following config symbol(s) were not found: %s", strings.Join(noSymbols, ", "))
	}
	if len(noMenus) > 0 {
		q.refuse("The following menu(s) were not found: %s", strings.Join(noMenus, ", "))
	}
	v.Settings.Unset(symbols...)
}

// menus lists the menus of the tree by their IDs.
func (v *Server) menus() map[string]*Node {
	menus := map[string]*Node{}
	v.Settings.tree.Walk(func(n *Node) {
		if n.Kind == KindMenu {
			menus[n.ID()] = n
		}
	})
	return menus
}

// below returns the symbols of all entries below one.
func (n *Node) below() (symbols []*Symbol) {
	for _, c := range n.Children {
		if c.Kind == KindSymbol {
			symbols = append(symbols, c.Symbol)
		}
		symbols = append(symbols, c.below()...)
	}
	return symbols
}
