package release

import (
	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/release/cose"
	"github.com/tcpboot/tcpboot/release/sitedoc"
)

// The manifest as it is encoded; the package comment explains it.

type wireManifest struct {
	Site      string            `cbor:"1,keyasint"`
	Kind      uint64            `cbor:"2,keyasint"`
	Version   string            `cbor:"3,keyasint"`
	Hardware  string            `cbor:"4,keyasint"`
	Chip      uint16            `cbor:"5,keyasint"`
	Sequences map[string]uint64 `cbor:"6,keyasint"`
	Counter   wireCounter       `cbor:"7,keyasint"`
	MinLoader *loader           `cbor:"8,keyasint,omitempty"`
	Image     wireComponent     `cbor:"9,keyasint"`
	Others    []wireComponent   `cbor:"10,keyasint,omitempty"`
	Audit     *wireAudit        `cbor:"11,keyasint,omitempty"`
}

type wireCounter struct {
	_                 struct{} `cbor:",toarray"`
	Generation, Count uint32
}

type wireComponent struct {
	Name      string       `cbor:"1,keyasint"`
	Size      int64        `cbor:"2,keyasint"`
	Digest    fleet.Digest `cbor:"3,keyasint"`
	ChunkSize int          `cbor:"4,keyasint"`
	Chunks    fleet.Digest `cbor:"5,keyasint"`
}

type wireAudit struct {
	_        struct{} `cbor:",toarray"`
	Sequence uint64
	Head     fleet.Digest
}

// Encode returns the payload that says m, or why m cannot be said.
func (m *Manifest) Encode() ([]byte, error) {
	if err := m.check(); err != nil {
		return nil, invalid(err)
	}
	kind, _ := m.Kind.Number()
	chip, _ := m.Chip.ID()
	w := wireManifest{
		Site: m.Site, Kind: kind, Version: m.Version, Hardware: m.Hardware, Chip: chip,
		Sequences: m.Sequences,
		Counter:   wireCounter{Generation: m.Counter.Generation, Count: m.Counter.Count},
		Image:     wireComponent(m.Image),
	}
	for _, c := range m.Others {
		w.Others = append(w.Others, wireComponent(c))
	}
	if m.MinLoader != "" {
		l, _ := parseLoader(m.MinLoader)
		w.MinLoader = &l
	}
	if m.AuditSeq != 0 {
		w.Audit = &wireAudit{Sequence: m.AuditSeq, Head: m.Audit}
	}
	return cose.Marshal(w)
}

// DecodeManifest reads what Encode writes and nothing else. It proves nothing:
// see Verify.
func DecodeManifest(payload []byte) (Manifest, error) {
	var w wireManifest
	if err := cose.Unmarshal(payload, &w); err != nil {
		return Manifest{}, manifestError(err)
	}
	m, err := w.manifest()
	if err == nil {
		err = m.check()
	}
	if err != nil {
		return Manifest{}, invalid(err)
	}
	return m, nil
}

func (w *wireManifest) manifest() (m Manifest, err error) {
	m = Manifest{
		Site: w.Site, Version: w.Version, Hardware: w.Hardware, Sequences: w.Sequences,
		Counter: fleet.Counter{Generation: w.Counter.Generation, Count: w.Counter.Count},
		Image:   Component(w.Image),
	}
	if m.Kind, err = sitedoc.KindOf(w.Kind); err != nil {
		return m, err
	}
	if m.Chip, err = chipOf(w.Chip); err != nil {
		return m, err
	}
	for _, c := range w.Others {
		m.Others = append(m.Others, Component(c))
	}
	if w.MinLoader != nil {
		m.MinLoader = w.MinLoader.String()
	}
	if w.Audit != nil {
		m.AuditSeq, m.Audit = w.Audit.Sequence, w.Audit.Head
		if m.AuditSeq == 0 {
			return m, errAudit
		}
	}
	return m, nil
}
