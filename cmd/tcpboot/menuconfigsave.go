package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/tcpboot/tcpboot/menuconfig/kconfig"
	"github.com/tcpboot/tcpboot/pki/delivery"
	"github.com/tcpboot/tcpboot/pki/site"
)

// save writes what is chosen where it is kept.
func (conf *configuration) save() error {
	if len(conf.layers) == 0 {
		return replaceConfig(conf.file, conf.settings.Sdkconfig())
	}
	if err := conf.fold(); err != nil {
		return err
	}
	if err := site.MakeDir(filepath.Dir(conf.file)); err != nil {
		return err
	}
	return site.WriteFile(conf.file, conf.edited().Bytes(), 0o600)
}

// edited is the layer that is edited: the uppermost that people can.
func (conf *configuration) edited() *kconfig.Config {
	for _, l := range conf.layers {
		if l.file == conf.file {
			return l.config
		}
	}
	return nil
}

// fold takes what this run has chosen into the layer that is edited, and no more:
// what the layers below it say goes on to come from there.
func (conf *configuration) fold() error {
	for _, sym := range conf.tree.Symbols {
		v, at, chosen := conf.settings.User(sym)
		_, _, before := conf.opened.User(sym)
		switch {
		case chosen && at.File == "":
			if err := conf.foldOne(sym, v); err != nil {
				return err
			}
		case before && !chosen:
			conf.edited().Unset(sym.Name)
		}
	}
	conf.evaluate()
	return nil
}

// foldOne sets one option in the layer. Of a choice only the member that is to be
// y stays there, whatever the order of the lines was.
func (conf *configuration) foldOne(sym *kconfig.Symbol, v kconfig.Value) error {
	if delivery.Secret(sym.Name) {
		return &secretError{sym.Name}
	}
	if sym.Choice != nil && v.Text == "y" {
		for _, m := range sym.Choice.Members {
			conf.edited().Unset(m.Name)
		}
	}
	return conf.edited().Set(sym.Name, fileValue(v))
}

// fileValue is a value as a file has it, where no type is known.
func fileValue(v kconfig.Value) kconfig.Value {
	switch {
	case v.Type == kconfig.TypeHex && !strings.HasPrefix(strings.ToLower(v.Text), "0x"):
		v.Text = "0x" + v.Text
	case v.Type == kconfig.TypeFloat:
		v.Type = kconfig.TypeBare
	}
	return v
}

// A secretError says that a value has no place among options that are shared.
type secretError struct{ name string }

func (e *secretError) Error() string {
	return e.name + ": a secret of one board, which neither flags nor layers take"
}

// replaceConfig writes an sdkconfig, and keeps what was there as FILE.old. New
// ones are for their owner alone, because they can hold a board's password.
func replaceConfig(name string, text []byte) error {
	old, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return site.WriteFile(name, text, 0o600)
	}
	if err != nil || string(old) == string(text) {
		return err
	}
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	if err := site.WriteFile(name+".old", old, info.Mode().Perm()); err != nil {
		return err
	}
	return site.WriteFile(name, text, info.Mode().Perm())
}
