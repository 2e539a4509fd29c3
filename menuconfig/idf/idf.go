// Package idf finds what a project is configured with: the Kconfig files, old
// names and variables that ESP-IDF's build hands to its configuration tool. It
// runs neither CMake nor Python, and knows ESP-IDF from 5.1 on.
//
// ESP-IDF's first file is IDF_PATH/Kconfig. Into it the build puts two lists, at
// the places that two variables of the environment name:
//
//	COMPONENT_KCONFIGS_PROJBUILD_SOURCE_FILE   Kconfig.projbuild of each component
//	COMPONENT_KCONFIGS_SOURCE_FILE             Kconfig of each component
//
// A component is a folder with a CMakeLists.txt in it. The order is that of the
// build, because sdkconfig is written in it:
//
//	IDF_PATH/components/*        in byte order
//	main                         of the project, also without a CMakeLists.txt
//	EXTRA_COMPONENT_DIRS         of the project's CMakeLists.txt
//	components/*                 of the project
//	managed_components/*         of the project
//	bootloader_components/*      of the project
//
// A later component takes the place of an earlier one of its name, and leaves it
// where it stood. A component may say that it is none for a chip, by returning
// before it registers itself; Registered reads as much of CMake as that takes.
// All components count: a project that trims its build (COMPONENTS,
// MINIMAL_BUILD) has fewer options than we find.
//
// Old names are in IDF_PATH/sdkconfig.rename, and in each component's
// sdkconfig.rename and sdkconfig.rename.CHIP. The further variables are
//
//	IDF_PATH, IDF_TARGET, IDF_VERSION
//	IDF_INIT_VERSION     of the sdkconfig there is, or else IDF_VERSION
//	IDF_TOOLCHAIN        of the environment, or else gcc
//	IDF_ENV_FPGA         of the environment, or else empty
//	IDF_MINIMAL_BUILD    n
//
// and beside them those of the environment.
//
// Without ESP-IDF there are the project's own components, between an IDF_TARGET
// that nobody may change and nothing.
package idf

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/tcpboot/tcpboot/menuconfig/kconfig"
)

// A Project is a project with an ESP-IDF, or without one.
type Project struct {
	// Files is the machine's file system, from its root; nothing else is opened.
	Files fs.FS
	// Path is ESP-IDF's folder, IDF_PATH, from the root and absolute. Empty is
	// none.
	Path string
	// Dir is the project's folder, absolute.
	Dir string
	// Target is the chip: "esp32c3".
	Target string
	// InitVersion is the ESP-IDF that the project was begun with, where its
	// sdkconfig says so: "5.1.0".
	InitVersion string
	// Env looks variables of the environment up; nil is an empty one.
	Env func(name string) (value string, ok bool)
}

// The names under which the lists of the build lie beside the project. No folder
// holds files of these names.
const (
	listDir       = ".tcpboot-lists"
	projbuildList = listDir + "/kconfigs_projbuild.in"
	kconfigList   = listDir + "/kconfigs.in"
	aloneRoot     = listDir + "/Kconfig"
)

// alone is the first file of a project without ESP-IDF.
const alone = `mainmenu "Project configuration, without ESP-IDF"

config IDF_TARGET
    string
    default "$IDF_TARGET"

source "$COMPONENT_KCONFIGS_PROJBUILD_SOURCE_FILE"
source "$COMPONENT_KCONFIGS_SOURCE_FILE"
`

