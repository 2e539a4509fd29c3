package kconfigtest

import (
	"fmt"
	"strings"
	"testing/fstest"
)

// Targets are the chips of the made-up ESP-IDF.
var Targets = []string{"esp32", "esp32c3", "linux"}

// IDFSymbols is how many symbols it defines: for chips, and without the
// components that linux does not have.
const (
	IDFSymbols   = Symbols + 6 + 1
	linuxMissing = components / 7
	LinuxSymbols = IDFSymbols - linuxMissing*perFile
)

// idfRoot is the first file, as that of ESP-IDF asks for chip and lists.
const idfRoot = `mainmenu "A made-up ESP-IDF"

orsource "./components/soc/$IDF_TARGET/include/soc/Kconfig.soc_caps.in"

config IDF_CMAKE
    bool
    default y

config IDF_TARGET
    string
    default "$IDF_TARGET"

config IDF_INIT_VERSION
    string
    default "$IDF_INIT_VERSION"

config IDF_TOOLCHAIN
    string
    default "$IDF_TOOLCHAIN"

config IDF_ENV_FPGA
    bool
    option env="IDF_ENV_FPGA"

config IDF_SMALL
    bool
    default y if "$IDF_MINIMAL_BUILD" = "y"

source "$COMPONENT_KCONFIGS_PROJBUILD_SOURCE_FILE"

menu "Component config"
source "$COMPONENT_KCONFIGS_SOURCE_FILE"
endmenu
`

// IDF returns the tree in the shape of an ESP-IDF: what CMake would find in it is
// there. Every seventh component is none on linux.
func IDF() fstest.MapFS {
	files := Files().(fstest.MapFS)
	add := func(name, text string) { files[name] = &fstest.MapFile{Data: []byte(text)} }
	add(Root, idfRoot)
	add("tools/cmake/version.cmake", "set(IDF_VERSION_MAJOR 6)\nset(IDF_VERSION_MINOR 0)\nset(IDF_VERSION_PATCH 9)\n")
	add("sdkconfig.rename", "CONFIG_OLD_OPTION CONFIG_"+name(1, 0)+"\n")
	for _, target := range Targets {
		add("components/soc/"+target+"/include/soc/Kconfig.soc_caps.in", capsFile())
	}
	delete(files, "Kconfig.caps")
	add("components/soc/CMakeLists.txt", "idf_component_register()\n")
	for c := range components {
		var lists strings.Builder
		if c%7 == 0 {
			lists.WriteString("idf_build_get_property(target IDF_TARGET)\nif(${target} STREQUAL \"linux\")\n    return()\nendif()\n")
		}
		lists.WriteString("idf_component_register(SRCS part.c)\n")
		add(fmt.Sprintf("components/part%03d/CMakeLists.txt", c), lists.String())
	}
	add("components/part001/Kconfig.projbuild", "config PART001_AT_BUILD\n    bool \"Settled with the project\"\n    default y\n")
	add("components/part002/sdkconfig.rename", "CONFIG_OLD_PART CONFIG_"+name(2, 0)+"\n")
	add("components/part002/sdkconfig.rename.esp32c3", "CONFIG_OLD_C3 CONFIG_"+name(2, 0)+"\n")
	return files
}
