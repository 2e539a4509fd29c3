package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/tcpboot/tcpboot/menuconfig/kconfig"
	"github.com/tcpboot/tcpboot/pki/delivery"
)

const formatNames = "sdkconfig, header, json, cmake, min, menus, report"

// scripted reports whether the flags say what to do, so that no menu is opened.
func (conf *configuration) scripted() bool {
	for _, name := range []string{"set", "unset", "check", "format"} {
		if conf.cli.IsSet(name) {
			return true
		}
	}
	return conf.cli.Bool("json")
}

// script does what the flags say.
func (conf *configuration) script() error {
	before := conf.opened
	changed, err := conf.change()
	if err != nil {
		return err
	}
	c := conf.cli
	switch {
	case c.IsSet("format"):
		return conf.print(c.String("format"))
	case c.Bool("check"):
		if err := conf.check(); err != nil || len(changed) == 0 {
			return err
		}
	case len(changed) == 0:
		return answer(c, conf.described(conf.tree.Symbols), func(io.Writer) {})
	}
	conf.sayLost(before)
	if err := conf.save(); err != nil {
		return err
	}
	if c.Bool("check") { // which has answered
		say(c, "saved in %s", conf.file)
		return nil
	}
	return answer(c, conf.described(changed), func(w io.Writer) { fmt.Fprintf(w, "saved in %s\n", conf.file) })
}

// change does what --unset and --set say, and returns the options that they name.
// A value that would not hold is refused.
func (conf *configuration) change() (changed []*kconfig.Symbol, err error) {
	for _, name := range conf.cli.StringSlice("unset") {
		sym, err := conf.named(name)
		if err != nil {
			return nil, err
		}
		conf.settings.Unset(sym)
		changed = append(changed, sym)
	}
	wanted := map[*kconfig.Symbol]string{}
	for _, text := range conf.cli.StringSlice("set") {
		sym, err := conf.set(text)
		if err != nil {
			return nil, err
		}
		v, _, _ := conf.settings.User(sym)
		if rival := rivalOf(sym, wanted); rival != nil && v.Text == "y" {
			return nil, usagef("--set: of %s and %s, members of one choice, only one can be y", rival.Name, sym.Name)
		}
		wanted[sym] = v.Text
		changed = append(changed, sym)
	}
	if len(conf.layers) > 0 && len(changed) > 0 {
		if err := conf.fold(); err != nil {
			return nil, err
		}
	}
	return changed, conf.hold(wanted)
}

// rivalOf is the other member of a symbol's choice that is to be y, or nil.
func rivalOf(sym *kconfig.Symbol, wanted map[*kconfig.Symbol]string) *kconfig.Symbol {
	if sym.Choice == nil {
		return nil
	}
	for _, m := range sym.Choice.Members {
		if m != sym && wanted[m] == "y" {
			return m
		}
	}
	return nil
}

// named finds an option by its name, with CONFIG_ before it or without.
func (conf *configuration) named(name string) (*kconfig.Symbol, error) {
	sym := conf.tree.Symbol(strings.TrimPrefix(name, "CONFIG_"))
	if sym == nil {
		return nil, fmt.Errorf("there is no option %s", name)
	}
	return sym, nil
}

// set chooses what NAME=VALUE says. The text of a string stands as it is, without
// quotes of its own.
func (conf *configuration) set(text string) (*kconfig.Symbol, error) {
	name, value, ok := strings.Cut(text, "=")
	if !ok {
		return nil, usagef("--set %s: want NAME=VALUE", name)
	}
	sym, err := conf.named(name)
	if err != nil {
		return nil, err
	}
	if delivery.Secret(sym.Name) {
		return nil, usageError{&secretError{sym.Name}}
	}
	if sym.Type == kconfig.TypeString {
		if err := (kconfig.Assignment{Name: sym.Name, Value: kconfig.String(value)}).Check(); err != nil {
			return nil, err // no file could hold it
		}
	}
	return sym, conf.settings.Set(sym.Name, kconfig.Value{Type: sym.Type, Text: value})
}

