package kconfig

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
)

func loadText(t testing.TB, s *Settings, text string, policy Policy) []*Error {
	t.Helper()
	return s.Load(must(t, text), policy)
}

// values prints the named symbols, with * at those that nobody chose.
func values(s *Settings, names ...string) string {
	var list []string
	for _, name := range names {
		sym := s.Tree().Symbol(name)
		text := name + "=" + s.Value(sym).Text
		if s.IsDefault(sym) {
			text += "*"
		}
		list = append(list, text)
	}
	return strings.Join(list, " ")
}

const radio = `
config NET
    bool "network"
config SSID
    string "name"
    depends on NET
    default "bench"
config PORT
    int "port"
    range 1 100 if !NET
    range 1 65535
    default 80
config SLOT
    hex "slot"
    default 1f
choice MODE
    prompt "mode"
    default MODE_B
    config MODE_A
        bool "a"
    config MODE_B
        bool "b"
    config MODE_C
        bool "c"
        depends on NET
endchoice
config PRO
    bool "pro"
    default y if MODE_A
    select FAST
    set GAIN=2
config FAST
    bool "fast"
config GAIN
    float "gain"
    default 0.5
config HIDDEN
    int
    default 7
`

func TestSetAndUnset(t *testing.T) {
	tree := mustParse(t, radio)
	s := tree.Settings()
	names := []string{"NET", "SSID", "PORT", "MODE_A", "MODE_B", "PRO", "FAST", "GAIN"}
	for _, tt := range []struct {
		option string
		v      Value
		want   string
	}{
		{"", Value{}, "NET=n* SSID=* PORT=80* MODE_A=n* MODE_B=y* PRO=n* FAST=n* GAIN=0.5*"},
		{"PORT", Int(9000), "NET=n* SSID=* PORT=80 MODE_A=n* MODE_B=y* PRO=n* FAST=n* GAIN=0.5*"},
		{"NET", Bool(true), "NET=y SSID=bench* PORT=9000 MODE_A=n* MODE_B=y* PRO=n* FAST=n* GAIN=0.5*"},
		{"SSID", String(`lab "5"`), `NET=y SSID=lab "5" PORT=9000 MODE_A=n* MODE_B=y* PRO=n* FAST=n* GAIN=0.5*`},
		{"GAIN", Int(1), `NET=y SSID=lab "5" PORT=9000 MODE_A=n* MODE_B=y* PRO=n* FAST=n* GAIN=1.0`},
		{"MODE_A", Bool(true), `NET=y SSID=lab "5" PORT=9000 MODE_A=y MODE_B=n PRO=y* FAST=y* GAIN=2.0*`},
		{"FAST", Bool(false), `NET=y SSID=lab "5" PORT=9000 MODE_A=y MODE_B=n PRO=y* FAST=y GAIN=2.0*`},
		{"NET", Bool(false), `NET=n SSID= PORT=80 MODE_A=y MODE_B=n PRO=y* FAST=y GAIN=2.0*`},
	} {
		if tt.option != "" {
			if err := s.Set(tt.option, tt.v); err != nil {
				t.Fatal(err)
			}
		}
		if got := values(s, names...); got != tt.want {
			t.Errorf("after %s: %s\nwant %s", tt.option, got, tt.want)
		}
	}
	pro, fast, gain := tree.Symbol("PRO"), tree.Symbol("FAST"), tree.Symbol("GAIN")
	if !s.Forced(fast) || !s.Forced(gain) || s.Forced(pro) || s.SetBy(gain) != pro || len(s.SelectedBy(fast)) != 1 || s.SetBy(fast) != nil {
		t.Error("PRO must force FAST and GAIN")
	}
	before, copied := values(s, names...), s.Clone()
	copied.Unset(tree.Symbols...)
	if got, want := values(copied, names...), "NET=n* SSID=* PORT=80* MODE_A=n* MODE_B=y* PRO=n* FAST=n* GAIN=0.5*"; got != want {
		t.Errorf("all unset: %s, want %s", got, want)
	}
	if after := values(s, names...); after != before {
		t.Errorf("a copy changed the original: %s, was %s", after, before)
	}
	s.Reset()
	if _, _, ok := s.User(tree.Symbol("PORT")); ok || s.Value(tree.Symbol("PORT")) != Int(80) {
		t.Error("PORT is not as at first after Reset")
	}
	if low, high, ok := s.Range(tree.Symbol("PORT")); !ok || low != Int(1) || high != Int(100) {
		t.Errorf("range of PORT: %v to %v, %v", low, high, ok)
	}
	if m := s.Selection(tree.Choices[0]); m.Name != "MODE_B" {
		t.Errorf("selection %v", m)
	}
}

