package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/term"

	menu "github.com/tcpboot/tcpboot/menuconfig"
	"github.com/tcpboot/tcpboot/menuconfig/kconfig"
	"github.com/tcpboot/tcpboot/pki/delivery"
	"github.com/tcpboot/tcpboot/pki/site"
)

// show opens the menu.
func (conf *configuration) show() error {
	in, isFile := conf.cli.App.Reader.(*os.File)
	out, too := conf.cli.App.Writer.(*os.File)
	if !isFile || !too || !term.IsTerminal(int(in.Fd())) || !term.IsTerminal(int(out.Fd())) || os.Getenv("TERM") == "dumb" {
		return errors.New("menuconfig: there is no terminal for a menu; --set, --check and --format do without")
	}
	s, err := conf.session()
	if err != nil {
		return err
	}
	return menu.Run(conf.cli.Context, menu.New(s, appearance(os.Getenv)...), in, out, os.Environ())
}

// session is what the menu is opened on.
func (conf *configuration) session() (s menu.Session, err error) {
	s = menu.Session{Settings: conf.settings, File: conf.file, Odd: conf.useless(), Load: os.ReadFile, Save: replaceConfig,
		Origin: conf.placeName, Secret: delivery.Secret}
	if len(conf.layers) > 0 {
		s.Saved, s.Save, s.Render, s.Reread, s.Barred = conf.edited().Bytes(), conf.saveLayer, conf.layerOf, conf.reread, barred
		return s, nil
	}
	s.Saved, err = os.ReadFile(conf.file)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	return s, err
}

// useless are the lines that have no effect.
func (conf *configuration) useless() (lines []*kconfig.Error) {
	for _, e := range conf.odd {
		if e.Kind == kconfig.Broken || e.Kind == kconfig.Unknown && !conf.cli.Bool("allow-unknown") {
			lines = append(lines, e)
		}
	}
	return lines
}

// placeName names where a value was chosen: its layer, or file and line.
func (conf *configuration) placeName(at kconfig.Origin) string {
	for _, l := range conf.layers {
		if l.file == at.File {
			return l.name
		}
	}
	return fmt.Sprintf("%s:%d", at.File, at.Line)
}

// barred keeps a board's secrets out of layers.
func barred(name string) string {
	if delivery.Secret(name) {
		return "a secret of one board, which layers do not take"
	}
	return ""
}

func (conf *configuration) saveLayer(file string, text []byte) error {
	if file != conf.file {
		return replaceConfig(file, text)
	}
	if err := conf.stray(text); err != nil {
		return err
	}
	if err := site.MakeDir(filepath.Dir(file)); err != nil {
		return err
	}
	return site.WriteFile(file, text, 0o600)
}

// stray refuses a layer that leads boards where they cannot go, unless what there was
// when the menu opened did so too: then somebody is at work on it.
func (conf *configuration) stray(text []byte) error {
	edited, err := kconfig.ReadDefaults(conf.file, text)
	if err != nil {
		return err
	}
	next, before := conf.replaced(edited), *conf
	next.evaluate()
	before.settings = conf.opened
	if err := next.reach(); err != nil && before.reach() == nil {
		return err
	}
	return nil
}

// layerOf is the layer that is edited with what the menu has chosen.
func (conf *configuration) layerOf(s *kconfig.Settings) ([]byte, error) {
	next, err := conf.with(s)
	if err != nil {
		return nil, err
	}
	return next.edited().Bytes(), nil
}

// reread evaluates all layers with what the menu has chosen in the one that is
// edited.
func (conf *configuration) reread(s *kconfig.Settings) (*kconfig.Settings, error) {
	next, err := conf.with(s)
	if err != nil {
		return nil, err
	}
	next.evaluate()
	return next.settings, nil
}

// with returns the configuration with another layer in place of the one that is
// edited: in it is what the menu has chosen, and not what it took back.
func (conf *configuration) with(s *kconfig.Settings) (*configuration, error) {
	edited, err := kconfig.ReadDefaults(conf.file, conf.edited().Bytes())
	if err != nil {
		return nil, err
	}
	next := conf.replaced(edited)
	for _, sym := range conf.tree.Symbols {
		switch was, now := conf.said(conf.opened, sym), conf.said(s, sym); {
		case was == now || sym.Choice != nil && s.Selection(sym.Choice) == nil:
		case now == unsaid:
			edited.Unset(sym.Name)
		default:
			if err := next.foldOne(sym, now.Value); err != nil {
				return nil, err
			}
		}
	}
	return next, nil
}

// replaced returns the configuration with edited in place of the layer that is edited.
func (conf *configuration) replaced(edited *kconfig.Config) *configuration {
	next := *conf
	next.layers, next.files = slices.Clone(conf.layers), slices.Clone(conf.files)
	for i := range next.layers {
		if next.layers[i].file == conf.file {
			next.layers[i].config = edited
		}
	}
	next.files[slices.Index(next.files, conf.edited())] = edited
	return &next
}

// A said is what the layer that is edited has to say of an option, if it has.
type said struct {
	kconfig.Value
	there bool
}

var unsaid said

// said finds that in settings: what was chosen in the layer's file, or in the
// menu. A member of a choice that another took the place of has nothing to say.
func (conf *configuration) said(s *kconfig.Settings, sym *kconfig.Symbol) said {
	v, at, chosen := s.User(sym)
	ousted := sym.Choice != nil && v.Text == "y" && s.Selection(sym.Choice) != sym
	if !chosen || ousted || at.File != "" && at.File != conf.file {
		return unsaid
	}
	return said{v, true}
}

// appearance is how the menu looks, as the environment wants it.
func appearance(env func(string) string) []menu.Option {
	look := []menu.Option{menu.Style(env("MENUCONFIG_STYLE"))}
	if env("NO_COLOR") != "" {
		look = append(look, menu.Style("monochrome"))
	}
	if !writesUTF8(env) {
		look = append(look, menu.ASCII())
	}
	return look
}

// writesUTF8 reports whether the locale's characters are those of UTF-8. The
// first of the variables that is set decides; where none is, most terminals know
// them today.
func writesUTF8(env func(string) string) bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if locale := env(name); locale != "" {
			return strings.Contains(strings.ToLower(strings.ReplaceAll(locale, "-", "")), "utf8")
		}
	}
	return true
}