// hold refuses values that were chosen now and have no effect.
func (conf *configuration) hold(wanted map[*kconfig.Symbol]string) error {
	for _, conflict := range conf.settings.Check() {
		if _, ok := wanted[conflict.Symbol]; ok {
			return &kconfig.Conflict{Symbol: conflict.Symbol, Why: conflict.Why}
		}
	}
	for _, sym := range conf.tree.Symbols {
		if text, ok := wanted[sym]; ok && conf.settings.Value(sym).Text != text {
			return fmt.Errorf("%s: %s has another value for it", sym.Name, conf.origin(sym))
		}
	}
	for _, name := range []string{"WIFI_SSID", "UPDATE_SERVER", "UPDATE_PORT"} {
		if _, ok := wanted[conf.tree.Symbol(name)]; ok {
			return conf.reach()
		}
	}
	return nil
}

// sayLost says which values have no effect any more because of what was chosen now.
func (conf *configuration) sayLost(before *kconfig.Settings) {
	lost := map[*kconfig.Symbol]bool{}
	for _, conflict := range before.Check() {
		lost[conflict.Symbol] = true
	}
	for _, conflict := range conf.settings.Check() {
		if !lost[conflict.Symbol] {
			say(conf.cli, "without effect now: %v", conflict)
		}
	}
}

// print prints everything in one of the build's formats.
func (conf *configuration) print(format string) error {
	s := conf.settings
	formats := map[string]func() []byte{
		"sdkconfig": s.Sdkconfig, "header": s.Header, "json": s.JSON, "cmake": s.CMake, "menus": s.Menus,
		"min":    func() []byte { return s.Minimal(os.Getenv("ESP_IDF_KCONFIG_MIN_LABELS") == "1") },
		"report": conf.report,
	}
	write := formats[format]
	if write == nil {
		return usagef("--format %s: want one of %s", format, formatNames)
	}
	_, err := conf.cli.App.Writer.Write(write())
	return err
}

// report is the report on the files, as they are.
func (conf *configuration) report() []byte {
	r := conf.tree.Report(strings.Split(os.Getenv("KCONFIG_PROMPTLESS_NO_WARN"), ";")...)
	r.Policy = conf.cli.String("policy")
	for _, f := range conf.files {
		r.Load(f, conf.policy, f == conf.existing)
	}
	return r.JSON()
}

// A verdictOnValues is the answer of --check.
type verdictOnValues struct {
	Target   string   `json:"target"`
	Problems []string `json:"problems"`
	Remarks  []string `json:"remarks"`
}

// check says what does not hold. What is odd but holds is a remark.
func (conf *configuration) check() error {
	v := verdictOnValues{Target: conf.target, Problems: []string{}, Remarks: []string{}}
	for _, err := range conf.problems() {
		v.Problems = append(v.Problems, err.Error())
	}
	for _, list := range [][]*kconfig.Error{conf.odd, conf.tree.Problems(), conf.settings.Problems()} {
		for _, e := range list {
			if text := e.Error(); !slices.Contains(v.Problems, text) {
				v.Remarks = append(v.Remarks, text)
			}
		}
	}
	err := answer(conf.cli, v, func(w io.Writer) {
		for _, text := range v.Problems {
			fmt.Fprintln(w, printable(text))
		}
		if len(v.Problems) == 0 {
			fmt.Fprintf(w, "what is chosen for %s holds\n", v.Target)
		}
	})
	if !conf.cli.Bool("json") {
		for _, text := range v.Remarks {
			say(conf.cli, "%s", printable(text))
		}
	}
	if n := len(v.Problems); err == nil && n > 0 {
		err = fmt.Errorf("%d of what is chosen does not hold", n)
	}
	return err
}

// A description is the answer of --json: options with their values, and where
// those come from.
type description struct {
	Target  string            `json:"target"`
	File    string            `json:"file"`
	Options []describedOption `json:"options"`
}

type describedOption struct {
	Name    string  `json:"name"`
	Type    string  `json:"type"`
	Value   *string `json:"value"` // null: a secret
	Origin  string  `json:"origin"`
	Visible bool    `json:"visible"`
	Default bool    `json:"default"` // nobody chose it
}

func (conf *configuration) described(symbols []*kconfig.Symbol) description {
	d := description{conf.target, conf.file, []describedOption{}}
	s := conf.settings
	for _, sym := range symbols {
		if !s.Written(sym) {
			continue
		}
		d.Options = append(d.Options, describedOption{sym.Name, sym.Type.String(), conf.shown(sym), conf.origin(sym), s.Visible(sym), s.IsDefault(sym)})
	}
	return d
}
