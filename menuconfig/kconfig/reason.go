package kconfig

// A Reason says what gave a symbol its value.
type Reason uint8

// The reasons.
const (
	ByDefault Reason = iota // nobody chose it, or what was chosen has no effect
	Chosen                  // somebody chose it, or another member of its choice
	Selected                // another symbol selects it
	Imposed                 // another symbol sets it
)

// Why returns what gave a symbol its value: where it was chosen, or the symbol
// that selects or sets it.
func (s *Settings) Why(sym *Symbol) (why Reason, at Origin, by *Symbol) {
	if sym.member() {
		return s.whyMember(sym)
	}
	u, v := s.users[sym.index], s.values[sym.index]
	switch {
	case v.forced:
		return Imposed, Origin{}, s.SetBy(sym)
	case sym.Type == TypeBool && v.text == "y" && s.anyApplies(sym.selected):
		return Selected, Origin{}, s.SelectedBy(sym)[0]
	case u.set && v.visible && u.text == v.text:
		return Chosen, u.at, nil
	}
	return ByDefault, Origin{}, nil
}

// whyMember is Why for a member of a choice: all of them have their values from
// where the selection was chosen.
func (s *Settings) whyMember(sym *Symbol) (why Reason, at Origin, by *Symbol) {
	selection := s.picked[sym.Choice.index]
	if selection == nil || selection != s.picks[sym.Choice.index].user {
		return ByDefault, Origin{}, nil
	}
	return Chosen, s.users[selection.index].at, nil
}
