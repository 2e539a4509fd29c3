package nvs

import "fmt"

// A DamageError says what in an image a board would not find.
type DamageError struct {
	Damage []Damage // at least one
}

func (e *DamageError) Error() string {
	s := e.Damage[0].String()
	if more := len(e.Damage) - 1; more > 0 {
		s += fmt.Sprintf(" (and %d more)", more)
	}
	return s
}

// Damage is one finding.
type Damage struct {
	Page   int    // by its place in the image
	Entry  int    // on the page; -1: the page as a whole
	Count  int    // of entries one after the other with the same damage
	Reason string // holds no part of a value
}

// String prints d: "page 0 entry 3: checksum is wrong".
func (d Damage) String() string {
	switch {
	case d.Entry < 0:
		return fmt.Sprintf("page %d: %s", d.Page, d.Reason)
	case d.Count > 1:
		return fmt.Sprintf("page %d entries %d to %d: %s", d.Page, d.Entry, d.Entry+d.Count-1, d.Reason)
	}
	return fmt.Sprintf("page %d entry %d: %s", d.Page, d.Entry, d.Reason)
}
