package menuconfig

import (
	"errors"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"

	"github.com/tcpboot/tcpboot/menuconfig/kconfig"
)

// What keys do, as far as the values and the screen tell.
func TestKeys(t *testing.T) {
	tests := []struct {
		name, file, keys string
		want             string // "NAME=VALUE …" of the settings
		screen           string // on the screen
	}{
		{"space toggles", "", "enter space", "NET=n", "NET y → n"},
		{"enter toggles", "", "enter enter", "NET=n", "›• [ ] Use the network"},
		{"a line feed is Enter too", "", "ctrl+j", "", "(Top) › Network"},
		{"n and y", "", "enter n y", "NET=y", "[*] Use the network"},
		{"y on a menu does nothing", "", "y n", "NET=y", "›      Network"},
		{"right and l open, left and h go back", "", "l h right left", "", "›      Network"},
		{"backspace and esc go back", "", "enter backspace enter esc", "", "›      Network"},
		{"the cursor stays within", "", "up k down down down down down", "", "›  (Grüße, 世界)"},
		{"home end g G", "", "end home G g", "", "›      Network"},
		{"screens up and down", "", "enter pgdown pgup ctrl+f", "", "›      How a board logs in"},
		{"a number", "", "enter j j enter ctrl+u 80 enter", "NET_PORT=80", "NET_PORT 8123 → 80"},
		{"a number out of range is refused", "", "enter j j enter 9 enter", "NET_PORT=8123", "outside the range 1 to 65535"},
		{"no number", "", "enter j j enter ctrl+u enter", "NET_PORT=8123", "a decimal number is wanted"},
		{"esc forgets what was typed", "", "enter j j enter 1 esc", "NET_PORT=8123", "(8123) Port"},
		{"editing", "", "enter j j enter home delete right right backspace left 7 end backspace enter", "NET_PORT=71", "8123 → 71"},
		{"the default again", "CONFIG_NET_PORT=80", "enter j j enter ctrl+r enter", "NET_PORT=8123", "80 → 8123"},
		{"hex without 0x", "", "enter j j j enter ctrl+u 20aB enter", "NET_BASE=0x20aB", "(0x20aB)"},
		{"hex beyond its range", "", "enter j j j enter 0 0 0 enter", "NET_BASE=0x10000", "outside the range 0x1000 to 0x3ff000"},
		{"hex of no digits", "", "enter j j j enter ctrl+u xyz enter", "NET_BASE=0x10000", "a hexadecimal number is wanted"},
		{"a float", "", "enter j j j j enter ctrl+u 3.50 enter", "NET_GAIN=3.5", "(3.5)"},
		{"a string with a blank and quotes", "", `enter j enter space "5" enter`, `NET_SSID="lab \"5\""`, `(lab "5")`},
		{"no string", "", "enter j enter ctrl+w enter", `NET_SSID=""`, "() Name"},
		{"space on a menu that is a bool", "", "enter j j j j j space", "NET_TRACE=y", "[*] Trace what is sent  --->"},
		{"enter opens it", "", "enter j j j j j space enter", "", "(2) How much of it"},
		{"a member of a choice, and back", "", "enter end enter j enter", "NET_EAP_PEAP=y NET_EAP_TLS=n", "(PEAP, with a password)"},
		{"a choice is entered where it is chosen", "CONFIG_NET_EAP_TTLS=y", "enter end enter", "", "›  (X) TTLS"},
		{"n on the chosen member", "", "enter end enter n", "NET_EAP_TLS=y", "it is what is chosen: choose another instead"},
		{"what is selected is held", "CONFIG_SECURE=y", "j enter j space", "HASH=y", "HASH: selected by SECURE"},
		{"what is set is held", "CONFIG_SECURE=y", "j enter j j enter", `HASH_NAME="sha256"`, "HASH_NAME: set by HASH"},
		{"what is hidden is held", "", "a j enter j j enter", `HASH_NAME=""`, "HASH_NAME: needs HASH"},
		{"w goes to the selector", "CONFIG_SECURE=y", "j enter j w", "", "›  [*] Boot signed images alone"},
		{"w goes to what hides, b comes back", "", "a j enter j j w b", "", "›    () Name of the hash"},
		{"w without a reason", "", "w", "", "nothing is in the way of this"},
		{"a warning comes first", "", "j enter space", "SECURE=n", "nothing brings them back"},
		{"no to a warning", "", "j enter space enter", "SECURE=n", "[ ] Boot signed"},
		{"yes to it, and it is not asked again", "", "j enter space tab enter space space", "SECURE=y", "[*] Boot signed"},
		{"undo and redo", "", "enter space u U", "NET=n", "done again: NET y → n"},
		{"undo", "", "enter space down u", "NET=y", "undone: NET y → n"},
		{"undo twice", "", "enter space end home down r home y u u", "NET=y", "undone: NET y → n"},
		{"nothing to undo", "", "u", "", "nothing to undo"},
		{"nothing to redo after a change", "", "enter space u space U", "NET=n", "nothing to redo"},
		{"reset", "CONFIG_NET_PORT=80", "enter j j r", "NET_PORT=8123", "Port of the server reset"},
		{"reset a choice", "CONFIG_NET_EAP_PEAP=y", "enter end r", "NET_EAP_TLS=y", "(EAP-TLS, with a certificate)"},
		{"reset a menu", "CONFIG_NET_PORT=80\nCONFIG_NET_SSID=\"x\"", "r y", `NET_PORT=8123 NET_SSID="lab"`, "Network reset"},
		{"and not", "CONFIG_NET_PORT=80", "r n", "NET_PORT=80", ""},
		{"nothing to reset", "", "r", "", "nothing was chosen here"},
		{"search jumps into a menu", "", "/ unsafe enter", "", "(Top) › Security › For developers"},
		{"to what is hidden, and shows all", "", "/ fuses enter", "", "all shown"},
		{"search by name and prompt", "", "/ config_net space server enter", "", "›    (8123) Port"},
		{"search by a regular expression", "", `/ ^Config_Net_P\D*$ enter`, "", "›    (8123) Port"},
		{"search finds menus", "", "/ developers enter", "", "›      For developers"},
		{"search moves", "", "/ net_eap down down enter", "", "›"},
		{"no regular expression is a text", "", "/ zeichen,( backspace enter", "", "›  (Grüße, 世界)"},
		{"enter on nothing", "", "/ zebra enter", "", "0 of"},
		{"info from search, and back to it", "", "/ hash_name ctrl+f esc", "", "/ hash_name"},
		{"info follows links", "CONFIG_SECURE=y", "j enter j ? tab enter", "", "Boot signed images alone  SECURE"},
		{"and shows them in the menu", "CONFIG_SECURE=y", "j enter j ? tab enter m", "", "›  [*] Boot signed images alone"},
		{"links go round", "CONFIG_SECURE=y", "j enter j ? shift+tab shift+tab tab enter", "", "SECURE"},
		{"keys from info", "", "? ?", "", "F1 p"},
		{"text scrolls to its end", "", "enter end ? G", "", "default NET_EAP_TLS\n"},
		{"and back", "", "enter end ? end g pgdown pgup j k space home", "", " How a board logs in  NET_EAP\n"},
		{"how much is to come", "", "enter end ?", "", " more line"},
		{"a list is walked", "", "enter space v G g pgdown pgup j j k", "", "›   NET_SSID"},
		{"the last of a list", "", "enter space v end", "", "›   NET_EAP_TTLS"},
		{"reports close", "", "e down esc", "", "›      Network"},
		{"copy", "", "enter ? c", "", "copied"},
		{"a command from the keys", "", "p beside enter enter", "", "Use the network <NET>"},
		{"jump from the changes", "CONFIG_NET_PORT=80", "enter j j enter ctrl+u 81 enter home h v enter", "", "›•   (81) Port"},
		{"take back one change", "CONFIG_NET_PORT=80", "enter j j enter ctrl+u 81 enter v r", "NET_PORT=80", "0 changes since"},
		{"take back a choice", "CONFIG_NET_EAP_PEAP=y", "enter end enter end enter v r", "NET_EAP_PEAP=y NET_EAP_TTLS=n", "0 changes since"},
		{"take back to the default", "CONFIG_NET_PORT=80", "v tab r", "NET_PORT=8123", "0 differences from"},
		{"undo from the changes", "", "enter space v u", "NET=y", "undone"},
		{"a theme", "", "t", "", "theme dark"},
		{"all themes", "", "t t t t t", "", "theme auto"},
		{"hidden entries, and not", "", "a a j enter", "", "Nothing yet"},
		{"leaving what is hidden", "", "a / unsafe enter a", "", "(Top) › Security\n"},
		{"no jump to come back from", "", "b", "", "no jump to come back from"},
		{"a comment is not changed", "", "down enter down down down space", "", "›  *** Fuses"},
		{"y on a number does nothing", "", "enter j j y", "NET_PORT=8123", "(8123) Port"},
		{"space opens what is no value", "", "space", "", "(Top) › Network"},
		{"keys that are none", "", "z Z ctrl+t delete", "", "›      Network"},
	}
	tree := fixture(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := sit(t, tree, tt.file).press(tt.keys)
			for _, want := range strings.Fields(strings.ReplaceAll(tt.want, `b \`, `b_\`)) {
				name, value, _ := strings.Cut(strings.ReplaceAll(want, `b_\`, `b \`), "=")
				if got := d.value(name); got != value {
					t.Errorf("%s is %s, want %s", name, got, value)
				}
			}
			d.has(tt.screen)
		})
	}
}

const port80 = "CONFIG_NET_PORT=80"

func TestSaving(t *testing.T) {
	tree := fixture(t)
	t.Run("save", func(t *testing.T) {
		d := sit(t, tree, port80).press("enter j j enter 1 enter s")
		d.has("saved sdkconfig")
		if got := string(d.files["sdkconfig"]); !strings.Contains(got, "CONFIG_NET_PORT=801\n") {
			t.Error(got)
		}
		if d.press("q"); !d.quit {
			t.Error("all is saved, and quitting asks")
		}
	})
	t.Run("save fails", func(t *testing.T) {
		d := sit(t, tree, port80)
		d.model.session.File = "/full/sdkconfig"
		d.press("enter space q y")
		d.has("not saved: write /full/sdkconfig: no space left on device")
		if d.quit {
			t.Error("quit although nothing was saved")
		}
	})
	t.Run("quit and save", func(t *testing.T) {
		d := sit(t, tree, port80).press("enter space q y")
		if !d.quit || !strings.Contains(string(d.files["sdkconfig"]), "# CONFIG_NET is not set") {
			t.Errorf("quit: %v\n%s", d.quit, d.files["sdkconfig"])
		}
	})
	t.Run("quit and lose", func(t *testing.T) {
		d := sit(t, tree, port80)
		before := string(d.files["sdkconfig"])
		if d.press("enter space esc esc n"); !d.quit || string(d.files["sdkconfig"]) != before {
			t.Errorf("quit: %v\n%s", d.quit, d.files["sdkconfig"])
		}
	})
	t.Run("Ctrl-C asks too, and a second one means it", func(t *testing.T) {
		d := sit(t, tree, port80).press("enter space v ctrl+c")
		if d.has("Save them?"); d.quit {
			t.Error("quit without a question")
		}
		if d.press("ctrl+c"); !d.quit {
			t.Error("did not quit")
		}
	})
	t.Run("do not quit", func(t *testing.T) {
		if d := sit(t, tree, port80).press("enter space q esc"); d.quit {
			t.Error("quit")
		}
	})
	t.Run("save as, and go on with it", func(t *testing.T) {
		d := sit(t, tree, port80).press("enter space S ctrl+u other enter")
		d.has("saved other")
		d.has(" other\n (Top)")
		if d.press("q"); !d.quit || d.files["other"] == nil {
			t.Errorf("quit: %v, files %v", d.quit, d.files)
		}
	})
	t.Run("save as what is there", func(t *testing.T) {
		d := sit(t, tree, port80)
		d.files["other"] = []byte("precious")
		d.press("S ctrl+u other enter")
		d.has("other is there. Replace it?")
		if d.press("enter"); string(d.files["other"]) != "precious" {
			t.Error("replaced without a yes")
		}
		if d.press("S ctrl+u other enter y"); string(d.files["other"]) == "precious" {
			t.Error("not replaced after a yes")
		}
	})
	t.Run("minimal", func(t *testing.T) {
		d := sit(t, tree, port80).press("d enter")
		got := string(d.files["sdkconfig.defaults"])
		if !strings.Contains(got, port80) || strings.Contains(got, "SSID") || strings.Contains(got, "Network") {
			t.Error(got)
		}
		if d.press("d tab enter y"); !strings.Contains(string(d.files["sdkconfig.defaults"]), "Network") {
			t.Errorf("no heading in\n%s", d.files["sdkconfig.defaults"])
		}
	})
}

func TestLoading(t *testing.T) {
	tree := fixture(t)
	t.Run("load", func(t *testing.T) {
		d := sit(t, tree, port80)
		d.files["lab.defaults"] = []byte("  CONFIG_NET_SSID=\"van\"\nCONFIG_GONE=y\nnonsense\n")
		d.press("o ctrl+u lab.defaults enter")
		d.has("lab.defaults:2:1: there is no option GONE")
		d.has("lab.defaults:3:1")
		if d.value("NET_SSID") != `"van"` || d.value("NET_PORT") != "80" {
			t.Error(d.value("NET_SSID"), d.value("NET_PORT"))
		}
		if d.press("esc u"); d.value("NET_SSID") != `"lab"` {
			t.Error("loading is not undone")
		}
		d.press("e")
		d.has("there is no option GONE")
	})
	t.Run("load what is not there", func(t *testing.T) {
		d := sit(t, tree, port80).press("o ctrl+u nowhere enter")
		d.has("not loaded: open nowhere: file does not exist")
	})
	t.Run("load what is no file", func(t *testing.T) {
		d := sit(t, tree, port80)
		d.files["bin"] = []byte("CONFIG_NET=\x00\xff")
		d.press("o ctrl+u bin enter")
		d.has("not loaded: bin:1")
	})
}

// What a Session says beside the settings.
func TestSessions(t *testing.T) {
	tree := fixture(t)
	t.Run("lines of no use are told at once", func(t *testing.T) {
		s := sit(t, tree, "").model.session
		s.Odd = []*kconfig.Error{{File: "sdkconfig", Line: 3, Column: 1, Why: "there is no option X", Text: "CONFIG_X=y"}}
		d := &desk{t: t, model: New(s)}
		d.has("1 line of the files had no effect; e lists it")
	})
	t.Run("where a value comes from", func(t *testing.T) {
		s := sit(t, tree, port80).model.session
		s.Origin = func(at kconfig.Origin) string { return map[string]string{"sdkconfig": "board 246f28aa1002"}[at.File] }
		d := (&desk{t: t, model: New(s)}).press("enter down down")
		d.has("board 246f28aa1002")
		d.press("enter 1 enter")
		d.has("chosen here")
	})
	t.Run("another form of file", func(t *testing.T) {
		d := sit(t, tree, port80)
		d.model.session.Render = func(s *kconfig.Settings) ([]byte, error) { return s.Minimal(false), nil }
		if d.press("s"); strings.Contains(string(d.files["sdkconfig"]), "SSID") {
			t.Errorf("%s", d.files["sdkconfig"])
		}
		d.model.session.Render = func(s *kconfig.Settings) ([]byte, error) { return nil, errors.New("no file can hold it") }
		d.press("s").has("not saved: no file can hold it")
	})
	t.Run("files below", func(t *testing.T) {
		s := sit(t, tree, port80).model.session
		s.Reread = func(s *kconfig.Settings) (*kconfig.Settings, error) {
			site, err := kconfig.Read("site", []byte("CONFIG_NET_PORT=443\n"))
			again := s.Clone()
			again.Load(site, nil)
			return again, err
		}
		d := (&desk{t: t, model: New(s)}).press("enter down down r")
		d.has("(443) Port of the server")
		d.has("site:1")
	})
	t.Run("secrets are not shown", func(t *testing.T) {
		d := sit(t, tree, "CONFIG_NET_SSID=\"hunter2\"")
		d.model.session.Secret = func(name string) bool { return name == "NET_SSID" }
		for _, keys := range []string{"enter", "?", "esc down ?", "esc enter", "h 3 x", "enter", "v", "tab", "esc / net_ssid", "esc u"} {
			d.press(keys)
			if s := d.screen(); strings.Contains(s, "hunter") || strings.Contains(s, "h3x") {
				t.Errorf("after %q:\n%s", keys, s)
			}
		}
		d.press("U").has("(secret) Name of the Wi-Fi network")
		if d.press("enter enter"); d.value("NET_SSID") != `"h3x"` {
			t.Error("typing nothing lost it: ", d.value("NET_SSID"))
		}
	})
	t.Run("what is not chosen here", func(t *testing.T) {
		d := sit(t, tree, port80)
		d.model.session.Barred = func(name string) string { return map[string]string{"NET_PORT": "the board decides"}[name] }
		d.press("enter down down enter").has("NET_PORT: the board decides")
		d.press("down down enter").has("Gain of the antenna, in dBi  NET_GAIN")
	})
}

// A pasted line ends without its line break, and a value never has one.
func TestPaste(t *testing.T) {
	d := sit(t, fixture(t), "").press("enter j enter ctrl+u")
	d.tell(tea.PasteMsg{Content: "pasted\n"})
	d.press("enter")
	if got := d.value("NET_SSID"); got != `"pasted"` {
		t.Error(got)
	}
	d.press("enter")
	d.tell(tea.PasteMsg{Content: "a\nb"})
	if d.press("enter"); d.value("NET_SSID") != `"pasted"` {
		t.Error(d.value("NET_SSID"))
	}
	d.has("line break")
}

// Clicks do what is drawn where they land.
func TestMouse(t *testing.T) {
	tests := []struct{ name, keys, screen string }{
		{"a row", "click:20,4", "›      Security"},
		{"a row twice", "click:20,4 click:20,4", "(Top) › Security"},
		{"a mark", "enter click:4,3", "[ ] Use the network"},
		{"the mark of another row", "enter click:6,5", "› 8123\n"},
		{"the way back", "enter end enter click:2,1", "›      Network"},
		{"a step of it", "enter end enter click:10,1", "›      How a board logs in"},
		{"a key at the bottom", "click:10,23", " / "},
		{"a hint's word", "click:4,23", "F1 p"},
		{"a button", "j enter space click:3,22", "[*] Boot signed"},
		{"the other button", "j enter space click:12,22", "[ ] Boot signed"},
		{"a hit", "/ net space p click:20,6", "›  (X) EAP-TLS"},
		{"a change", "enter space v click:10,7", "›   NET_PORT"},
		{"a command", "f1 click:30,12", "é <GREETING>"},
		{"the box", "d click:2,22", "[*] a heading"},
		{"a link", "enter end ? click:8,12", "EAP-TLS, with a certificate  NET_EAP_TLS"},
		{"nothing", "click:70,15 click:0,0 click:500,500", "›      Network"},
		{"the wheel", "wheel-down", "›  (Grüße"},
		{"the wheel back", "wheel-down wheel-up", "›      Network"},
		{"the wheel in the keys", "f1 wheel-down", "› s "},
	}
	tree := fixture(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { sit(t, tree, "").press(tt.keys).has(tt.screen) })
	}
	d := sit(t, tree, "").press("enter")
	d.tell(tea.MouseClickMsg{Button: tea.MouseRight})
	d.has("›      Network")
}
