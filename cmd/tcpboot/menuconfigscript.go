package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/tcpboot/tcpboot/menuconfig/kconfig"
)

// script does what the flags say.
func (conf *configuration) script() error {
	changed, err := conf.change()
	if err != nil {
		return err
	}
	if err := conf.verify(changed); err != nil {
		return err
	}
	if conf.cli.IsSet("format") {
		return conf.print(conf.cli.String("format"))
	}
	if len(changed) > 0 {
		if err := conf.save(); err != nil {
			return err
		}
		say(conf.cli, "saved %s", conf.file)
	}
	return answer(conf.cli, conf.described(), func(io.Writer) {})
}

// change does what --set and --unset say, and returns the symbols they name.
func (conf *configuration) change() (changed []*kconfig.Symbol, err error) {
	for _, name := range conf.cli.StringSlice("unset") {
		sym := conf.settings.Tree().Symbol(strings.TrimPrefix(name, "CONFIG_"))
		if sym == nil {
			return nil, fmt.Errorf("there is no option %s", name)
		}
		conf.settings.Unset(sym)
		changed = append(changed, sym)
	}
	for _, text := range conf.cli.StringSlice("set") {
		sym, err := conf.set(text)
		if err != nil {
			return nil, err
		}
		changed = append(changed, sym)
	}
	return changed, nil
}

// set chooses what NAME=VALUE says. A string may stand with quotes or without.
func (conf *configuration) set(text string) (*kconfig.Symbol, error) {
	name, value, ok := strings.Cut(strings.TrimPrefix(text, "CONFIG_"), "=")
	if !ok {
		return nil, usagef("--set %s: want NAME=VALUE", text)
	}
	sym := conf.settings.Tree().Symbol(name)
	if sym == nil {
		return nil, fmt.Errorf("there is no option %s", name)
	}
	return sym, conf.settings.Set(name, valueFor(sym, value))
}

// valueFor is the value that people mean by a word for an option.
func valueFor(sym *kconfig.Symbol, text string) kconfig.Value {
	if sym.Type != kconfig.TypeString {
		return kconfig.Value{Type: sym.Type, Text: text}
	}
	return kconfig.String(text)
}

// verify refuses values that do not hold: all of them with --check, and else
// those that this run has chosen.
func (conf *configuration) verify(changed []*kconfig.Symbol) error {
	var problems []error
	for _, conflict := range conf.settings.Check() {
		problems = append(problems, conflict)
	}
	if len(problems) > 0 {
		return problems[0]
	}
	return nil
}

// print prints everything in one of the build's formats.
func (conf *configuration) print(format string) error {
	formats := map[string]func() []byte{
		"sdkconfig": conf.settings.Sdkconfig, "header": conf.settings.Header, "json": conf.settings.JSON, "cmake": conf.settings.CMake,
		"min": func() []byte { return conf.settings.Minimal(false) }, "menus": conf.settings.Menus,
	}
	write := formats[format]
	if write == nil {
		return usagef("--format %s: want sdkconfig, header, json, cmake, min or menus", format)
	}
	_, err := conf.cli.App.Writer.Write(write())
	return err
}

// described is the answer of --json.
func (conf *configuration) described() any { return nil }
