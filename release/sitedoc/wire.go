package sitedoc

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/release/cose"
)

// The document as it is encoded; the package comment explains it.

type wireDoc struct {
	Site       string               `cbor:"1,keyasint"`
	Epoch      uint64               `cbor:"2,keyasint"`
	Generation uint32               `cbor:"3,keyasint"`
	Keys       []wireKey            `cbor:"4,keyasint"`
	Roots      []cose.Key           `cbor:"5,keyasint"`
	Threshold  int                  `cbor:"6,keyasint"`
	Endpoints  []string             `cbor:"7,keyasint"`
	RADIUS     string               `cbor:"8,keyasint"`
	Update     string               `cbor:"9,keyasint"`
	EAPIssuers []fleet.Digest       `cbor:"10,keyasint"`
	TLSIssuers []fleet.Digest       `cbor:"11,keyasint"`
	Floors     map[string]wireFloor `cbor:"12,keyasint"`
}

type wireKey struct {
	_        struct{} `cbor:",toarray"`
	Key      cose.Key
	Kind     uint64
	Hardware []string
}

type wireFloor struct {
	_                 struct{} `cbor:",toarray"`
	Generation, Count uint32
}

// Encode returns the payload that says d, or why d cannot be said.
func (d *Doc) Encode() ([]byte, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	w := wireDoc{
		Site: d.Site, Epoch: d.Epoch, Generation: d.Generation,
		Roots: sorted(d.Roots.Keys, compareKeys), Threshold: d.Roots.Threshold,
		Endpoints: d.Endpoints, RADIUS: d.Names.RADIUS, Update: d.Names.Update,
		EAPIssuers: sorted(d.EAPIssuers, compareDigests),
		TLSIssuers: sorted(d.TLSIssuers, compareDigests),
		Floors:     map[string]wireFloor{},
	}
	for _, k := range sorted(d.Keys, compareReleaseKeys) {
		n, _ := k.Kind.Number()
		w.Keys = append(w.Keys, wireKey{Key: k.Key, Kind: n, Hardware: sorted(k.Hardware, cmp.Compare)})
	}
	for hardware, c := range d.Floors {
		w.Floors[hardware] = wireFloor{Generation: c.Generation, Count: c.Count}
	}
	return cose.Marshal(w)
}

// Decode reads the payload of a document, which proves nothing: see Verify.
func Decode(payload []byte) (*Doc, error) {
	var w wireDoc
	if err := cose.Unmarshal(payload, &w); err != nil {
		return nil, fmt.Errorf("site document: %w", err)
	}
	d, err := w.doc()
	if err != nil {
		return nil, err
	}
	again, err := d.Encode()
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(again, payload) {
		return nil, fmt.Errorf("site document: a list is out of order: %w", cose.Encoding)
	}
	return d, nil
}

func (w *wireDoc) doc() (*Doc, error) {
	d := &Doc{
		Site: w.Site, Epoch: w.Epoch, Generation: w.Generation,
		Roots: Roots{Keys: w.Roots, Threshold: w.Threshold}, Endpoints: w.Endpoints,
		Names: Names{RADIUS: w.RADIUS, Update: w.Update}, EAPIssuers: w.EAPIssuers, TLSIssuers: w.TLSIssuers,
	}
	for i, k := range w.Keys {
		kind, err := KindOf(k.Kind)
		if err != nil {
			return nil, fmt.Errorf("site document: release key %d: %v: %w", i, err, Invalid)
		}
		d.Keys = append(d.Keys, ReleaseKey{Key: k.Key, Kind: kind, Hardware: some(k.Hardware)})
	}
	for hardware, f := range w.Floors {
		if d.Floors == nil {
			d.Floors = map[string]fleet.Counter{}
		}
		d.Floors[hardware] = fleet.Counter{Generation: f.Generation, Count: f.Count}
	}
	return d, nil
}

// some returns nil for an empty list, so that a Doc reads back as it was.
func some(list []string) []string {
	if len(list) == 0 {
		return nil
	}
	return list
}

func sorted[T any](list []T, compare func(a, b T) int) []T {
	return slices.SortedFunc(slices.Values(list), compare)
}

func compareKeys(a, b cose.Key) int        { return bytes.Compare(a[:], b[:]) }
func compareDigests(a, b fleet.Digest) int { return bytes.Compare(a[:], b[:]) }

func compareReleaseKeys(a, b ReleaseKey) int {
	an, _ := a.Kind.Number()
	bn, _ := b.Kind.Number()
	return cmp.Or(compareKeys(a.Key, b.Key), cmp.Compare(an, bn))
}
