package main

import (
	"fmt"
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/tcpboot/tcpboot/menuconfig/kconfig"
)

var menuconfigVerb = &cli.Command{
	Name:      "menuconfig",
	Usage:     "the options that a loader, or any other ESP-IDF project, is built with",
	ArgsUsage: "[A B]",
	Description: "Opens a menu, unless one of --set, --unset, --check, --format, --json, --diff and\n" +
		"--server says what to do. The options are those of --kconfig, or else the project's\n" +
		"and, with --idf or IDF_PATH, ESP-IDF's; where there is no main component, those of the\n" +
		"loader. No site is needed, and what is chosen is kept in --config.\n\n" +
		"In a site, --site-defaults, --hardware and --board edit what `loader export` gives to\n" +
		"all boards, to those of one hardware and to one: files below sdkconfig.d, of the form of\n" +
		"sdkconfig.defaults. --diff compares A with B: each of them is a MAC, hardware:NAME, site,\n" +
		"or an sdkconfig file.",
	BashComplete: completeMACs,
	Flags: []cli.Flag{
		&cli.PathFlag{Name: "kconfig", Usage: "the options are those of `FILE` and what it takes in"},
		&cli.PathFlag{Name: "project", Usage: "the project is in `DIR`", Value: "."},
		&cli.PathFlag{Name: "idf", Usage: "ESP-IDF is in `DIR`", EnvVars: []string{"IDF_PATH"}},
		&cli.StringFlag{Name: "target", Usage: "for the chip `C` (default: what files say, or esp32)", EnvVars: []string{"IDF_TARGET"}},
		&cli.StringSliceFlag{Name: "defaults", Usage: "begin with `FILE`, and with FILE.CHIP; again for more (default: SDKCONFIG_DEFAULTS, or sdkconfig.defaults)"},
		&cli.StringSliceFlag{Name: "rename", Usage: "old names are in `FILE`; again for more"},
		&cli.PathFlag{Name: "config", Usage: "what is chosen is in `FILE` (default: the project's sdkconfig)"},
		&cli.StringFlag{Name: "policy", Usage: "where sdkconfig has another default than Kconfig, `WHOSE` holds: sdkconfig or kconfig", Value: "sdkconfig", EnvVars: []string{"KCONFIG_DEFAULTS_POLICY"}},
		&cli.BoolFlag{Name: "site-defaults", Usage: "edit what all boards of the site get"},
		&cli.StringFlag{Name: "hardware", Usage: "edit what boards of hardware `H` get"},
		&cli.StringFlag{Name: "board", Usage: "edit what the board `MAC` gets"},
		&cli.StringSliceFlag{Name: "set", Usage: "choose `NAME=VALUE` and save; again for more"},
		&cli.StringSliceFlag{Name: "unset", Usage: "take the choice of `NAME` back and save; again for more"},
		&cli.BoolFlag{Name: "check", Usage: "say which values do not hold, and why; exit status 1 if there are any"},
		allowUnknownFlag,
		&cli.StringFlag{Name: "format", Usage: "print instead of saving, as `F`: " + formatNames},
		&cli.BoolFlag{Name: "diff", Usage: "compare A with B"},
		&cli.BoolFlag{Name: "server", Usage: "speak ESP-IDF's config-server protocol on stdin and stdout, as confserver does"},
	},
	Action: menuconfig,
}

var allowUnknownFlag = &cli.BoolFlag{Name: "allow-unknown", Usage: "let options pass that the tree does not have: those of ESP-IDF, where it is not at hand"}

// rivals are, for a flag that says what to do, those that would do nothing beside it.
var rivals = map[string][]string{
	"diff":   {"server", "format", "check", "set", "unset", "config", "site-defaults", "hardware", "board"},
	"server": {"format", "check", "set", "unset"},
	"format": {"check"}, // whose exit status a script would take for good news
}

func refuseRivals(c *cli.Context) error {
	for name, others := range rivals {
		for _, other := range others {
			if c.IsSet(name) && c.IsSet(other) {
				return usagef("menuconfig: --%s does not go with --%s", other, name)
			}
		}
	}
	return nil
}

func menuconfig(c *cli.Context) error {
	if err := refuseRivals(c); err != nil {
		return err
	}
	if c.Bool("diff") {
		return menuconfigDiff(c)
	}
	if c.NArg() > 0 {
		return usagef("menuconfig: A and B belong to --diff, and there is %q", c.Args().First())
	}
	what, err := subjectOf(c)
	if err != nil {
		return err
	}
	return what.open(c, func(conf *configuration) error {
		switch {
		case c.Bool("server"):
			return conf.serve()
		case conf.scripted():
			return conf.script()
		}
		return conf.show()
	})
}

// A configuration is what one run is about: options, what files say of them, and
// where what is chosen is kept.
type configuration struct {
	cli    *cli.Context
	tree   *kconfig.Tree
	target string
	policy kconfig.Policy
	files  []*kconfig.Config // the later ones on top

	existing *kconfig.Config // that of files which is a project's sdkconfig; nil: none is
	layers   []layer         // those of files that are a site's
	file     string          // what save writes: a layer, or else all of it as sdkconfig

	settings *kconfig.Settings
	opened   *kconfig.Settings // as they were before this run chose anything
	odd      []*kconfig.Error  // what is odd about the files' lines
}

// evaluate puts the files on top of one another.
func (conf *configuration) evaluate() {
	conf.settings, conf.odd = conf.tree.Settings(), nil
	for _, f := range conf.files {
		conf.odd = append(conf.odd, f.Problems()...)
		conf.odd = append(conf.odd, conf.settings.Load(f, conf.policy)...)
	}
	conf.opened = conf.settings.Clone()
}

// problems are the lines and values that do not hold.
func (conf *configuration) problems() (list []error) {
	for _, e := range conf.odd {
		if e.Kind == kconfig.Broken || e.Kind == kconfig.Unknown && !conf.cli.Bool("allow-unknown") {
			list = append(list, e)
		}
	}
	for _, c := range conf.settings.Check() {
		list = append(list, c)
	}
	if err := conf.reach(); err != nil {
		list = append(list, err)
	}
	return list
}

// origin says in words what gave an option its value.
func (conf *configuration) origin(sym *kconfig.Symbol) string {
	why, at, by := conf.settings.Why(sym)
	switch why {
	case kconfig.Selected:
		return "selected by " + by.Name
	case kconfig.Imposed:
		return "set by " + by.Name
	case kconfig.ByDefault:
		return "default"
	}
	i := slices.IndexFunc(conf.layers, func(l layer) bool { return l.file == at.File })
	switch {
	case at.File == "":
		return "chosen now"
	case i >= 0:
		return conf.layers[i].name
	}
	return fmt.Sprintf("%s:%d", at.File, at.Line)
}
