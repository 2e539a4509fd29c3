package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/tcpboot/tcpboot/menuconfig/idf"
	"github.com/tcpboot/tcpboot/menuconfig/kconfig"
	"github.com/tcpboot/tcpboot/pki/delivery"
	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/release"
)

// withLayers puts what the site says of a board's loader into its delivery. A line
// that would have no effect is an error: a build would drop it without a word.
func (s *session) withLayers(files delivery.Files, d fleet.Device, h release.Hardware, level int) error {
	place := s.site.Path("boards", delivery.Path(d.MAC), delivery.DefaultsFile)
	handed, err := kconfig.ReadDefaults(place, files[delivery.DefaultsFile])
	if err != nil {
		return err
	}
	conf, err := s.loaderOptions(h, level)
	if err != nil {
		return err
	}
	if conf.layers, err = s.layers(subject{hardware: h.Name, board: &d.MAC}); err != nil {
		return err
	}
	demanded, err := s.demanded(h, level)
	if err != nil {
		return err
	}
	if level == ourLevel && s.cli.Bool("nvs-encrypt") && !conf.flashEncrypted() {
		return &openKeysError{h.Name}
	}
	if err := conf.stack(layer{"delivery", place, handed}, fmt.Sprintf("loader level %d", level), demanded); err != nil {
		return err
	}
	if _, err := delivery.Merge(handed, conf.wanted()); err != nil {
		return err
	}
	files[delivery.DefaultsFile] = handed.Bytes()
	n, err := networkOf(files)
	if err != nil {
		return err
	}
	_, err = n.Shared() // a layer may have another network
	return err
}

// stack puts the layers between what a board was handed and what the level of its
// loader demands, in name, and refuses what does not hold there.
func (conf *configuration) stack(handed layer, name string, demanded []kconfig.Assignment) error {
	if err := conf.demand(name, demanded); err != nil {
		return err
	}
	conf.files = append(conf.files, handed.config)
	for _, l := range conf.layers {
		conf.files = append(conf.files, l.config)
	}
	if known := conf.known(demanded); len(known) > 0 {
		conf.files = append(conf.files, fixed(name, known).config)
	}
	conf.evaluate()
	return conf.holdFrom(handed.file, name)
}

// loaderOptions are the options of a loader's project, or of the loader that we
// lay down, with what the project's own files say. At level 0 an ESP-IDF that we
// do not know is none: it may be that of 2017.
func (s *session) loaderOptions(h release.Hardware, level int) (*configuration, error) {
	c := s.cli
	p := project{dir: s.site.Path(), target: string(h.Chip), espidf: c.Path("idf"), loader: true}
	if _, err := idf.Targets(os.DirFS("/"), p.espidf); err != nil && level == 0 {
		p.espidf = ""
	}
	dir := c.Path("project")
	if dir == "" {
		return p.configuration(c)
	}
	var err error
	if p.dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	if usual := filepath.Join(dir, delivery.DefaultsFile); fileExists(usual) {
		p.defaults = []string{usual}
	}
	p.existing, err = readConfig(filepath.Join(dir, "sdkconfig"), kconfig.Read)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	conf, err := p.configuration(c)
	if err == nil && p.existing != nil {
		conf.files = append(conf.files, p.existing)
	}
	return conf, err
}

// known are the options of a level that an ESP-IDF is asked for: none without one,
// and not to be n what it does not know.
func (conf *configuration) known(demanded []kconfig.Assignment) []kconfig.Assignment {
	if len(demanded) == 0 || conf.tree.Symbol(demanded[0].Name) == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(demanded), func(a kconfig.Assignment) bool {
		return a.Value == kconfig.Bool(false) && conf.tree.Symbol(a.Name) == nil
	})
}

// An openKeysError says that the keys of an encrypted partition would lie beside it in
// the clear.
type openKeysError struct{ hardware string }

func (e *openKeysError) Error() string {
	return "--nvs-encrypt: the keys lie in flash too, and the loader is not built with flash encryption (SECURE_FLASH_ENC_ENABLED)"
}

// flashEncrypted reports whether the project or a layer chooses flash encryption, an
// option of ESP-IDF's that only its tree knows.
func (conf *configuration) flashEncrypted() (on bool) {
	files := slices.Clone(conf.files)
	for _, l := range conf.layers {
		files = append(files, l.config)
	}
	for _, f := range files {
		if v, ok := f.Get("SECURE_FLASH_ENC_ENABLED"); ok {
			on, _ = v.True()
		}
	}
	return on
}

// demand refuses layers that contradict what a level demands: they would switch
// off what keeps unsigned updates out.
func (conf *configuration) demand(name string, options []kconfig.Assignment) error {
	for _, l := range conf.layers {
		for _, o := range delivery.Overrides(l.config, options) {
			return fmt.Errorf("%s: %s: %s has another value for it", l.file, o.Name, name)
		}
	}
	return nil
}

// holdFrom refuses lines of layers, and of those other files, that have no effect.
// What a project's own defaults say is for its build to judge.
func (conf *configuration) holdFrom(files ...string) error {
	for _, l := range conf.layers {
		files = append(files, l.file)
	}
	for _, e := range conf.odd {
		unknown := e.Kind == kconfig.Unknown && !conf.cli.Bool("allow-unknown")
		if slices.Contains(files, e.File) && (unknown || e.Kind == kconfig.Broken) {
			return e
		}
	}
	for _, c := range conf.settings.Check() {
		if slices.Contains(files, c.At.File) {
			return c
		}
	}
	return nil
}

// wanted are the options that the layers choose. Of a choice all members are
// among them, so that a line of an existing file for another one does not count.
func (conf *configuration) wanted() (list []kconfig.Assignment) {
	ours := func(at kconfig.Origin) bool {
		return slices.ContainsFunc(conf.layers, func(l layer) bool { return l.file == at.File })
	}
	for _, sym := range conf.tree.Symbols {
		if _, at, _ := conf.settings.Why(sym); ours(at) {
			list = append(list, kconfig.Assignment{Name: sym.Name, Value: fileValue(conf.settings.Value(sym))})
		}
	}
	for _, l := range conf.layers {
		for e := range l.config.All() {
			if conf.tree.Symbol(e.Name) == nil {
				list = append(list, e.Assignment)
			}
		}
	}
	return list
}

// networkOf is where a board goes by its options: the site's, unless a layer says
// otherwise.
func networkOf(files delivery.Files) (n delivery.Network, err error) {
	config, err := kconfig.ReadDefaults(delivery.DefaultsFile, files[delivery.DefaultsFile])
	if err != nil {
		return n, err
	}
	return networkIn(func(name string) string { v, _ := config.Get(name); return v.Text })
}

func networkIn(text func(option string) string) (n delivery.Network, err error) {
	port, err := strconv.ParseUint(text("UPDATE_PORT"), 10, 16)
	if err != nil {
		return n, fmt.Errorf("UPDATE_PORT: want a port from 1 to 65535")
	}
	return delivery.Network{SSID: text("WIFI_SSID"), Host: text("UPDATE_SERVER"), Port: uint16(port)}, nil
}

// reach refuses what `loader export` will: layers that lead a site's boards where
// they cannot go.
func (conf *configuration) reach() error {
	if len(conf.layers) == 0 || conf.tree.Symbol("UPDATE_PORT") == nil {
		return nil
	}
	n, err := networkIn(func(name string) string {
		if sym := conf.tree.Symbol(name); sym != nil {
			return conf.settings.Value(sym).Text
		}
		return ""
	})
	if err == nil {
		_, err = n.Shared()
	}
	return err
}

func fileExists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}
