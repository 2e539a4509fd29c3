package menuconfig

import "github.com/tcpboot/tcpboot/menuconfig/kconfig"

// A place is where we are: a row of a menu.
type place struct {
	menu *kconfig.Node
	node *kconfig.Node // in the row of the cursor; nil when there is no row
	row  int           // its number
	top  int           // the first row on the screen
}

// A row is an entry as it lies in its menu.
type row struct {
	node   *kconfig.Node
	indent int
	hidden bool // its conditions do not hold: it is there because all are
}

// opens reports whether an entry's children are a menu of their own. Other
// children lie below it, indented.
func opens(n *kconfig.Node) bool {
	return n.Kind == kconfig.KindMenu || n.Kind == kconfig.KindChoice || n.Menuconfig
}

// menuOf is the menu in which an entry has its row.
func menuOf(n *kconfig.Node) *kconfig.Node {
	n = n.Parent
	for n.Parent != nil && !opens(n) {
		n = n.Parent
	}
	return n
}

// rows are those of the present menu.
func (m Model) rows() []row { return m.rowsOf(m.at.menu) }

func (m Model) rowsOf(menu *kconfig.Node) (rows []row) {
	var add func([]*kconfig.Node, int)
	add = func(nodes []*kconfig.Node, indent int) {
		for _, n := range nodes {
			inside := indent
			if shown := m.now.Shown(n); shown || m.all {
				rows = append(rows, row{n, indent, !shown})
				inside++
			}
			if !opens(n) {
				add(n.Children, inside)
			}
		}
	}
	add(menu.Children, 0)
	return rows
}

// empty reports whether a menu has no row.
func (m Model) empty(menu *kconfig.Node) bool {
	for _, n := range menu.Children {
		if m.all || m.now.Shown(n) || !opens(n) && !m.empty(n) {
			return false
		}
	}
	return true
}

// settle keeps the cursor where it was, by its entry or else by its number, when
// the rows may have changed, and on the screen.
func (m Model) settle() Model {
	rows := m.rows()
	at := &m.at
	at.row = max(min(at.row, len(rows)-1), 0)
	for i, r := range rows {
		if r.node == at.node {
			at.row = i
		}
	}
	at.node = nil
	if len(rows) > 0 {
		at.node = rows[at.row].node
	}
	at.top = scrolled(at.top, at.row, len(rows), m.bodyHeight())
	return m
}

// scrolled moves the first of n lines on a screen of h so that line at is on it.
func scrolled(top, at, n, h int) int {
	top = min(top, at, max(n-h, 0))
	return max(top, at-h+1, 0)
}

// move moves the cursor by some rows.
func (m Model) move(by int) Model {
	m.at.row, m.at.node = m.at.row+by, nil
	return m.settle()
}

// enter opens a menu.
func (m Model) enter(menu *kconfig.Node) Model {
	m.at = place{menu: menu}
	if menu.Kind == kconfig.KindChoice {
		m = m.toSelection(menu.Choice)
	}
	return m.settle()
}

// toSelection puts the cursor on what a choice has chosen.
func (m Model) toSelection(c *kconfig.Choice) Model {
	for _, n := range m.at.menu.Children {
		if n.Kind == kconfig.KindSymbol && n.Symbol == m.now.Selection(c) {
			m.at.node = n
		}
	}
	return m
}

// leave goes to the menu around this one.
func (m Model) leave() Model {
	if m.at.menu.Parent == nil {
		return m
	}
	return m.show(m.at.menu)
}

// show puts the cursor on an entry, wherever it is, a third down the screen.
func (m Model) show(n *kconfig.Node) Model {
	m.at = place{menu: menuOf(n), node: n}
	if !m.all && !m.has(n) {
		m.all = true
	}
	m = m.settle()
	m.at.top = m.at.row - m.bodyHeight()/3
	return m.settle()
}

// has reports whether an entry has a row in the present menu.
func (m Model) has(n *kconfig.Node) bool {
	for _, r := range m.rows() {
		if r.node == n {
			return true
		}
	}
	return false
}

// jump goes to an entry, and back knows the way.
func (m Model) jump(n *kconfig.Node) Model {
	m.been = append(m.been[:len(m.been):len(m.been)], m.at)
	return m.closeAll().show(n)
}

// back returns from a jump.
func (m Model) back() Model {
	if len(m.been) == 0 {
		return m.tell("no jump to come back from")
	}
	m.at, m.been = m.been[len(m.been)-1], m.been[:len(m.been)-1]
	return m.settle()
}

// nodeOf is the entry by which a symbol is shown: a visible one, or else the
// first.
func (m Model) nodeOf(sym *kconfig.Symbol) *kconfig.Node {
	for _, n := range sym.Nodes {
		if m.now.Shown(n) {
			return n
		}
	}
	return sym.Nodes[0]
}

// trail is the way from the top to a menu.
func trail(n *kconfig.Node) (menus []*kconfig.Node) {
	for ; n != nil; n = n.Parent {
		if opens(n) {
			menus = append([]*kconfig.Node{n}, menus...)
		}
	}
	return menus
}
