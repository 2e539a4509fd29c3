package delivery

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tcpboot/tcpboot/menuconfig/kconfig"
)

func config(t *testing.T, text string) *kconfig.Config {
	t.Helper()
	c, err := kconfig.Read("sdkconfig", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestOverrides(t *testing.T) {
	options, err := LoaderOptions("esp32", 300, "rsa3072", 1)
	if err != nil {
		t.Fatal(err)
	}
	own, err := lab.Options("hunter2")
	if err != nil {
		t.Fatal(err)
	}
	want := append(append(own, options...), kconfig.Assignment{Name: "NUM", Value: kconfig.Int(7)}, kconfig.Assignment{Name: "HEX", Value: kconfig.Hex(0x1f)})
	for _, tt := range []struct{ name, text, want string }{
		{"nothing there", "", "[]"},
		{"the same", "CONFIG_WIFI_SSID=\"lab\"\nCONFIG_SECURE_BOOT_BUILD_SIGNED_BINARIES=n\nCONFIG_NUM=007\nCONFIG_HEX=1F\n", "[]"},
		{"another board's password", `CONFIG_EAP_PASSWORD="old"`, "[CONFIG_EAP_PASSWORD]"},
		{"the check is off", "# CONFIG_SECURE_SIGNED_ON_UPDATE_NO_SECURE_BOOT is not set", "[CONFIG_SECURE_SIGNED_ON_UPDATE_NO_SECURE_BOOT]"},
		{"another scheme", "CONFIG_SECURE_SIGNED_APPS_ECDSA_SCHEME=y", "[CONFIG_SECURE_SIGNED_APPS_ECDSA_SCHEME]"},
		{"a lower revision", "CONFIG_ESP32_REV_MIN_1=y", "[CONFIG_ESP32_REV_MIN_1]"},
		{"a default", "# default:\nCONFIG_WIFI_SSID=\"NetworkSSID\"", "[]"},
		{"what the build ignores", "CONFIG_WIFI_SSID=bare\nCONFIG_SECURE_SIGNED_APPS_NO_SECURE_BOOT=0\nCONFIG_NUM=x\nCONFIG_UPDATE_PORT=99\n", "[]"},
		{"yes is y", "CONFIG_SECURE_SIGNED_APPS_NO_SECURE_BOOT=yes", "[]"},
		{"other numbers", "CONFIG_NUM=8\nCONFIG_HEX=0x20\n", "[CONFIG_NUM CONFIG_HEX]"},
		{"others' options", "CONFIG_OTHER=y", "[]"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := fmt.Sprint(Overrides(config(t, tt.text), want)); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestMerge(t *testing.T) {
	own, err := lab.Options("hunter2")
	if err != nil {
		t.Fatal(err)
	}
	c := config(t, "# mine\nCONFIG_OTHER=1\nCONFIG_WIFI_SSID=\"old\"\n# default:\nCONFIG_UPDATE_PORT=\"8123\"\n")
	was, err := Merge(c, own)
	if err != nil {
		t.Fatal(err)
	}
	if len(was) != 1 || was[0].Name != "WIFI_SSID" || was[0].Has != kconfig.String("old") || was[0].Value != kconfig.String("lab") {
		t.Errorf("was otherwise: %v", was)
	}
	want := "# mine\nCONFIG_OTHER=1\nCONFIG_WIFI_SSID=\"lab\"\nCONFIG_UPDATE_PORT=\"8123\"\nCONFIG_EAP_PASSWORD=\"hunter2\"\nCONFIG_UPDATE_SERVER=\"boot.example.net\"\n"
	if got := string(c.Bytes()); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	if was, err = Merge(c, own); err != nil || was != nil || string(c.Bytes()) != want {
		t.Errorf("merged twice: %v, %v\n%s", was, err, c.Bytes())
	}
	if _, err := Merge(c, []kconfig.Assignment{{Name: "A", Value: kconfig.String("hunter2\n")}}); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("a line break: %v", err)
	}
}

func TestOverridePrintsNoSecret(t *testing.T) {
	o := Overrides(config(t, `CONFIG_EAP_PASSWORD="hunter1"`), []kconfig.Assignment{{Name: "EAP_PASSWORD", Value: kconfig.String("hunter2")}})
	if got := fmt.Sprintf("%v %+v %#v %s", o, o[0], o[0], o[0]); strings.Contains(got, "hunter") {
		t.Errorf("printed %s", got)
	}
}
