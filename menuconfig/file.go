package menuconfig

import tea "charm.land/bubbletea/v2"

// A fileDialog asks for the name of a file.
type fileDialog struct {
	title  string
	field  field
	option string // a box to be ticked, if it has a text
	ticked bool
	does   func(m Model, file string, ticked bool) (Model, tea.Cmd)
}

func saveAsDialog(m Model) screen {
	return fileDialog{title: "Save as", field: fieldOf(m.session.File), does: func(m Model, file string, _ bool) (Model, tea.Cmd) {
		return m.unlessThere(file, func(m Model) (Model, tea.Cmd) { return m.saveAs(file, false) })
	}}
}

func minimalDialog(Model) screen {
	return fileDialog{title: "Save what differs from the defaults", field: fieldOf("sdkconfig.defaults"), option: "a heading for each menu",
		does: func(m Model, file string, labels bool) (Model, tea.Cmd) {
			return m.unlessThere(file, func(m Model) (Model, tea.Cmd) { return m.saveMinimal(file, labels) })
		}}
}

func loadDialog(m Model) screen {
	return fileDialog{title: "Load on top of the present values", field: fieldOf(m.session.File), does: func(m Model, file string, _ bool) (Model, tea.Cmd) {
		load := m.session.Load
		return m, func() tea.Msg {
			data, err := load(file)
			return loadedMsg{file, data, err}
		}
	}}
}

func (d fileDialog) below(Model) int { return 2 + len(d.boxes()) }

// boxes is the line with the box, if there is one.
func (d fileDialog) boxes() []line {
	if d.option == "" {
		return nil
	}
	l := lineOf(span{text: " "}, span{pick(d.ticked, "[*]", "[ ]"), pick(d.ticked, lookOn, lookOff), pressing("tab")}, span{" " + d.option, lookText, pressing("tab")})
	return []line{l}
}

func (d fileDialog) hints() []hint {
	hints := []hint{{"enter", "do it"}, {"esc", "cancel"}, {"ctrl+u", "clear"}}
	if d.option != "" {
		hints = append(hints, hint{"tab", "tick the box"})
	}
	return hints
}

func (d fileDialog) draw(m Model, h int) []line {
	name := d.field.draw(max(m.width-4, 1))
	name.spans = append([]span{{text: " " + m.glyphs().cursor + " ", look: lookKey}}, name.spans...)
	lines := append([]line{text(lookHead, " "+d.title), name}, d.boxes()...)
	return lines[pick(h < 2, 1, 0):]
}

func (d fileDialog) press(m Model, k key) (Model, tea.Cmd) {
	switch {
	case k.name == "esc" || k.name == "ctrl+c":
		return m.close(), nil
	case k.name == "enter" && d.field.String() != "":
		return d.does(m.close(), d.field.String(), d.ticked)
	case k.name == "tab" && d.option != "":
		d.ticked = !d.ticked
		return m.replace(d), nil
	}
	if f, ok := d.field.press(k); ok {
		d.field = f
		return m.replace(d), nil
	}
	return m, nil
}
