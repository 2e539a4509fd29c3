package menuconfig

import "github.com/tcpboot/tcpboot/menuconfig/kconfig"

// remembered is how many changes can be undone. Each keeps the settings as they
// were: half a megabyte for a tree of ESP-IDF's size.
const remembered = 100

// A history is what was done, for undoing it and doing it again.
type history struct{ done, undone []moment }

// A moment is the settings as they were before something was done, or was undone.
type moment struct {
	settings *kconfig.Settings
	what     string
}

// become makes other settings the present ones.
func (m Model) become(next *kconfig.Settings, what string) Model {
	m.done = with(m.done, moment{m.now, what})
	m.undone = nil
	m.now = next
	return m.settle().count().tell(what)
}

func (m Model) undo() Model { return m.retrace("undone: ", "nothing to undo") }

// redo is to undo the undoing.
func (m Model) redo() Model {
	m.done, m.undone = m.undone, m.done
	m = m.retrace("done again: ", "nothing to redo")
	m.done, m.undone = m.undone, m.done
	return m
}

// retrace goes back by what was done last.
func (m Model) retrace(did, nothing string) Model {
	if len(m.done) == 0 {
		return m.tell(nothing)
	}
	last := m.done[len(m.done)-1]
	m.undone = with(m.undone, moment{m.now, last.what})
	m.done = m.done[:len(m.done)-1]
	m.now = last.settings
	return m.settle().count().tell(did + last.what)
}

// with is list and one more. It is always a new one: another Model may go on from
// the old.
func with(list []moment, last moment) []moment {
	list = list[max(0, len(list)-remembered+1):]
	return append(list[:len(list):len(list)], last)
}
