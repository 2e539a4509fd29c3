package release

import (
	"cmp"
	"fmt"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/release/sitedoc"
)

// A Board is what a board knows of itself when it judges a manifest.
type Board struct {
	Kind     sitedoc.Kind // what it asks for; zero: Firmware
	Site     string
	Hardware string
	Chip     fleet.Chip
	Channel  string
	Sequence uint64        // of what it installed from Channel, in the generation of Counter; 0: nothing, as of loaders
	Counter  fleet.Counter // the highest that it has seen
	Loader   string        // its version, "2.0.1"
}

// CheckBoard says why the board b refuses m, whoever signed it: it is for
// another site or board (OtherSite, OtherBoard), or older than what b has (Stale). Of
// loaders the version counts, which must be above that of the board's.
func (m *Manifest) CheckBoard(b Board) error {
	channel := ChannelFor(m.Kind, b.Channel)
	sequence, named := m.Sequences[channel]
	switch {
	case m.Kind != cmp.Or(b.Kind, sitedoc.Firmware):
		return fmt.Errorf("manifest: of kind %s, the board asks for %s: %w", m.Kind, cmp.Or(b.Kind, sitedoc.Firmware), OtherBoard)
	case m.Site != b.Site:
		return fmt.Errorf("manifest: for site %s, the board is of %s: %w", m.Site, b.Site, OtherSite)
	case m.Hardware != b.Hardware:
		return fmt.Errorf("manifest: for hardware %s, the board is %s: %w", m.Hardware, b.Hardware, OtherBoard)
	case m.Chip != b.Chip:
		return fmt.Errorf("manifest: for chip %s, the board has %s: %w", m.Chip, b.Chip, OtherBoard)
	case !named:
		return fmt.Errorf("manifest: not for channel %s: %w", channel, OtherBoard)
	case m.Kind == sitedoc.Loader && !m.Newer(b.Loader):
		return fmt.Errorf("manifest: loader %s, the board has %.20s: %w", m.LoaderVersion(), b.Loader, Stale)
	case sequence <= b.Sequence && m.Counter.Generation <= b.Counter.Generation:
		return fmt.Errorf("manifest: sequence %d on channel %s, the board has %d: %w", sequence, b.Channel, b.Sequence, Stale)
	case m.Counter.Compare(b.Counter) < 0:
		return fmt.Errorf("manifest: counter (%d, %d), the board has seen (%d, %d): %w",
			m.Counter.Generation, m.Counter.Count, b.Counter.Generation, b.Counter.Count, Stale)
	}
	return m.checkLoader(b.Loader)
}

func (m *Manifest) checkLoader(version string) error {
	if m.MinLoader == "" {
		return nil
	}
	least, err := parseLoader(m.MinLoader)
	if err != nil {
		return invalid(err)
	}
	have, err := parseLoader(version)
	if err != nil || have.compare(least) < 0 {
		return fmt.Errorf("manifest: needs loader %s, the board has %.20q: %w", m.MinLoader, version, OtherBoard)
	}
	return nil
}
