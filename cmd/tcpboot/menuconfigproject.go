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
	"github.com/tcpboot/tcpboot/templates"
)

// A project is a folder with its files, as flags and environment name them.
type project struct {
	dir      string // absolute
	config   string
	existing *kconfig.Config // what is in config; nil: nothing yet
	defaults []string
	target   string
	espidf   string // ESP-IDF's folder; empty: none
	loader   bool   // it is a loader's: without options of its own it has ours
}

// openProject reads a project's options and files; config takes the place of its
// sdkconfig when it is not empty.
func openProject(c *cli.Context, config string) (*configuration, error) {
	p, err := newProject(c)
	if err != nil {
		return nil, err
	}
	if p.config = config; config == "" {
		p.config = filepath.Join(c.Path("project"), "sdkconfig")
	}
	p.existing, err = readConfig(p.config, kconfig.Read)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if p.target, err = p.chip(c.String("target")); err != nil {
		return nil, err
	}
	conf, err := p.configuration(c)
	if err != nil {
		return nil, err
	}
	if p.existing != nil {
		conf.existing, conf.files = p.existing, append(conf.files, p.existing)
	}
	conf.evaluate()
	return conf, nil
}

// newProject is the project that the flags name.
func newProject(c *cli.Context) (project, error) {
	dir, err := filepath.Abs(c.Path("project"))
	return project{dir: dir, defaults: defaultsFiles(c), espidf: c.Path("idf")}, err
}

// configuration reads the options and the defaults files.
func (p project) configuration(c *cli.Context) (*configuration, error) {
	policies := map[string]kconfig.Policy{"sdkconfig": kconfig.PreferSdkconfig, "kconfig": kconfig.PreferKconfig}
	policy := policies[c.String("policy")]
	if policy == nil && c.IsSet("policy") {
		return nil, usagef("--policy %s: want sdkconfig or kconfig", c.String("policy"))
	}
	src, err := p.source(c)
	if err != nil {
		return nil, err
	}
	tree, err := kconfig.Parse(src)
	if err != nil {
		return nil, err
	}
	defaults, err := src.Defaults(p.defaults, p.target)
	if err != nil {
		return nil, err
	}
	return &configuration{cli: c, tree: tree, target: p.target, policy: policy, files: defaults, file: p.config}, nil
}

func readConfig(name string, read func(string, []byte) (*kconfig.Config, error)) (*kconfig.Config, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	return read(name, text)
}

// defaultsFiles are the defaults files as the build lists them.
func defaultsFiles(c *cli.Context) []string {
	if files := c.StringSlice("defaults"); len(files) > 0 {
		return files
	}
	if list := os.Getenv("SDKCONFIG_DEFAULTS"); list != "" {
		return strings.Split(list, ";")
	}
	usual := filepath.Join(c.Path("project"), "sdkconfig.defaults")
	if !fileExists(usual) {
		return nil
	}
	return []string{usual}
}

// chip is the chip that the flag or a file names.
func (p project) chip(flag string) (string, error) {
	named := variable(p.existing, "IDF_TARGET")
	switch {
	case flag != "" && named != "" && flag != named:
		return "", usagef("chip %s: %s is for %s", flag, p.config, named)
	case flag != "":
		return flag, nil
	case named != "":
		return named, nil
	}
	for _, name := range p.defaults {
		config, err := readConfig(name, kconfig.ReadDefaults)
		if err != nil {
			return "", err
		}
		if named := variable(config, "IDF_TARGET"); named != "" {
			return named, nil
		}
	}
	return "esp32", nil
}

// variable is what a file says of an option that the build sets, marked or not.
func variable(config *kconfig.Config, name string) string {
	if config == nil {
		return ""
	}
	v, ok := config.Get(name)
	if !ok {
		v, _ = config.Default(name)
	}
	return v.Text
}

// source is where the options come from.
func (p project) source(c *cli.Context) (src kconfig.Source, err error) {
	here, err := os.Getwd()
	if err != nil {
		return src, err
	}
	src = kconfig.Source{Files: os.DirFS("/"), Root: c.Path("kconfig"), Env: p.env}
	if src.Root == "" {
		if src, err = p.whole(); err != nil {
			return src, err
		}
	}
	src.Dir = strings.TrimPrefix(filepath.ToSlash(here), "/")
	src.OldNames = append(src.OldNames, c.StringSlice("rename")...)
	return src, nil
}

// env is the environment, with the chip in it.
func (p project) env(name string) (string, bool) {
	if name == "IDF_TARGET" {
		return p.target, true
	}
	return os.LookupEnv(name)
}

// whole are the options of the project and, where it is at hand, of ESP-IDF. In a
// project without a main component the loader's stands in for it.
func (p project) whole() (src kconfig.Source, err error) {
	whole := idf.Project{Files: os.DirFS("/"), Dir: filepath.ToSlash(p.dir), Target: p.target,
		InitVersion: variable(p.existing, "IDF_INIT_VERSION"), Env: os.LookupEnv}
	if p.espidf != "" {
		if whole.Path, err = filepath.Abs(p.espidf); err != nil {
			return src, err
		}
		whole.Path = filepath.ToSlash(whole.Path)
	}
	main := filepath.Join(p.dir, "main")
	if !fileExists(main) || p.loader && !fileExists(filepath.Join(main, "Kconfig.projbuild")) {
		whole.Files = standIn{whole.Files, strings.TrimPrefix(path.Join(whole.Dir, "main"), "/")}
	}
	return whole.Source()
}

// A standIn is a file system with the loader's main component at a place where
// there is nothing.
type standIn struct {
	fs.FS
	at string
}

func (s standIn) Open(name string) (fs.File, error) {
	if rest, ok := strings.CutPrefix(name+"/", s.at+"/"); ok {
		return templates.Loader.Open(path.Join("loader/main", rest))
	}
	return s.FS.Open(name)
}
