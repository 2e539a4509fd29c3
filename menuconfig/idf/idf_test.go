package idf_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/tcpboot/tcpboot/menuconfig/idf"
	"github.com/tcpboot/tcpboot/menuconfig/kconfig"
	"github.com/tcpboot/tcpboot/menuconfig/kconfig/kconfigtest"
)

// machine is a file system with the made-up ESP-IDF in /opt/idf and a project in
// /home/app.
func machine(more map[string]string) fstest.MapFS {
	files := texts(more)
	for name, file := range kconfigtest.IDF() {
		files["opt/idf/"+name] = file
	}
	return files
}

func texts(more map[string]string) fstest.MapFS {
	files := fstest.MapFS{}
	for name, text := range more {
		files[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return files
}

const option = "config %s\n    bool \"%s\"\n    default y\n"

func define(name string) string { return strings.ReplaceAll(option, "%s", name) }

// app is a project with components of all kinds.
var app = map[string]string{
	"home/app/main/CMakeLists.txt":    "idf_component_register()",
	"home/app/main/Kconfig.projbuild": define("MAIN_BUILD"),
	"home/app/main/Kconfig":           define("MAIN"),
	"home/app/CMakeLists.txt": "set(EXTRA_COMPONENT_DIRS \"${CMAKE_CURRENT_LIST_DIR}/../shared\" one)\nif(IDF_TARGET STREQUAL esp32)\n" +
		"list(APPEND EXTRA_COMPONENT_DIRS $ENV{IDF_PATH}/more)\nendif()\ninclude($ENV{IDF_PATH}/tools/cmake/project.cmake)\nproject(app)\n",
	"home/shared/s1/CMakeLists.txt":                   "idf_component_register()",
	"home/shared/s1/Kconfig":                          define("SHARED"),
	"home/app/one/CMakeLists.txt":                     "idf_component_register()",
	"home/app/one/Kconfig":                            define("ONE"),
	"opt/idf/more/m/CMakeLists.txt":                   "idf_component_register()",
	"opt/idf/more/m/Kconfig":                          define("MORE"),
	"home/app/components/own/CMakeLists.txt":          "idf_component_register()",
	"home/app/components/own/Kconfig":                 define("OWN"),
	"home/app/components/own/sdkconfig.rename":        "CONFIG_WAS_OWN CONFIG_OWN\n",
	"home/app/components/part005/CMakeLists.txt":      "idf_component_register()",
	"home/app/components/part005/Kconfig":             define("INSTEAD"),
	"home/app/components/notes/Kconfig":               define("NO_COMPONENT"),
	"home/app/managed_components/got/CMakeLists.txt":  "idf_component_register()",
	"home/app/managed_components/got/Kconfig":         define("GOT"),
	"home/app/bootloader_components/b/CMakeLists.txt": "",
	"home/app/bootloader_components/b/Kconfig":        define("BOOT"),
}

func settings(t *testing.T, p idf.Project) *kconfig.Settings {
	t.Helper()
	src, err := p.Source()
	if err != nil {
		t.Fatal(err)
	}
	tree, err := kconfig.Parse(src)
	if err != nil {
		t.Fatal(err)
	}
	return tree.Settings()
}

// A whole ESP-IDF, for each of its chips.
func TestWholeTree(t *testing.T) {
	files := machine(nil)
	targets, err := idf.Targets(files, "/opt/idf")
	if err != nil || !slices.Equal(targets, kconfigtest.Targets) {
		t.Fatalf("targets %v, %v", targets, err)
	}
	for _, target := range targets {
		s := settings(t, idf.Project{Files: files, Path: "/opt/idf", Dir: "/home/app", Target: target})
		want := kconfigtest.IDFSymbols
		if target == "linux" {
			want = kconfigtest.LinuxSymbols
		}
		if n := len(s.Tree().Symbols); n != want {
			t.Errorf("%s: %d symbols, want %d", target, n, want)
		}
		text := string(s.Sdkconfig())
		for _, line := range []string{"(ESP-IDF) 6.0.9 Project Configuration", `CONFIG_IDF_TARGET="` + target + `"`, `CONFIG_IDF_TOOLCHAIN="gcc"`, `CONFIG_IDF_INIT_VERSION="6.0.9"`} {
			if !strings.Contains(text, line) {
				t.Errorf("%s: no %s", target, line)
			}
		}
		if c3 := strings.Contains(text, "CONFIG_OLD_C3"); c3 != (target == "esp32c3") || !strings.Contains(text, "CONFIG_OLD_OPTION") || !strings.Contains(text, "CONFIG_OLD_PART") {
			t.Errorf("%s: old names: the C3's are %v", target, c3)
		}
	}
}

// The options of a project stand where the build puts them.
func TestProjectOrder(t *testing.T) {
	p := idf.Project{Files: machine(app), Path: "/opt/idf", Dir: "/home/app", Target: "esp32", InitVersion: "5.1.0",
		Env: func(name string) (string, bool) { return "clang", name == "IDF_TOOLCHAIN" }}
	s := settings(t, p)
	var names []string
	for _, sym := range s.Tree().Symbols {
		if !strings.HasPrefix(sym.Name, "CAP_") && !strings.HasPrefix(sym.Name, "IDF_") && !strings.Contains(sym.Name, "_OPTION_") {
			names = append(names, sym.Name)
		}
	}
	if got := strings.Join(names, " "); got != "PART001_AT_BUILD MAIN_BUILD INSTEAD MAIN SHARED ONE MORE OWN GOT BOOT" {
		t.Errorf("order %s", got)
	}
	if s.Tree().Symbol("PART005_OPTION_4") != nil {
		t.Error("a component of the project does not take the place of ESP-IDF's")
	}
	text := string(s.Sdkconfig())
	for _, line := range []string{`CONFIG_IDF_INIT_VERSION="5.1.0"`, `CONFIG_IDF_TOOLCHAIN="clang"`, "CONFIG_WAS_OWN=y"} {
		if !strings.Contains(text, line) {
			t.Errorf("no %s", line)
		}
	}
}

// A project without ESP-IDF has its own options.
func TestAlone(t *testing.T) {
	s := settings(t, idf.Project{Files: texts(app), Dir: "/home/app", Target: "esp32c3"})
	var names []string
	for _, sym := range s.Tree().Symbols {
		names = append(names, sym.Name)
	}
	if got := strings.Join(names, " "); got != "IDF_TARGET MAIN_BUILD MAIN SHARED ONE OWN INSTEAD GOT BOOT" {
		t.Errorf("options %s", got)
	}
	if v := s.Value(s.Tree().Symbol("IDF_TARGET")); v.Text != "esp32c3" {
		t.Errorf("for %s", v)
	}
	if n := len(settings(t, idf.Project{Files: texts(nil), Dir: "/nowhere", Target: "esp32"}).Tree().Symbols); n != 1 {
		t.Errorf("%d options of nothing", n)
	}
}

// What takes a file in is a file that people can open.
func TestInclusions(t *testing.T) {
	for dir, want := range map[string]string{"": "[]", "/opt/idf": "[{/opt/idf/Kconfig "} {
		tree := settings(t, idf.Project{Files: machine(app), Path: dir, Dir: "/home/app", Target: "esp32"}).Tree()
		for _, name := range []string{"MAIN", "MAIN_BUILD"} {
			if got := fmt.Sprint(tree.Inclusions(tree.Symbol(name).Nodes[0].File)); !strings.HasPrefix(got, want) || strings.Contains(got, "} {") {
				t.Errorf("with ESP-IDF in %q: %s is taken in by %s", dir, name, got)
			}
		}
	}
}

func TestNoIDF(t *testing.T) {
	for _, tt := range []struct{ path, target, remove, want string }{
		{"/opt/none", "esp32", "", "/opt/none: no ESP-IDF: no components/soc/*/include/soc/Kconfig.soc_caps.in in it"},
		{"/opt/idf", "esp99", "", "/opt/idf: knows no chip esp99, but esp32, esp32c3, linux"},
		{"/opt/idf", "esp32", "opt/idf/tools/cmake/version.cmake", "/opt/idf: no ESP-IDF: no tools/cmake/version.cmake in it"},
	} {
		files := machine(nil)
		delete(files, tt.remove)
		_, err := idf.Project{Files: files, Path: tt.path, Dir: "/home/app", Target: tt.target}.Source()
		if err == nil || err.Error() != tt.want {
			t.Errorf("got  %v\nwant %s", err, tt.want)
		}
	}
}

func TestRegistered(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		chips      string // of esp32, esp32c3 and linux, those that have it
	}{
		{"at once", "idf_component_register()", "esp32 esp32c3 linux"},
		{"of old", "set(COMPONENT_SRCS a.c)\nregister_component()", "esp32 esp32c3 linux"},
		{"by another file", "include(more/CMakeLists.txt)", "esp32 esp32c3 linux"},
		{"nothing in it", "", "esp32 esp32c3 linux"},
		{"not on linux", "idf_build_get_property(target IDF_TARGET)\nif(${target} STREQUAL \"linux\")\n return() # no\nendif()\nidf_component_register()", "esp32 esp32c3"},
		{"by a list", "idf_build_get_property(t IDF_TARGET)\nset(known esp32 \"esp32c3\")\nif(NOT t IN_LIST known)\nreturn()\nendif()\nidf_component_register()", "esp32 esp32c3"},
		{"only inside", "if(IDF_TARGET IN_LIST LISTED)\nidf_component_register()\nendif()", ""},
		{"the other way", "if(X)\nreturn()\nelseif(IDF_TARGET STREQUAL linux)\nidf_component_register()\nelse()\nreturn()\nendif()", "linux"},
		{"by processor", "idf_build_get_property(arch IDF_TARGET_ARCH)\nif(NOT \"${arch}\" STREQUAL \"riscv\" AND NOT (ULP AND \"${T}\" STREQUAL \"riscv\"))\nreturn()\nendif()\nidf_component_register()", "esp32c3"},
		{"either", "if(IDF_TARGET STREQUAL esp32 OR IDF_TARGET STREQUAL linux)\nreturn()\nendif()\nidf_component_register()", "esp32c3"},
		{"of options nobody has yet", "if(CONFIG_A OR BOOTLOADER_BUILD)\nreturn()\nendif()\nidf_component_register()", "esp32 esp32c3 linux"},
		{"what a function does", "function(f)\nreturn()\nendfunction()\nforeach(x)\nreturn()\nendforeach()\nidf_component_register()", "esp32 esp32c3 linux"},
		{"in a remark", "# return()\nidf_component_register()", "esp32 esp32c3 linux"},
		{"broken", "endif()\nelse()\nif(\nidf_component_register()", "esp32 esp32c3 linux"},
	} {
		var chips []string
		for _, chip := range kconfigtest.Targets {
			if idf.Registered(tt.text, chip) {
				chips = append(chips, chip)
			}
		}
		if got := strings.Join(chips, " "); got != tt.chips {
			t.Errorf("%s: on %s, want %s", tt.name, got, tt.chips)
		}
	}
}

// Whatever a file says, it is followed to its end.
func FuzzRegistered(f *testing.F) {
	f.Add("set(EXTRA ${A}/$ENV{B})\nlist(APPEND EXTRA c)\nfunction(f)\nreturn()\nendfunction()", "esp32c3")
	f.Add("idf_build_get_property(t IDF_TARGET)\nif(NOT (t IN_LIST known OR A AND B))\nreturn()\nendif()\nidf_component_register()", "esp32")
	f.Fuzz(func(t *testing.T, text, target string) { idf.Registered(text, target) })
}
