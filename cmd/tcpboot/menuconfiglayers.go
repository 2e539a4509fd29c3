package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/tcpboot/tcpboot/menuconfig/kconfig"
	"github.com/tcpboot/tcpboot/pki/delivery"
	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/release"
)

// layersDir is the folder of a site in which people say what loaders are built
// with, in files of the form of sdkconfig.defaults:
//
//	site.defaults              all boards
//	hardware/NAME.defaults     boards of that hardware
//	boards/MAC.defaults        one board
//
// What a later one says beats the one before. Below them is what tcpboot.yaml
// says, and above them what the board's loader level demands.
const layersDir = "sdkconfig.d"

// A layer is one of those files, or what stands for one.
type layer struct {
	name   string // "board 246f28aa1002"
	file   string // path, or what stands for it
	config *kconfig.Config
}

// A subject is what is configured: a project by its sdkconfig, or what a site
// gives to all boards, to those of a hardware, or to one.
type subject struct {
	config   string
	exists   bool // config must be there
	site     bool
	hardware string
	board    *fleet.MAC
}

// subjectOf reads from the flags what to configure.
func subjectOf(c *cli.Context) (s subject, err error) {
	s = subject{config: c.Path("config"), site: c.Bool("site-defaults"), hardware: c.String("hardware")}
	given := 0
	for _, name := range []string{"config", "site-defaults", "hardware", "board"} {
		if c.IsSet(name) {
			given++
		}
	}
	if given > 1 {
		return s, usagef("menuconfig: want one of --config, --site-defaults, --hardware and --board")
	}
	if c.IsSet("hardware") && s.hardware == "" {
		return s, usagef("menuconfig: --hardware wants a name") // not the project, because a script's variable is empty
	}
	if c.IsSet("board") {
		s.board, err = parseBoard(c.String("board"))
	}
	return s, err
}

func parseBoard(text string) (*fleet.MAC, error) {
	m, err := fleet.ParseMAC(text)
	if err != nil {
		return nil, usageError{err}
	}
	return &m, nil
}

// inSite reports whether a site is needed.
func (what subject) inSite() bool { return what.site || what.hardware != "" || what.board != nil }

// open reads the subject and hands it to use.
func (what subject) open(c *cli.Context, use func(*configuration) error) error {
	if _, err := os.Stat(what.config); what.exists && err != nil {
		return err
	}
	if !what.inSite() {
		conf, err := openProject(c, what.config)
		if err != nil {
			return err
		}
		return use(conf)
	}
	return readingSite(func(s *session) error {
		conf, err := s.openLayers(what)
		if err != nil {
			return err
		}
		return use(conf)
	})(c)
}

// openLayers reads the layers up to the one that is meant.
func (s *session) openLayers(what subject) (*configuration, error) {
	level := 0
	if what.board != nil {
		d, err := s.fleet.Device(s.ctx(), *what.board)
		if err != nil {
			return nil, err
		}
		what.hardware, level = d.Hardware, d.Loader.Level
	}
	h, err := s.hardware(what.hardware)
	if err != nil {
		return nil, err
	}
	p, err := newProject(s.cli)
	if err != nil {
		return nil, err
	}
	if flag := s.cli.String("target"); s.cli.IsSet("target") && flag != string(h.Chip) {
		return nil, usagef("chip %s: hardware %s is %s", flag, h.Name, h.Chip)
	}
	p.target = string(h.Chip)
	conf, err := p.configuration(s.cli)
	if err != nil {
		return nil, err
	}
	if conf.layers, err = s.layers(what); err != nil {
		return nil, err
	}
	conf.file = conf.layers[len(conf.layers)-1].file
	if err := conf.addFixed(s, h, level); err != nil {
		return nil, err
	}
	for _, l := range conf.layers {
		conf.files = append(conf.files, l.config)
	}
	conf.evaluate()
	return conf, nil
}

// layers are the files of a site that bear on a subject, the lowest first.
func (s *session) layers(what subject) (list []layer, err error) {
	named := []layer{{name: "site", file: "site"}}
	if what.hardware != "" {
		named = append(named, layer{name: "hardware " + what.hardware, file: filepath.Join("hardware", what.hardware)})
	}
	if what.board != nil {
		named = append(named, layer{name: "board " + what.board.String(), file: filepath.Join("boards", what.board.String())})
	}
	for _, l := range named {
		l.file = s.site.Path(layersDir, l.file+".defaults")
		l.config, err = readConfig(l.file, kconfig.ReadDefaults)
		if errors.Is(err, fs.ErrNotExist) {
			l.config, err = kconfig.ReadDefaults(l.file, fmt.Appendf(nil, "# Loaders of %s are built with this, as `tcpboot menuconfig` shows.\n", l.name))
		}
		if err != nil {
			return nil, err
		}
		if err := noSecrets(l.config); err != nil {
			return nil, fmt.Errorf("%s: %w", l.file, err)
		}
		list = append(list, l)
	}
	return list, nil
}

// noSecrets refuses a layer with a value that only deliveries hold.
func noSecrets(config *kconfig.Config) error {
	for e := range config.All() {
		if delivery.Secret(e.Name) {
			return &secretError{e.Name}
		}
	}
	return nil
}

// addFixed adds what is not for the layers to say: below them what tcpboot.yaml
// says, and above them the options of the loader's level, where the tree has them.
func (conf *configuration) addFixed(s *session, h release.Hardware, level int) error {
	below, err := s.network().Shared()
	if err != nil {
		return err
	}
	conf.layers = append([]layer{fixed("tcpboot.yaml", below)}, conf.layers...)
	above, err := delivery.LoaderOptions(h.Chip, h.MinRevision, string(h.Scheme), level)
	if err != nil {
		return err
	}
	if known := conf.known(above); len(known) > 0 {
		conf.layers = append(conf.layers, fixed(fmt.Sprintf("loader level %d", level), known))
	}
	return nil
}

// fixed is a layer that is no file.
func fixed(name string, options []kconfig.Assignment) layer {
	var lines strings.Builder
	for _, a := range options {
		lines.WriteString(a.String() + "\n")
	}
	config, err := kconfig.ReadDefaults(name, []byte(lines.String()))
	if err != nil {
		panic(err) // what was checked cannot be unreadable
	}
	return layer{name, name, config}
}
