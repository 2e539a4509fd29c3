package menuconfig

import (
	"bytes"
	"path"
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/tcpboot/tcpboot/menuconfig/kconfig"
)

// A Session is what the menu is opened on. It reads and writes nothing itself:
// files come from Load and go to Save, which decide where a name leads.
type Session struct {
	Settings *kconfig.Settings // as the files have it; the menu changes a copy
	File     string            // what saving writes
	Saved    []byte            // what File holds; nil when there is none
	Odd      []*kconfig.Error  // lines of the files that had no effect
	Load     func(file string) ([]byte, error)
	Save     func(file string, data []byte) error // all of it or nothing

	// Render makes what File holds of the settings. nil is the sdkconfig file.
	Render func(*kconfig.Settings) ([]byte, error)
	// Reread returns settings as they are once they were saved and all files were
	// read again: what is no longer chosen in File may be in a file below it. nil
	// when there is none.
	Reread func(*kconfig.Settings) (*kconfig.Settings, error)
	// Origin names the place where a value was chosen: "site". nil says file and
	// line.
	Origin func(kconfig.Origin) string
	// Secret says whose values are not to be shown. nil shows all.
	Secret func(name string) bool
	// Barred says why an option is not to be chosen here, or nothing. nil bars none.
	Barred func(name string) string
}

func (s Session) render(settings *kconfig.Settings) ([]byte, error) {
	if s.Render == nil {
		return settings.Sdkconfig(), nil
	}
	return s.Render(settings)
}

func (s Session) secret(sym *kconfig.Symbol) bool { return s.Secret != nil && s.Secret(sym.Name) }

func (s Session) reread(settings *kconfig.Settings) (*kconfig.Settings, error) {
	if s.Reread == nil {
		return settings, nil
	}
	return s.Reread(settings)
}

// What Load and Save have to say.
type (
	loadedMsg struct {
		file string
		data []byte
		err  error
	}
	savedMsg struct {
		file     string
		data     []byte
		settings *kconfig.Settings // of File; nil for any other
		err      error
		quit     bool
	}
	// foundMsg says whether there is a file that saving would replace.
	foundMsg struct {
		exists bool
		file   string
		save   action
	}
)

// save writes the settings to the session's file.
func (m Model) save(quit bool) (Model, tea.Cmd) { return m.saveAs(m.session.File, quit) }

// saveAs writes the settings to a file, with which the menu goes on.
func (m Model) saveAs(file string, quit bool) (Model, tea.Cmd) {
	data, err := m.session.render(m.now)
	if err != nil {
		return m.alert("not saved: " + err.Error()), nil
	}
	settings, save := m.now, m.session.Save
	return m, func() tea.Msg { return savedMsg{file, data, settings, save(file, data), quit} }
}

// saveMinimal writes what differs from the defaults.
func (m Model) saveMinimal(file string, labels bool) (Model, tea.Cmd) {
	data, save := m.now.Minimal(labels), m.session.Save
	return m, func() tea.Msg { return savedMsg{file, data, nil, save(file, data), false} }
}

// unlessThere saves, after a question when file is there.
func (m Model) unlessThere(file string, save action) (Model, tea.Cmd) {
	if file == m.session.File {
		return save(m)
	}
	load := m.session.Load
	return m, func() tea.Msg {
		_, err := load(file)
		return foundMsg{err == nil, file, save}
	}
}

func (m Model) found(f foundMsg) (Model, tea.Cmd) {
	if !f.exists {
		return f.save(m)
	}
	return m.open(askYesNo([]string{f.file + " is there. Replace it?"}, f.save)), nil
}

func (m Model) afterSave(r savedMsg) (Model, tea.Cmd) {
	if r.err != nil {
		return m.alert("not saved: " + r.err.Error()), nil
	}
	m = m.tell("saved " + r.file)
	if r.settings != nil {
		m.session.File, m.session.Saved, m.saved = r.file, r.data, r.settings
		m = m.count()
	}
	if r.quit {
		return m, tea.Quit
	}
	return m, nil
}

// afterLoad puts a file on top of the settings. That can be undone.
func (m Model) afterLoad(r loadedMsg) Model {
	if r.err != nil {
		return m.alert("not loaded: " + r.err.Error())
	}
	read := kconfig.Read
	if strings.Contains(path.Base(r.file), "defaults") {
		read = kconfig.ReadDefaults
	}
	c, err := read(r.file, r.data)
	if err != nil {
		return m.alert("not loaded: " + err.Error())
	}
	next := m.now.Clone()
	odd := append(c.Problems(), next.Load(c, nil)...)
	m = m.become(next, "loaded "+r.file)
	if len(odd) > 0 {
		m.session.Odd = odd
		return m.open(oddities(odd))
	}
	return m
}

// oddities is the report on lines of files that had no effect.
func oddities(odd []*kconfig.Error) screen {
	p := page{title: "These lines of the files that were read had no effect"}
	if len(odd) == 0 {
		p.title = "All lines of the files that were read had an effect"
	}
	for _, e := range odd {
		p.lines = append(p.lines, e.Error())
	}
	return p
}

// unsaved reports whether the file would change by saving.
func (m Model) unsaved() bool {
	data, err := m.session.render(m.now)
	return err != nil || m.session.Saved == nil || !bytes.Equal(data, m.session.Saved)
}
