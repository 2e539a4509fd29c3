package menuconfig

import (
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"

	"github.com/tcpboot/tcpboot/menuconfig/kconfig"
)

// A desk is a menu with somebody at its keys, and files in memory.
type desk struct {
	t     testing.TB
	model Model
	files map[string][]byte
	quit  bool
}

// fixture is the tree in testdata.
func fixture(t testing.TB) *kconfig.Tree {
	t.Helper()
	return treeIn(t, "testdata", "Kconfig")
}

func treeIn(t testing.TB, dir, root string) *kconfig.Tree {
	t.Helper()
	tree, err := kconfig.Parse(kconfig.Source{Files: os.DirFS(dir), Root: root})
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// sit opens the menu on a tree, with an sdkconfig that holds some lines.
func sit(t testing.TB, tree *kconfig.Tree, lines string) *desk {
	t.Helper()
	d := &desk{t: t, files: map[string][]byte{}}
	settings := tree.Settings()
	if lines != "" {
		c, err := kconfig.Read("sdkconfig", []byte(lines))
		if err != nil {
			t.Fatal(err)
		}
		settings.Load(c, nil)
		d.files["sdkconfig"] = settings.Sdkconfig()
	}
	d.model = New(Session{Settings: settings, File: "sdkconfig", Saved: d.files["sdkconfig"], Load: d.load, Save: d.save})
	return d
}

func (d *desk) load(file string) ([]byte, error) {
	data, ok := d.files[file]
	if !ok {
		return nil, fmt.Errorf("open %s: %w", file, fs.ErrNotExist)
	}
	return data, nil
}

func (d *desk) save(file string, data []byte) error {
	if strings.HasPrefix(file, "/full/") {
		return fmt.Errorf("write %s: no space left on device", file)
	}
	d.files[file] = slices.Clone(data)
	return nil
}

// tell hands a message to the menu, and what comes back of that too.
func (d *desk) tell(msg tea.Msg) {
	for msg != nil {
		if _, ok := msg.(tea.QuitMsg); ok {
			d.quit = true
			return
		}
		next, cmd := d.model.Update(msg)
		d.model = next.(Model)
		if msg = nil; cmd != nil {
			msg = cmd()
		}
	}
}

// codes are the keys that are no characters.
var codes = map[string]rune{
	"up": tea.KeyUp, "down": tea.KeyDown, "left": tea.KeyLeft, "right": tea.KeyRight, "home": tea.KeyHome, "end": tea.KeyEnd,
	"pgup": tea.KeyPgUp, "pgdown": tea.KeyPgDown, "enter": tea.KeyEnter, "esc": tea.KeyEscape, "tab": tea.KeyTab,
	"backspace": tea.KeyBackspace, "delete": tea.KeyDelete, "f1": tea.KeyF1,
}

// press presses keys: names like "enter", "ctrl+u", "space", "wheel-down",
// "click:4,7", and anything else is typed.
func (d *desk) press(keys string) *desk {
	for _, k := range strings.Fields(keys) {
		d.pressOne(k)
	}
	return d
}

func (d *desk) pressOne(k string) {
	code, named := codes[k]
	letter, ctrl := strings.CutPrefix(k, "ctrl+")
	place, click := strings.CutPrefix(k, "click:")
	switch {
	case named:
		d.tell(tea.KeyPressMsg{Code: code})
	case k == "shift+tab":
		d.tell(tea.KeyPressMsg{Code: tea.KeyTab, Mod: tea.ModShift})
	case k == "space":
		d.tell(tea.KeyPressMsg{Code: tea.KeySpace, Text: " "})
	case ctrl && len(letter) == 1:
		d.tell(tea.KeyPressMsg{Code: rune(letter[0]), Mod: tea.ModCtrl})
	case k == "wheel-up":
		d.tell(tea.MouseWheelMsg{Button: tea.MouseWheelUp})
	case k == "wheel-down":
		d.tell(tea.MouseWheelMsg{Button: tea.MouseWheelDown})
	case click:
		x, y, _ := strings.Cut(place, ",")
		d.click(atoi(d.t, x), atoi(d.t, y))
	default:
		for _, r := range k {
			d.tell(tea.KeyPressMsg{Code: r, Text: string(r)})
		}
	}
}

func (d *desk) click(x, y int) { d.tell(tea.MouseClickMsg{X: x, Y: y, Button: tea.MouseLeft}) }

func atoi(t testing.TB, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// screen is what the terminal shows, without its colours.
func (d *desk) screen() string {
	var b strings.Builder
	for _, l := range d.model.lines() {
		b.WriteString(strings.TrimRight(l.String(), " ") + "\n")
	}
	return b.String()
}

// has fails the test unless the screen shows something.
func (d *desk) has(want string) {
	d.t.Helper()
	if !strings.Contains(d.screen(), want) {
		d.t.Errorf("%q is not on the screen:\n%s", want, d.screen())
	}
}

// value is an option's value as the file would have it.
func (d *desk) value(name string) string {
	d.t.Helper()
	return d.model.now.Value(d.model.now.Tree().Symbol(name)).String()
}
