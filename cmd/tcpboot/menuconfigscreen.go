package main

import (
	"errors"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/term"

	menu "github.com/tcpboot/tcpboot/menuconfig"
)

// show opens the menu.
func (conf *configuration) show() error {
	in, isFile := conf.cli.App.Reader.(*os.File)
	out, too := conf.cli.App.Writer.(*os.File)
	if !isFile || !too || !term.IsTerminal(int(in.Fd())) || !term.IsTerminal(int(out.Fd())) || os.Getenv("TERM") == "dumb" {
		return errors.New("menuconfig: there is no terminal for a menu; --set, --check and --format do without")
	}
	saved, err := os.ReadFile(conf.file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	m := menu.New(menu.Session{
		Settings: conf.settings, File: conf.file, Saved: saved, Odd: conf.odd,
		Load: os.ReadFile, Save: saveConfig,
	}, appearance(os.Getenv)...)
	return menu.Run(conf.cli.Context, m, in, out, os.Environ())
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
