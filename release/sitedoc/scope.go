package sitedoc

import (
	"fmt"
	"slices"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/release/cose"
)

// ReleaseKey returns the key with the name id if it may sign releases of that
// kind for that hardware. errors.Is tells a stranger's key (cose.Untrusted) from
// one that is trusted with something else (Scope).
func (d *Doc) ReleaseKey(id cose.KeyID, kind Kind, hardware string) (cose.Key, error) {
	known := false
	for _, k := range d.Keys {
		if k.Key.ID() != id {
			continue
		}
		known = true
		if k.Kind == kind && k.covers(hardware) {
			return k.Key, nil
		}
	}
	if known {
		return cose.Key{}, fmt.Errorf("release key %v, %s for hardware %s: %w", id, kind, hardware, Scope)
	}
	return cose.Key{}, fmt.Errorf("release key %v: not in the site document: %w", id, cose.Untrusted)
}

func (k ReleaseKey) covers(hardware string) bool {
	return len(k.Hardware) == 0 || slices.Contains(k.Hardware, hardware)
}

// CheckCounter says why no release for the hardware may have the counter c: it is
// below the floor, or in a generation that the roots have not begun.
func (d *Doc) CheckCounter(hardware string, c fleet.Counter) error {
	if c.Generation > d.Generation {
		return fmt.Errorf("counter: generation %d, the site is at %d: %w", c.Generation, d.Generation, Counter)
	}
	if floor := d.Floors[hardware]; c.Compare(floor) < 0 {
		return fmt.Errorf("counter (%d, %d): below the floor (%d, %d) of hardware %s: %w",
			c.Generation, c.Count, floor.Generation, floor.Count, hardware, Counter)
	}
	return nil
}
