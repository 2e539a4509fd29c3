package kconfig

import (
	"fmt"
	"testing"
)

// Each value says what gave it.
func TestWhy(t *testing.T) {
	tree := mustParse(t, radio+`
config LATE
    bool "late"
    select NET
config HIDDEN
    int "hidden"
    depends on LATE
    default 3
`)
	s := tree.Settings()
	loadText(t, s, "CONFIG_SSID=\"x\"\nCONFIG_PORT=70000\nCONFIG_HIDDEN=4\nCONFIG_MODE_A=y\nCONFIG_LATE=n\n", nil)
	why := func(name string) string {
		reason, at, by := s.Why(tree.Symbol(name))
		text := fmt.Sprintf("%d %d", reason, at.Line)
		if by != nil {
			text += " " + by.Name
		}
		return text
	}
	check := func(want map[string]string) {
		t.Helper()
		for name, want := range want {
			if got := why(name); got != want {
				t.Errorf("%s: %s, want %s", name, got, want)
			}
		}
	}
	check(map[string]string{"NET": "0 0", "SSID": "0 0", "PORT": "0 0", "HIDDEN": "0 0", "MODE_A": "1 4", "MODE_B": "1 4", "PRO": "0 0", "FAST": "2 0 PRO", "SLOT": "0 0"})
	if err := s.Set("LATE", Bool(true)); err != nil {
		t.Fatal(err)
	}
	check(map[string]string{"NET": "2 0 LATE", "SSID": "1 1", "HIDDEN": "1 3", "LATE": "1 0", "GAIN": "3 0 PRO"})
	s.Unset(tree.Symbol("MODE_A"))
	check(map[string]string{"MODE_A": "0 0", "MODE_B": "0 0", "FAST": "0 0", "GAIN": "0 0"})
}

// What is odd says what it means for the values.
func TestOddKinds(t *testing.T) {
	s := mustParse(t, radio).Settings()
	odd := loadText(t, s, "CONFIG_NONE=1\nCONFIG_PORT=x\nCONFIG_NET=y\nCONFIG_NET=n\n", nil)
	if len(odd) != 3 || odd[0].Kind != Unknown || odd[1].Kind != Broken || odd[2].Kind != Harmless {
		t.Errorf("%v", odd)
	}
}

// In place of a choice stands what keeps it from being shown.
func TestMissingOfAMember(t *testing.T) {
	s := mustParse(t, "config NET\n    bool \"n\"\nconfig KEY\n    bool \"k\"\nchoice C\n    prompt \"c\" if KEY\n    depends on NET\n    config M\n        bool \"m\"\nendchoice\n").Settings()
	if got := fmt.Sprint(s.Missing(s.Tree().Symbol("M").Nodes[0])); got != "[KEY NET]" {
		t.Errorf("missing %s", got)
	}
}