// Source is what to parse. An error says what is no ESP-IDF, or that it has no
// such chip.
func (p Project) Source() (kconfig.Source, error) {
	found, err := p.components()
	if err != nil {
		return kconfig.Source{}, err
	}
	var projbuilds, kconfigs, oldNames []string
	for _, c := range found {
		projbuilds = append(projbuilds, c.projbuild...)
		kconfigs = append(kconfigs, c.kconfig...)
		oldNames = append(oldNames, c.oldNames...)
	}
	src := kconfig.Source{Dir: inside(p.Dir), Root: path.Join(p.Dir, aloneRoot)}
	version := ""
	if p.Path != "" {
		src.Root = path.Join(p.Path, "Kconfig")
		oldNames = append(p.existing(path.Join(p.Path, "sdkconfig.rename")), oldNames...)
		if version, err = Version(p.Files, p.Path); err != nil {
			return src, err
		}
	}
	src.OldNames = oldNames
	src.Lists = []string{path.Join(p.Dir, aloneRoot), path.Join(p.Dir, projbuildList), path.Join(p.Dir, kconfigList)}
	src.Env = p.env(version)
	src.Files = beside{p.Files, map[string]string{
		inside(src.Lists[0]): alone, inside(src.Lists[1]): sources(projbuilds), inside(src.Lists[2]): sources(kconfigs),
	}}
	return src, nil
}

// sources are the lines that take files in.
func sources(files []string) string {
	var b strings.Builder
	for _, f := range files {
		fmt.Fprintf(&b, "source %s\n", kconfig.String(f))
	}
	return b.String()
}

// env is the environment that the build makes.
func (p Project) env(version string) func(string) (string, bool) {
	outer := p.Env
	if outer == nil {
		outer = func(string) (string, bool) { return "", false }
	}
	init := p.InitVersion
	if init == "" {
		init = version
	}
	own := map[string]string{
		"IDF_PATH": p.Path, "IDF_TARGET": p.Target, "IDF_VERSION": version, "IDF_INIT_VERSION": init, "IDF_MINIMAL_BUILD": "n",
		"COMPONENT_KCONFIGS_SOURCE_FILE":           path.Join(p.Dir, kconfigList),
		"COMPONENT_KCONFIGS_PROJBUILD_SOURCE_FILE": path.Join(p.Dir, projbuildList),
	}
	for name, usual := range map[string]string{"IDF_TOOLCHAIN": "gcc", "IDF_ENV_FPGA": ""} {
		if own[name], _ = outer(name); own[name] == "" {
			own[name] = usual
		}
	}
	return func(name string) (string, bool) {
		if value, ok := own[name]; ok {
			return value, true
		}
		return outer(name)
	}
}

// inside is an absolute path as io/fs has it.
func inside(name string) string {
	if name = strings.TrimPrefix(path.Clean(name), "/"); name == "" {
		return "."
	}
	return name
}

// existing returns name if there is such a file.
func (p Project) existing(name string) []string {
	if info, err := fs.Stat(p.Files, inside(name)); err != nil || info.IsDir() {
		return nil
	}
	return []string{name}
}

// A component is what a folder of the build has for us.
type component struct{ kconfig, projbuild, oldNames []string }

// components returns the components in the order of the build.
func (p Project) components() (found []component, err error) {
	var dirs []string
	add := func(list []string) {
		for _, dir := range list {
			same := func(d string) bool { return path.Base(d) == path.Base(dir) }
			if i := slices.IndexFunc(dirs, same); i >= 0 {
				dirs[i] = dir
			} else {
				dirs = append(dirs, dir)
			}
		}
	}
	if p.Path != "" {
		if err := p.checkTarget(); err != nil {
			return nil, err
		}
		add(p.below(path.Join(p.Path, "components")))
	}
	add([]string{path.Join(p.Dir, "main")})
	for _, dir := range p.extra() {
		add(dir)
	}
	add(p.below(path.Join(p.Dir, "components")))
	add(p.below(path.Join(p.Dir, "managed_components")))
	for _, dir := range append(dirs, p.below(path.Join(p.Dir, "bootloader_components"))...) {
		c, err := p.component(dir)
		if err != nil {
			return nil, err
		}
		found = append(found, c)
	}
	return found, nil
}

