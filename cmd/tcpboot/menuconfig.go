package main

import (
	"github.com/urfave/cli/v2"

	"github.com/tcpboot/tcpboot/menuconfig/kconfig"
)

var menuconfigVerb = &cli.Command{
	Name:  "menuconfig",
	Usage: "the options a loader or any other ESP-IDF project is built with; no site is needed",
	Description: "Opens a menu, unless a flag below says what to do. The options are those of --kconfig,\n" +
		"or else of the project and, with --idf or IDF_PATH, of ESP-IDF; without a project those\n" +
		"of the loader. Saving writes --config.",
	Flags: []cli.Flag{
		&cli.PathFlag{Name: "kconfig", Usage: "the options are those of `FILE` and what it takes in"},
		&cli.PathFlag{Name: "project", Usage: "the project is in `DIR`", Value: "."},
		&cli.PathFlag{Name: "idf", Usage: "ESP-IDF is in `DIR`", EnvVars: []string{"IDF_PATH"}},
		&cli.StringFlag{Name: "target", Usage: "for the chip `C` (default: what the files say, or esp32)", EnvVars: []string{"IDF_TARGET"}},
		&cli.StringSliceFlag{Name: "defaults", Usage: "begin with `FILE`, and with FILE.CHIP; again for more (default: sdkconfig.defaults)"},
		&cli.StringSliceFlag{Name: "rename", Usage: "old names are in `FILE`; again for more"},
		&cli.PathFlag{Name: "config", Usage: "what is chosen is in `FILE` (default: the project's sdkconfig)"},
		&cli.StringFlag{Name: "policy", Usage: "`WHOSE` default holds where they differ: sdkconfig or kconfig", Value: "sdkconfig", EnvVars: []string{"KCONFIG_DEFAULTS_POLICY"}},
		&cli.StringSliceFlag{Name: "set", Usage: "choose `NAME=VALUE` and save; again for more"},
		&cli.StringSliceFlag{Name: "unset", Usage: "take the choice of `NAME` back and save; again for more"},
		&cli.BoolFlag{Name: "check", Usage: "say which values do not hold, and why; exit status 1 if there are any"},
		&cli.StringFlag{Name: "format", Usage: "print instead of saving, as `F`: sdkconfig, header, json, cmake, min, menus"},
	},
	Action: menuconfig,
}

// scriptFlags are those that say what to do, so that no menu is opened.
var scriptFlags = []string{"set", "unset", "check", "format", "json"}

func menuconfig(c *cli.Context) error {
	conf, err := openProject(c)
	if err != nil {
		return err
	}
	for _, name := range scriptFlags {
		if c.IsSet(name) {
			return conf.script()
		}
	}
	return conf.show()
}

// A configuration is what one run is about: options, what is chosen of them, and
// where that is kept.
type configuration struct {
	cli      *cli.Context
	settings *kconfig.Settings
	file     string           // what save writes
	odd      []*kconfig.Error // lines of files that no option can take, or that say something odd
}