func TestSettingsRefuse(t *testing.T) {
	s := mustParse(t, radio+"config NONE\n prompt \"x\"\n").Settings()
	for _, tt := range []struct {
		option string
		v      Value
		want   string
	}{
		{"NOPE", Int(1), "there is no option NOPE"},
		{"NET", Int(1), "option NET: y or n is wanted"},
		{"NET", String("y"), "option NET: y or n is wanted"},
		{"SSID", Int(1), "option SSID: a string is wanted"},
		{"PORT", Hex(1), "option PORT: a decimal number is wanted"},
		{"PORT", String("1"), "option PORT: a decimal number is wanted"},
		{"SLOT", Value{TypeBare, "-1"}, "option SLOT: a hexadecimal number is wanted"},
		{"GAIN", Value{TypeBare, "inf"}, "option GAIN: a number is wanted"},
		{"NONE", Int(1), "option NONE: nothing is wanted"},
	} {
		if err := s.Set(tt.option, tt.v); err == nil || err.Error() != tt.want {
			t.Errorf("%s %v: %v, want %s", tt.option, tt.v, err, tt.want)
		}
	}
	if c := s.Check(); len(c) > 0 {
		t.Errorf("something was set: %v", c)
	}
}

// Values in vain are named, each with its reason and without itself.
func TestCheck(t *testing.T) {
	for _, tt := range []struct{ file, want string }{
		{"CONFIG_NET=y\nCONFIG_SSID=\"secret\"", ""},
		{`CONFIG_SSID="secret"`, "sdkconfig:1: SSID: hidden, because NET does not hold"},
		{"CONFIG_PORT=9000", "sdkconfig:1: PORT: outside the range 1 to 100"},
		{"CONFIG_PORT=80", ""},
		{"CONFIG_HIDDEN=8", "sdkconfig:1: HIDDEN: nobody can choose it: it has no prompt"},
		{"CONFIG_MODE_C=y", "sdkconfig:1: MODE_C: hidden, because NET does not hold"},
		{"# CONFIG_MODE_B is not set", "sdkconfig:1: MODE_B: it is the selection of <choice MODE>: set another member to y instead"},
		{"CONFIG_MODE_B=y\nCONFIG_MODE_A=y\nCONFIG_MODE_B=n", ""},
		{"CONFIG_PRO=y\nCONFIG_FAST=n\nCONFIG_GAIN=1", "sdkconfig:2: FAST: selected by PRO\nsdkconfig:3: GAIN: set by PRO"},
	} {
		s := mustParse(t, radio).Settings()
		loadText(t, s, tt.file, nil)
		var got []string
		for _, c := range s.Check() {
			got = append(got, c.Error())
		}
		if strings.Join(got, "\n") != tt.want {
			t.Errorf("%q: %q, want %q", tt.file, got, tt.want)
		}
	}
}

