package menuconfig

import (
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"

	"github.com/tcpboot/tcpboot/menuconfig/kconfig"
)

// A Model is the menu as it stands: a value. What a key does is another Model,
// and what is on the screen is drawn from it alone.
type Model struct {
	session Session
	now     *kconfig.Settings // never changed: a change is another one
	saved   *kconfig.Settings // what the file has
	history
	changes []change // of now against saved

	changed   map[*kconfig.Symbol]bool // those in changes
	conflicts map[*kconfig.Symbol]*kconfig.Conflict

	at   place
	been []place  // where jumps came from
	over []screen // what lies on the menu, the topmost last

	all   bool // hidden entries too
	names bool
	help  bool // the help text of the row, below
	asked []*kconfig.Symbol

	message  string
	alerting bool
	style    string
	ascii    bool
	terminal terminal
	width    int
	height   int
}

// A key is what was pressed: the name that bubbletea has for it, and what it
// types.
type key struct{ name, text string }

// A screen is what lies on the menu and has the keys as long as it does.
type screen interface {
	press(m Model, k key) (Model, tea.Cmd)
	// draw returns at most h lines.
	draw(m Model, h int) []line
	// below says that the screen wants that many lines below the menu, which
	// stays; 0 is all of it.
	below(m Model) int
	hints() []hint
}

// A hint is a key and what it does; clicking it is pressing it.
type hint struct{ key, does string }

// An Option changes how a Model looks.
type Option func(*Model)

// Style takes the look from what MENUCONFIG_STYLE holds, where a word of Themes
// is known.
func Style(style string) Option { return func(m *Model) { m.style = styled(style) } }

// ASCII draws with the characters that every terminal has.
func ASCII() Option { return func(m *Model) { m.ascii = true } }

// New returns the menu at its top. It draws itself for 80 columns and 24 lines
// until it is told of others.
func New(s Session, options ...Option) Model {
	m := Model{session: s, now: s.Settings.Clone(), style: auto, terminal: terminal{colours: true}, width: unsizedWidth, height: unsizedHeight}
	m.saved = m.now
	m.at.menu = m.now.Tree().Root
	for _, o := range options {
		o(&m)
	}
	if n := len(s.Odd); n > 0 {
		m = m.alert(counted(n, "line") + " of the files had no effect; e lists " + pick(n == 1, "it", "them"))
	}
	return m.settle().count()
}

// Init asks the terminal for its background.
func (m Model) Init() tea.Cmd { return tea.RequestBackgroundColor }

// Update is tea.Model's: a message in, another Model out.
func (m Model) Update(msg tea.Msg) (tea.Model, tea.Cmd) { return m.update(msg) }

func (m Model) update(msg tea.Msg) (Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
		return m.settle(), nil
	case tea.BackgroundColorMsg:
		m.terminal.answered, m.terminal.light = true, !msg.IsDark()
	case tea.ColorProfileMsg:
		m.terminal.colours = msg.Profile >= colorprofile.ANSI256
	case tea.KeyPressMsg:
		return m.press(pressed(msg))
	case tea.PasteMsg:
		return m.press(key{"paste", msg.Content})
	case tea.MouseClickMsg:
		return m.click(tea.Mouse(msg))
	case tea.MouseWheelMsg:
		return m.wheel(tea.Mouse(msg))
	case loadedMsg:
		return m.afterLoad(msg), nil
	case savedMsg:
		return m.afterSave(msg)
	case foundMsg:
		return m.found(msg)
	}
	return m, nil
}

// pressed names a key. What was typed before we had the terminal comes with line
// feeds for Enter, and some terminals send Ctrl-H for Backspace.
func pressed(msg tea.KeyPressMsg) key {
	switch name := msg.String(); name {
	case "ctrl+j":
		return key{name: "enter"}
	case "ctrl+h":
		return key{name: "backspace"}
	default:
		return key{name, msg.Text}
	}
}

// press hands a key to what lies on top.
func (m Model) press(k key) (Model, tea.Cmd) {
	m.message = ""
	switch {
	case k.name == "ctrl+z":
		return m, tea.Suspend
	case len(m.over) > 0:
		return m.top().press(m, k)
	}
	return m.pressMenu(k)
}

// pressing is the action of a key.
func pressing(name string) action {
	return func(m Model) (Model, tea.Cmd) { return m.press(keyNamed(name)) }
}

// keyNamed is the key of that name, as if it had been pressed.
func keyNamed(name string) key {
	switch {
	case name == "space":
		return key{name, " "}
	case len(name) == 1:
		return key{name, name}
	}
	return key{name, ""}
}

// click does what is drawn at that place. The right button goes back.
func (m Model) click(at tea.Mouse) (Model, tea.Cmd) {
	if at.Button == tea.MouseRight || at.Button == tea.MouseBackward {
		return m.press(keyNamed("esc"))
	}
	lines := m.lines()
	if at.Button != tea.MouseLeft || at.Y < 0 || at.Y >= len(lines) {
		return m, nil
	}
	if does := lines[at.Y].at(at.X); does != nil {
		m.message = ""
		return does(m)
	}
	return m, nil
}

// wheel is three presses of an arrow.
func (m Model) wheel(at tea.Mouse) (Model, tea.Cmd) {
	name, ok := map[tea.MouseButton]string{tea.MouseWheelUp: "up", tea.MouseWheelDown: "down"}[at.Button]
	if !ok {
		return m, nil
	}
	for range 3 {
		m, _ = m.press(keyNamed(name))
	}
	return m, nil
}

func (m Model) top() screen { return m.over[len(m.over)-1] }

// open puts a screen on top.
func (m Model) open(s screen) Model {
	m.over = append(slices.Clip(m.over), s)
	return m
}

// close takes the topmost screen away.
func (m Model) close() Model {
	m.over = m.over[:len(m.over)-1]
	return m
}

// closeAll goes back to the menu.
func (m Model) closeAll() Model {
	m.over = nil
	return m
}

// replace puts another in place of the topmost screen.
func (m Model) replace(s screen) Model { return m.close().open(s) }

// tell shows a message until the next key.
func (m Model) tell(s string) Model {
	m.message, m.alerting = s, false
	return m
}

// alert tells why something was not done.
func (m Model) alert(s string) Model {
	m.message, m.alerting = s, true
	return m
}

func (m Model) glyphs() glyphs {
	if m.ascii {
		return asciiGlyphs
	}
	return unicodeGlyphs
}

// View is tea.Model's.
func (m Model) View() tea.View {
	theme := m.terminal.theme(m.style)
	var b strings.Builder
	for i, l := range m.lines() {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(theme.render(l, m.width))
	}
	v := tea.NewView(b.String())
	v.AltScreen, v.MouseMode = true, tea.MouseModeCellMotion
	v.WindowTitle = m.title()
	return v
}
