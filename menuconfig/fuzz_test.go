package menuconfig

import (
	"slices"
	"strings"
	"testing"
	"unicode"

	tea "charm.land/bubbletea/v2"

	"github.com/tcpboot/tcpboot/menuconfig/kconfig"
)

// some are keys that a fuzzer presses, those that lead somewhere more often.
var some = strings.Fields("up down down left right home end pgup pgdown enter enter enter esc tab shift+tab backspace delete f1 " +
	"space space y n h j k l g G a c f r s o d / ? p q t u u U v w b e S i 0 1 9 x \" \\ = ctrl+u ctrl+r ctrl+c ctrl+f ctrl+k ctrl+w " +
	"wheel-up wheel-down net .* secure é 世")

// Whatever is pressed and clicked, on whatever screen: nothing panics, all lines
// fit, no line has a character that a terminal obeys, no model changes behind
// its own back, and what would be written reads back as it is.
func FuzzKeys(f *testing.F) {
	tree := fixture(f)
	f.Add([]byte{}, uint8(80), uint8(24))
	f.Add([]byte("\x0a\x13\x00\x01\x02\x40\x41\x42 the quick brown fox"), uint8(3), uint8(2))
	f.Add([]byte("jumps over the lazy dog, \x0a\x0a\x0a\xff\xf0\xf1\x80\x85"), uint8(0), uint8(0))
	f.Fuzz(func(t *testing.T, presses []byte, w, h uint8) {
		d := sit(t, tree, "CONFIG_NET_PORT=9000\nCONFIG_NET_GAIN=99.0\n")
		d.tell(tea.WindowSizeMsg{Width: int(w), Height: int(h)})
		for i, b := range presses[:min(len(presses), 200)] {
			before, drawn := d.model, d.screen()
			if b < 0xe0 {
				d.pressOne(some[int(b)%len(some)])
			} else {
				d.click(int(b)*7%(int(w)+1), (int(b)+i)%(int(h)+1))
			}
			checkScreen(t, d.model)
			if now := (&desk{model: before}).screen(); now != drawn {
				t.Fatalf("a model changed while another was made of it:\n%s\n%s", drawn, now)
			}
		}
		checkReadsBack(t, tree, d.model.now)
		for file, data := range d.files {
			if c, err := kconfig.Read(file, data); err != nil || len(c.Problems()) > 0 {
				t.Fatalf("%s was written and cannot be read: %v %v\n%s", file, err, c.Problems(), data)
			}
		}
	})
}

func checkScreen(t *testing.T, m Model) {
	t.Helper()
	lines := m.lines()
	if len(lines) > m.height {
		t.Fatalf("%d lines on a screen of %d", len(lines), m.height)
	}
	for _, l := range lines {
		if l.width() > m.width {
			t.Fatalf("a line of %d columns on a screen of %d: %q", l.width(), m.width, l)
		}
		if strings.ContainsFunc(l.String(), unicode.IsControl) {
			t.Fatalf("a line holds a control character: %q", l)
		}
	}
	m.View()
}

func checkReadsBack(t *testing.T, tree *kconfig.Tree, s *kconfig.Settings) {
	t.Helper()
	data := s.Sdkconfig()
	c, err := kconfig.Read("sdkconfig", data)
	if err != nil {
		t.Fatal(err)
	}
	again := tree.Settings()
	if odd := again.Load(c, nil); len(odd) > 0 {
		t.Fatalf("%v in\n%s", odd, data)
	}
	if got := again.Sdkconfig(); !slices.Equal(got, data) {
		t.Fatalf("written\n%s\nand read back\n%s", data, got)
	}
}

// What a terminal would obey stays out of the screen, wherever it comes from.
func TestEscapeSequencesAreNotObeyed(t *testing.T) {
	const evil = "\x1b]0;owned\x07\x1b[2J\u202egnorw\u009b31m"
	tree, err := kconfig.Parse(kconfig.Source{Root: "Kconfig", Files: mapFS("mainmenu \"T" + evil + "\"\n" +
		"config A\n string \"P" + evil + "\"\n default \"D" + evil + "\"\n help\n  H" + evil + "\n" +
		"comment \"C" + evil + "\"\nconfig W\n bool \"w\"\n depends on A = \"" + evil + "\"\n warning \"W" + evil + "\"\n")})
	if err != nil {
		t.Fatal(err)
	}
	for _, keys := range []string{"", "f", "?", "enter", "a down ?", "a down down w", "/ p", "v", "enter x enter q"} {
		d := sit(t, tree, "").press(keys)
		checkScreen(t, d.model)
		if s := d.screen() + d.model.View().WindowTitle; strings.ContainsAny(s, "\u202e\x1b\x07\u009b") || !strings.Contains(s, "?") {
			t.Errorf("after %q:\n%q", keys, s)
		}
	}
}
