package kconfig_test

import (
	"fmt"
	"os"
	"testing/fstest"

	"github.com/tcpboot/tcpboot/menuconfig/kconfig"
)

var files = fstest.MapFS{
	"Kconfig": {Data: []byte(`
mainmenu "Loader"

config NET
    bool "Use the network"

config PORT
    int "Port of the server"
    depends on NET
    range 1 65535
    default 8123
`)},
	"sdkconfig.defaults":       {Data: []byte("CONFIG_NET=y\n")},
	"sdkconfig.defaults.esp32": {Data: []byte("CONFIG_PORT=70000\n")},
}

// Everything that a build does with a project's options.
func Example() {
	src := kconfig.Source{Files: files, Root: "Kconfig", Env: os.LookupEnv}
	tree, err := kconfig.Parse(src)
	if err != nil {
		fmt.Println(err)
		return
	}
	defaults, err := src.Defaults([]string{"sdkconfig.defaults"}, "esp32")
	if err != nil {
		fmt.Println(err)
		return
	}
	s := tree.Settings()
	for _, c := range defaults {
		for _, odd := range s.Load(c, kconfig.PreferSdkconfig) {
			fmt.Println(odd)
		}
	}
	for _, conflict := range s.Check() {
		fmt.Println(conflict)
	}
	os.Stdout.Write(s.JSON())
	// Output:
	// sdkconfig.defaults.esp32:1: PORT: outside the range 1 to 65535
	// {
	//     "NET": true,
	//     "PORT": 8123
	// }
}

// What a menu does: change a value, and see what follows.
func ExampleSettings_Set() {
	tree, err := kconfig.Parse(kconfig.Source{Files: files, Root: "Kconfig"})
	if err != nil {
		fmt.Println(err)
		return
	}
	s, port := tree.Settings(), tree.Symbol("PORT")
	fmt.Println(s.Visible(port), s.Missing(port.Nodes[0]))
	if err := s.Set("NET", kconfig.Bool(true)); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(s.Visible(port), s.Value(port), s.IsDefault(port))
	// Output:
	// false [NET]
	// true 8123 true
}

// A file is changed where it has to be, and nowhere else.
func ExampleConfig_Set() {
	c, err := kconfig.Read("sdkconfig", []byte("# mine\nCONFIG_PORT=8123\n# CONFIG_NET is not set\n"))
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := c.Set("PORT", kconfig.Int(8124)); err != nil {
		fmt.Println(err)
		return
	}
	os.Stdout.Write(c.Bytes())
	// Output:
	// # mine
	// CONFIG_PORT=8124
	// # CONFIG_NET is not set
}
