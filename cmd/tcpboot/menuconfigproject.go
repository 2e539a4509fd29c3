package main

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/tcpboot/tcpboot/menuconfig/idf"
	"github.com/tcpboot/tcpboot/menuconfig/kconfig"
	"github.com/tcpboot/tcpboot/pki/site"
	"github.com/tcpboot/tcpboot/templates"
)

// openProject reads a project's options and files.
func openProject(c *cli.Context) (*configuration, error) {
	policy, err := policyOf(c)
	if err != nil {
		return nil, err
	}
	p, err := newProject(c)
	if err != nil {
		return nil, err
	}
	src, err := p.source(c)
	if err != nil {
		return nil, err
	}
	tree, err := kconfig.Parse(src)
	if err != nil {
		return nil, err
	}
	conf := &configuration{cli: c, settings: tree.Settings(), file: p.config}
	defaults, err := src.Defaults(p.defaults, p.target)
	if err != nil {
		return nil, err
	}
	for _, f := range append(defaults, p.existing...) {
		conf.load(f, policy)
	}
	return conf, nil
}

// load puts a file on top.
func (conf *configuration) load(f *kconfig.Config, policy kconfig.Policy) {
	conf.odd = append(conf.odd, f.Problems()...)
	conf.odd = append(conf.odd, conf.settings.Load(f, policy)...)
}

func policyOf(c *cli.Context) (kconfig.Policy, error) {
	switch name := c.String("policy"); name {
	case "sdkconfig":
		return kconfig.PreferSdkconfig, nil
	case "kconfig":
		return kconfig.PreferKconfig, nil
	default:
		return nil, usagef("--policy %s: want sdkconfig or kconfig", name)
	}
}

// A project is a folder with its files, as the flags name them.
type project struct {
	dir      string // absolute
	config   string // as it was given
	defaults []string
	existing []*kconfig.Config // the sdkconfig, if there is one
	target   string
}

func newProject(c *cli.Context) (p project, err error) {
	if p.dir, err = filepath.Abs(c.Path("project")); err != nil {
		return p, err
	}
	if p.config = c.Path("config"); p.config == "" {
		p.config = filepath.Join(c.Path("project"), "sdkconfig")
	}
	p.defaults = p.defaultsFiles(c)
	text, err := os.ReadFile(p.config)
	if err == nil {
		var config *kconfig.Config
		config, err = kconfig.Read(p.config, text)
		p.existing = []*kconfig.Config{config}
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return p, err
	}
	p.target, err = p.chip(c)
	return p, err
}

// defaultsFiles are the defaults files as the build lists them, absolute.
func (p project) defaultsFiles(c *cli.Context) (files []string) {
	named := c.StringSlice("defaults")
	if len(named) == 0 && os.Getenv("SDKCONFIG_DEFAULTS") != "" {
		named = strings.Split(os.Getenv("SDKCONFIG_DEFAULTS"), ";")
	}
	if usual := filepath.Join(c.Path("project"), "sdkconfig.defaults"); len(named) == 0 {
		if _, err := os.Stat(usual); err == nil {
			return []string{usual}
		}
	}
	return named
}

// chip is the chip that the flag, the environment or a file names.
func (p project) chip(c *cli.Context) (string, error) {
	chosen := ""
	for _, config := range p.existing {
		if v, ok := targetOf(config); ok {
			chosen = v
		}
	}
	switch flag := c.String("target"); {
	case flag != "" && chosen != "" && flag != chosen:
		return "", usagef("--target %s: %s is for %s", flag, p.config, chosen)
	case flag != "":
		return flag, nil
	case chosen != "":
		return chosen, nil
	}
	for _, name := range p.defaults {
		text, err := os.ReadFile(name)
		if err != nil {
			return "", err
		}
		config, err := kconfig.ReadDefaults(name, text)
		if err != nil {
			return "", err
		}
		if v, ok := targetOf(config); ok {
			return v, nil
		}
	}
	return "esp32", nil
}

// targetOf is the chip that a file names, chosen or marked.
func targetOf(config *kconfig.Config) (string, bool) {
	if v, ok := config.Get("IDF_TARGET"); ok {
		return v.Text, true
	}
	v, ok := config.Default("IDF_TARGET")
	return v.Text, ok
}

// source is where the options come from.
func (p project) source(c *cli.Context) (kconfig.Source, error) {
	here, err := os.Getwd()
	if err != nil {
		return kconfig.Source{}, err
	}
	src := kconfig.Source{Files: os.DirFS("/"), Root: c.Path("kconfig"), Env: p.env}
	if src.Root == "" {
		if src, err = p.whole(c.Path("idf")); err != nil {
			return src, err
		}
	}
	src.Dir = strings.TrimPrefix(filepath.ToSlash(here), "/")
	src.OldNames = append(src.OldNames, c.StringSlice("rename")...)
	return src, nil
}

// env is the environment with the chip in it.
func (p project) env(name string) (string, bool) {
	if value, ok := os.LookupEnv(name); ok || name != "IDF_TARGET" {
		return value, ok
	}
	return p.target, true
}

// whole are the options of the project and, where it is at hand, of ESP-IDF. In a
// project without a main component the loader's stands in for it.
func (p project) whole(espidf string) (src kconfig.Source, err error) {
	whole := idf.Project{Files: os.DirFS("/"), Dir: filepath.ToSlash(p.dir), Target: p.target, Env: os.LookupEnv}
	if espidf != "" {
		if espidf, err = filepath.Abs(espidf); err != nil {
			return src, err
		}
		whole.Path = filepath.ToSlash(espidf)
	}
	for _, config := range p.existing {
		whole.InitVersion = initVersion(config)
	}
	if _, err := os.Stat(filepath.Join(p.dir, "main")); errors.Is(err, fs.ErrNotExist) {
		whole.Files = standIn{whole.Files, strings.TrimPrefix(whole.Dir+"/", "/")}
	}
	return whole.Source()
}

// initVersion is the ESP-IDF that a configuration was begun with, if it says so.
func initVersion(config *kconfig.Config) string {
	v, ok := config.Get("IDF_INIT_VERSION")
	if !ok {
		v, _ = config.Default("IDF_INIT_VERSION")
	}
	return v.Text
}

// standIn is a file system in which the loader's main component lies in a folder
// that has none.
type standIn struct {
	fs.FS
	dir string // with a slash behind it, or empty
}

func (s standIn) Open(name string) (fs.File, error) {
	if rest, ok := strings.CutPrefix(name, s.dir); ok && (rest == "main" || strings.HasPrefix(rest, "main/")) {
		return templates.Loader.Open(path.Join("loader", rest))
	}
	return s.FS.Open(name)
}

// save writes what is chosen, and keeps what was there as FILE.old.
func (conf *configuration) save() error {
	return saveConfig(conf.file, conf.settings.Sdkconfig())
}

// saveConfig writes a file of the configuration, and keeps what was there as
// FILE.old.
func saveConfig(file string, text []byte) error {
	old, err := os.ReadFile(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return site.WriteFile(file, text, 0o600)
	case err != nil:
		return err
	case string(old) == string(text):
		return nil
	}
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	if err := site.WriteFile(file+".old", old, info.Mode().Perm()); err != nil {
		return err
	}
	return site.WriteFile(file, text, info.Mode().Perm())
}
