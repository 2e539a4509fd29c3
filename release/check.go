package release

import (
	"errors"
	"fmt"

	"github.com/tcpboot/tcpboot/pki/fleet"
)

var errAudit = errors.New("audit: a sequence and a head go together")

// check says why m is not a manifest.
func (m *Manifest) check() error {
	for _, part := range []func() error{m.checkNames, m.checkKind, m.checkSequences, m.checkComponents} {
		if err := part(); err != nil {
			return err
		}
	}
	if (m.AuditSeq == 0) != (m.Audit == fleet.Digest{}) {
		return errAudit
	}
	if m.MinLoader == "" {
		return nil
	}
	_, err := parseLoader(m.MinLoader)
	return err
}

func (m *Manifest) checkNames() error {
	for _, n := range []struct{ kind, name string }{
		{"site", m.Site}, {"version", m.Version}, {"hardware", m.Hardware},
	} {
		if err := fleet.CheckName(n.kind, n.name); err != nil {
			return err
		}
	}
	if _, ok := m.Chip.ID(); !ok {
		return fmt.Errorf("chip %.20q is unknown", string(m.Chip))
	}
	return nil
}

func chipOf(id uint16) (fleet.Chip, error) {
	chip, ok := fleet.ChipByID(id)
	if !ok {
		return "", fmt.Errorf("chip id %#04x is unknown", id)
	}
	return chip, nil
}

func (m *Manifest) checkSequences() error {
	if n := len(m.Sequences); n < 1 || n > MaxChannels {
		return fmt.Errorf("%d channels, want 1 to %d", n, MaxChannels)
	}
	for channel, sequence := range m.Sequences {
		if err := fleet.CheckName("channel", channel); err != nil {
			return err
		}
		if sequence == 0 {
			return fmt.Errorf("channel %s: sequences count from 1", channel)
		}
	}
	return nil
}

func (m *Manifest) checkComponents() error {
	if m.Image.Name != AppComponent {
		return fmt.Errorf("image is named %.20q, want %q", m.Image.Name, AppComponent)
	}
	if n := len(m.Others); n > MaxOthers {
		return fmt.Errorf("%d other components, want at most %d", n, MaxOthers)
	}
	for i, c := range m.Others {
		if c.Name == AppComponent || i > 0 && c.Name <= m.Others[i-1].Name {
			return fmt.Errorf("component %.20q: names must rise, and none but the image is %q", c.Name, AppComponent)
		}
	}
	for _, c := range m.Components() {
		if err := c.check(); err != nil {
			return fmt.Errorf("component %.20s: %w", c.Name, err)
		}
	}
	return nil
}

func (c Component) check() error {
	switch {
	case c.Size < 1 || c.Size > MaxImage:
		return fmt.Errorf("%d bytes, want 1 to %d", c.Size, MaxImage)
	case c.Digest == fleet.Digest{} || c.Chunks == fleet.Digest{}:
		return errors.New("a digest is missing")
	}
	if err := checkChunkSize(c.ChunkSize); err != nil {
		return err
	}
	return fleet.CheckName("component", c.Name)
}

func checkChunkSize(n int) error {
	if n < MinChunk || n > MaxChunk || n%MinChunk != 0 {
		return fmt.Errorf("chunk size %d: want a multiple of %d up to %d", n, MinChunk, MaxChunk)
	}
	return nil
}