func TestLoadNotes(t *testing.T) {
	tree, err := Parse(Source{Files: fstest.MapFS{"Kconfig": {Data: []byte(radio)}, "names": {Data: []byte("CONFIG_OLD_NET !CONFIG_NET\nCONFIG_LOST CONFIG_GONE\n")}},
		Root: "Kconfig", OldNames: []string{"names"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ file, want, net string }{
		{"CONFIG_NOPE=1", "sdkconfig:1:1: there is no option NOPE: CONFIG_NOPE=…", "NET=n*"},
		{"CONFIG_LOST=1", "sdkconfig:1:1: there is no option LOST: CONFIG_LOST=…", "NET=n*"},
		{"CONFIG_NET=maybe", "sdkconfig:1:1: y or n is wanted: CONFIG_NET=…", "NET=n*"},
		{"CONFIG_SSID=bare", "sdkconfig:1:1: a string is wanted: CONFIG_SSID=…", "NET=n*"},
		{"# CONFIG_SSID is not set", "", "NET=n*"},
		{"CONFIG_NET=n\nCONFIG_NET=y", "sdkconfig:2:1: assigned for the second time: the last line counts: CONFIG_NET=…", "NET=y"},
		{"CONFIG_MODE_A=y\nCONFIG_MODE_B=y", "sdkconfig:2:1: MODE_A of <choice MODE> is y too: the last one counts: CONFIG_MODE_B=…", "NET=n*"},
		{"CONFIG_OLD_NET=n", "sdkconfig:1:1: OLD_NET is now NET: CONFIG_OLD_NET=…", "NET=y"},
		{"# default:\n# CONFIG_OLD_NET is not set", "sdkconfig:2:1: OLD_NET is now NET: # CONFIG_OLD_NET is not set", "NET=y"},
	} {
		s := tree.Settings()
		var got []string
		for _, e := range loadText(t, s, tt.file, nil) {
			got = append(got, e.Error())
		}
		if strings.Join(got, "\n") != tt.want || values(s, "NET") != tt.net {
			t.Errorf("%q: %q and %s, want %q and %s", tt.file, got, values(s, "NET"), tt.want, tt.net)
		}
	}
}

// A policy hears of every marked value that is no longer the default, after
// those that it depends on, and decides.
func TestPolicies(t *testing.T) {
	const file = "# default:\nCONFIG_NET=y\n# default:\nCONFIG_SSID=\"old\"\n# default:\nCONFIG_PORT=80\n# default:\nCONFIG_MODE_A=y\n# default:\n# CONFIG_MODE_B is not set\n"
	for _, tt := range []struct {
		name    string
		outcome Outcome
		heard   string
		want    string
	}{
		{"keep the marked", KeepMarked, "NET n y, SSID bench old, <choice MODE> MODE_B MODE_A", "NET=y* SSID=old* PORT=80* MODE_A=y* MODE_B=n* PRO=y*"},
		{"keep Kconfig's", KeepKconfig, "NET n y, <choice MODE> MODE_B MODE_A", "NET=n* SSID=* PORT=80* MODE_A=n* MODE_B=y* PRO=n*"},
		{"choose the marked", ChooseMarked, "NET n y, SSID bench old, <choice MODE> MODE_B MODE_A", "NET=y SSID=old PORT=80* MODE_A=y MODE_B=n PRO=y*"},
		{"choose Kconfig's", ChooseKconfig, "NET n y, <choice MODE> MODE_B MODE_A", "NET=n SSID=* PORT=80* MODE_A=n MODE_B=y PRO=n*"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := mustParse(t, radio).Settings()
			var heard []string
			loadText(t, s, file, func(m Mismatch) Outcome {
				about := fmt.Sprint(m.Symbol)
				if m.Choice != nil {
					about = m.Choice.String()
				}
				heard = append(heard, about+" "+m.Kconfig+" "+m.Marked)
				return tt.outcome
			})
			if got := strings.Join(heard, ", "); got != tt.heard {
				t.Errorf("heard %s, want %s", got, tt.heard)
			}
			if got := values(s, "NET", "SSID", "PORT", "MODE_A", "MODE_B", "PRO"); got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
}

// The order of a file is not the order of what depends on what.
func TestMarkedOutOfOrder(t *testing.T) {
	tree := mustParse(t, "config LAST\n int \"l\"\n default 1 if FIRST = 1\n default 2\nconfig FIRST\n int \"f\"\n default 1\n")
	s := tree.Settings()
	heard := 0
	loadText(t, s, "# default:\nCONFIG_LAST=2\n# default:\nCONFIG_FIRST=9\n", func(m Mismatch) Outcome {
		heard++
		return KeepMarked
	})
	if got := values(s, "LAST", "FIRST"); got != "LAST=2* FIRST=9*" || heard != 1 {
		t.Errorf("%s after %d mismatches, want one: FIRST explains LAST", got, heard)
	}
}

// A choice in which somebody chose makes all marks of its members void.
func TestMarkedMemberOfAChosenChoice(t *testing.T) {
	s := mustParse(t, radio).Settings()
	loadText(t, s, "CONFIG_MODE_A=y\n# default:\n# CONFIG_MODE_B is not set\n", nil)
	if _, _, ok := s.User(s.Tree().Symbol("MODE_B")); !ok {
		t.Error("MODE_B is still a default")
	}
}

func TestDefaultsFiles(t *testing.T) {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	src := Source{Files: fstest.MapFS{"p/a": file("  CONFIG_X=1"), "p/a.esp32": file("CONFIG_X=2"), "p/b": file("CONFIG_X="), "p/c.esp32": file("")}, Dir: "p"}
	list, err := src.Defaults([]string{"a", "b"}, "esp32")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range list {
		v, _ := c.Get("X")
		got = append(got, v.Text)
	}
	if strings.Join(got, " ") != "1 2 n" {
		t.Errorf("defaults %q, want a, a.esp32, b", got)
	}
	if _, err := src.Defaults([]string{"c"}, "esp32"); err == nil || !strings.Contains(err.Error(), "open p/c: file does not exist") {
		t.Errorf("a missing file: %v", err)
	}
}

// Sections that hold nothing have no label in a minimal file.
func TestMinimalLabels(t *testing.T) {
	tree := mustParse(t, "menu \"Empty\"\nendmenu\nmenu \"Full\"\nmenu \"Inner\"\nconfig A\n bool \"a\"\nendmenu\nendmenu\nconfig B\n int \"b\"\n")
	s := tree.Settings()
	loadText(t, s, "CONFIG_A=y\nCONFIG_B=1", nil)
	_, got, _ := strings.Cut(string(s.Minimal(true)), "#\n\n")
	want := "#\n# Full\n#\n\n#\n# Inner\n#\nCONFIG_A=y\n# end of Inner\n# end of Full\n\nCONFIG_B=1\n"
	if got != want {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

func TestMissing(t *testing.T) {
	tree := mustParse(t, "menu \"M\"\n depends on A || B\n visible if C\nconfig X\n int \"x\" if D = 3\n depends on A && !E\nendmenu\nconfig E\n bool\n default y\n")
	s, n := tree.Settings(), tree.Symbol("X").Nodes[0]
	if got, want := fmt.Sprint(s.Missing(n)), "[D = 3 C A !E A || B]"; got != want {
		t.Errorf("missing %s, want %s: what is wrong", got, want)
	}
	if got, want := n.DependsOn().String(), "A && !E && (A || B)"; got != want {
		t.Errorf("depends on %s, want %s", got, want)
	}
}
