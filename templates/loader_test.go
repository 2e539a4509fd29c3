package templates_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/tcpboot/tcpboot/menuconfig/kconfig"
	"github.com/tcpboot/tcpboot/pki/delivery"
	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/release/partition"
)

// The table parses, fits 4 MB, and has what the loader looks for, of the sizes that
// it needs; up to ota_0 it is that of 2017.
func TestLoaderPartitions(t *testing.T) {
	text, err := os.ReadFile("loader/partitions.csv")
	if err != nil {
		t.Fatal(err)
	}
	table, err := partition.ParseCSV(text, partition.Layout{FlashSize: 4 << 20, SignedV1: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []struct {
		name         string
		offset, size uint32
	}{
		{"nvs", 0x9000, 0x4000},
		{"otadata", 0xd000, 0x2000},
		{"phy_init", 0xf000, 0x1000},
		{"factory", 0x10000, 0xf0000},
		{"ota_0", 0x100000, 0x2f0000},
		{"cred", 0x3f0000, 0x7000},
		{"nvs_keys", 0x3f7000, 0x1000},
		{"tb_state", 0x3f8000, 0x8000},
	} {
		if e, ok := table.Find(want.name); !ok || e.Offset != want.offset || e.Size != want.size {
			t.Errorf("%s: %+v, want %#x of %#x", want.name, e, want.offset, want.size)
		}
	}
	if last := table[len(table)-1]; last.End() != 4<<20 || len(table) != 8 {
		t.Errorf("%d partitions, the last ends at %#x", len(table), last.End())
	}
}

// The options are lines that a build takes, none said twice; those of a chip leave
// the kind of signature to `loader export`, because they win over what that writes.
func TestLoaderDefaults(t *testing.T) {
	said := map[string]string{}
	for _, file := range []string{"sdkconfig.defaults", "sdkconfig.defaults.esp32", "sdkconfig.defaults.esp32c3"} {
		for e := range defaults(t, file).All() {
			if before, twice := said[e.Name]; twice {
				t.Errorf("%s: %s stands in %s too", file, e.Name, before)
			}
			said[e.Name] = file
		}
	}
	for chip, scheme := range map[fleet.Chip]string{"esp32": "v1", "esp32c3": "rsa3072"} {
		options, err := delivery.LoaderOptions(chip, 0, scheme, 1)
		if err != nil {
			t.Fatal(err)
		}
		common := defaults(t, "sdkconfig.defaults")
		for _, o := range options {
			if said[o.Name] == "sdkconfig.defaults."+string(chip) {
				t.Errorf("%s: %s would win over what is exported", chip, o.Name)
			}
		}
		if over := delivery.Overrides(common, options); len(over) > 0 {
			t.Errorf("%s: %v", chip, over)
		}
	}
}

// Without these a board takes whatever anybody sends, or never comes back.
func TestLoaderDefaultsProtect(t *testing.T) {
	common := defaults(t, "sdkconfig.defaults")
	for name, want := range map[string]kconfig.Value{
		"SECURE_SIGNED_APPS_NO_SECURE_BOOT":      kconfig.Bool(true),
		"SECURE_SIGNED_ON_UPDATE_NO_SECURE_BOOT": kconfig.Bool(true),
		"SECURE_BOOT_BUILD_SIGNED_BINARIES":      kconfig.Bool(false),
		"BOOTLOADER_APP_ROLLBACK_ENABLE":         kconfig.Bool(true),
		"MBEDTLS_SSL_KEEP_PEER_CERTIFICATE":      kconfig.Bool(true),
	} {
		if got, ok := common.Get(name); !ok || got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
}

func defaults(t *testing.T, file string) *kconfig.Config {
	t.Helper()
	text, err := os.ReadFile("loader/" + file)
	if err != nil {
		t.Fatal(err)
	}
	c, err := kconfig.ReadDefaults(file, text)
	if err != nil {
		t.Fatal(err)
	}
	if p := c.Problems(); len(p) > 0 {
		t.Fatal(file, p)
	}
	return c
}

// What the board side reads is an option of Kconfig or of ESP-IDF, and an option of
// Kconfig is read: one that nothing heeds would be a lie to whoever sets it.
func TestLoaderOptionsAreHeeded(t *testing.T) {
	tree, err := kconfig.Parse(kconfig.Source{Files: os.DirFS("loader/main"), Root: "Kconfig.projbuild"})
	if err != nil {
		t.Fatal(err)
	}
	idf := []string{"IDF_FIRMWARE_CHIP_ID", "IDF_TARGET_ESP32C3", "MBEDTLS_ASYMMETRIC_CONTENT_LEN", "MBEDTLS_SSL_IN_CONTENT_LEN", "MBEDTLS_SSL_MAX_CONTENT_LEN",
		"NVS_ENCRYPTION", "NVS_SEC_KEY_PROTECT_USING_HMAC"}
	read := optionsRead(t)
	for _, name := range read {
		if tree.Symbol(name) == nil && !slices.Contains(idf, name) {
			t.Errorf("there is no option %s", name)
		}
	}
	// The last of each choice is what is built when no other is chosen; a select heeds
	// the one, and the loaders of 2017 the others.
	otherwise := []string{"TCPBOOT_NETWORK_WIFI", "TCPBOOT_EAP_TTLS", "TCPBOOT_ETHERNET_INTERNAL", "TCPBOOT_CREDENTIALS_NVS",
		"TCPBOOT_REFUSE_UNSIGNED", "UPDATE_SERVER", "UPDATE_PORT"}
	for _, s := range tree.Symbols {
		ours := strings.HasPrefix(s.Name, "TCPBOOT_") || strings.HasPrefix(s.Name, "UPDATE_")
		if ours && !slices.Contains(read, s.Name) && !slices.Contains(otherwise, s.Name) {
			t.Errorf("nothing heeds %s", s.Name)
		}
	}
}

// optionsRead are the options that the C files and CMake lists of main name.
func optionsRead(t *testing.T) (names []string) {
	t.Helper()
	files, err := filepath.Glob("loader/main/*.[ct]*")
	if err != nil || len(files) < 10 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`\bCONFIG_([A-Z0-9_]+)\b`).FindAllSubmatch(text, -1) {
			names = append(names, string(m[1]))
		}
	}
	return names
}

// Whoever looks at an option in the menu is told what choosing it does.
func TestLoaderOptionsHaveHelp(t *testing.T) {
	for _, c := range []struct {
		root  string
		nodes int
	}{{"main/Kconfig.projbuild", 25}, {"components/tcpboot_app/Kconfig", 1}} {
		tree, err := kconfig.Parse(kconfig.Source{Files: os.DirFS("loader"), Root: c.root})
		if err != nil {
			t.Fatal(err)
		}
		seen := 0
		for _, n := range below(tree.Root) {
			if n.Symbol == nil && n.Choice == nil {
				continue
			}
			if seen++; strings.TrimSpace(n.Help()) == "" {
				t.Errorf("%s:%d: %q has no help", n.File, n.Line, n.Prompt)
			}
		}
		if seen < c.nodes {
			t.Errorf("%s: %d options looked at", c.root, seen)
		}
	}
}

func below(n *kconfig.Node) (all []*kconfig.Node) {
	for _, child := range n.Children {
		all = append(append(all, child), below(child)...)
	}
	return all
}