// extra returns what EXTRA_COMPONENT_DIRS names: components, and folders of them.
func (p Project) extra() (lists [][]string) {
	text, err := fs.ReadFile(p.Files, inside(path.Join(p.Dir, "CMakeLists.txt")))
	if err != nil {
		return nil
	}
	for _, dir := range extraDirs(string(text), p.Dir, p.Path, p.Target) {
		if !path.IsAbs(dir) {
			dir = path.Join(p.Dir, dir)
		}
		if dir = path.Clean(dir); len(p.existing(path.Join(dir, "CMakeLists.txt"))) > 0 {
			lists = append(lists, []string{dir})
		} else {
			lists = append(lists, p.below(dir))
		}
	}
	return lists
}

// below returns the components in a folder. One that is not there has none.
func (p Project) below(dir string) (dirs []string) {
	entries, err := fs.ReadDir(p.Files, inside(dir))
	if err != nil {
		return nil
	}
	for _, e := range entries {
		name := path.Join(dir, e.Name())
		if !strings.HasPrefix(e.Name(), ".") && len(p.existing(path.Join(name, "CMakeLists.txt"))) > 0 {
			dirs = append(dirs, name)
		}
	}
	return dirs
}

// component looks into one folder. One that does not register itself for the
// chip has nothing.
func (p Project) component(dir string) (c component, err error) {
	text, err := fs.ReadFile(p.Files, inside(path.Join(dir, "CMakeLists.txt")))
	if err == nil && !Registered(string(text), p.Target) {
		return c, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return c, err
	}
	entries, err := fs.ReadDir(p.Files, inside(dir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return c, err
	}
	for _, e := range entries {
		name := path.Join(dir, e.Name())
		switch strings.ToLower(e.Name()) {
		case "kconfig":
			c.kconfig = append(c.kconfig, name)
		case "kconfig.projbuild":
			c.projbuild = append(c.projbuild, name)
		}
	}
	c.oldNames = append(p.existing(path.Join(dir, "sdkconfig.rename")), p.existing(path.Join(dir, "sdkconfig.rename."+p.Target))...)
	return c, nil
}

// capsFile is what a chip can do, below components/soc.
const capsFile = "include/soc/Kconfig.soc_caps.in"

// Targets returns the chips that an ESP-IDF knows, sorted.
func Targets(files fs.FS, idf string) ([]string, error) {
	found, err := fs.Glob(files, inside(path.Join(idf, "components/soc/*", capsFile)))
	if err != nil || len(found) == 0 {
		return nil, fmt.Errorf("%s: no ESP-IDF: no components/soc/*/%s in it", idf, capsFile)
	}
	var names []string
	for _, f := range found {
		names = append(names, path.Base(strings.TrimSuffix(f, "/"+capsFile)))
	}
	return names, nil
}

func (p Project) checkTarget() error {
	targets, err := Targets(p.Files, p.Path)
	if err != nil {
		return err
	}
	if !slices.Contains(targets, p.Target) {
		return fmt.Errorf("%s: knows no chip %s, but %s", p.Path, p.Target, strings.Join(targets, ", "))
	}
	return nil
}

var versionLine = regexp.MustCompile(`(?m)^set\(IDF_VERSION_(MAJOR|MINOR|PATCH) ([0-9]+)\)`)

// Version returns the version of an ESP-IDF: "6.0.2".
func Version(files fs.FS, idf string) (string, error) {
	const file = "tools/cmake/version.cmake"
	text, err := fs.ReadFile(files, inside(path.Join(idf, file)))
	if err != nil {
		return "", fmt.Errorf("%s: no ESP-IDF: no %s in it", idf, file)
	}
	parts := map[string]string{}
	for _, m := range versionLine.FindAllStringSubmatch(string(text), -1) {
		parts[m[1]] = m[2]
	}
	if len(parts) != 3 {
		return "", fmt.Errorf("%s: no version of ESP-IDF in it", path.Join(idf, file))
	}
	return parts["MAJOR"] + "." + parts["MINOR"] + "." + parts["PATCH"], nil
}
