package mcuboot

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"math"
	"slices"
)

// A Spec says what image to make of a payload.
type Spec struct {
	Version     Version
	HeaderSize  int    // offset of the payload; 0: 32, the least
	Fill        byte   // of the header behind its fields
	Flags       Flags  // of NonBootable, RAMLoad and ROMFixed; the others follow from the rest
	LoadAddress uint32 // for RAMLoad or ROMFixed

	Hash          crypto.Hash // of the image; 0: the usual one of the key
	Pure          bool        // Ed25519 signs the content itself, not its hash
	FullKey       bool        // name the key by itself, not by its hash
	PadSignature  bool        // fill ECDSA signatures with zeros, for bootloaders before 1.5
	Encryption    *Encryption // nil: none
	Counter       *uint32     // security counter; nil: none
	SoftwareType  string      // at most 12 characters; with one the image gets a boot record
	Dependencies  []Dependency
	Vendor, Class *UUID
	Custom        []TLV // in the protected area, behind all others
}

const maxSoftwareType = 12

// check says why no image can be made of s.
func (s Spec) check() error {
	switch {
	case s.headerSize() < headerSize || s.headerSize() > math.MaxUint16:
		return fmt.Errorf("header size %d: want %d to %d", s.HeaderSize, headerSize, math.MaxUint16)
	case s.Flags&^(NonBootable|RAMLoad|ROMFixed) != 0:
		return fmt.Errorf("flags %s: want %s alone", s.Flags, NonBootable|RAMLoad|ROMFixed)
	case s.Flags&RAMLoad != 0 && s.Flags&ROMFixed != 0:
		return fmt.Errorf("flags %s exclude each other", RAMLoad|ROMFixed)
	case s.LoadAddress != 0 && s.Flags&(RAMLoad|ROMFixed) == 0:
		return fmt.Errorf("load address %#x without a flag that says what it is", s.LoadAddress)
	case len(s.SoftwareType) > maxSoftwareType:
		return fmt.Errorf("software type %q: longer than %d characters", s.SoftwareType, maxSoftwareType)
	}
	for _, t := range s.Custom {
		if t.Type < FirstCustom || t.Type > LastCustom {
			return fmt.Errorf("custom TLV %s: want a type from %s to %s", t.Type, FirstCustom, LastCustom)
		}
	}
	if s.Encryption != nil {
		return s.Encryption.check()
	}
	return nil
}

func (s Spec) headerSize() int {
	if s.HeaderSize == 0 {
		return headerSize
	}
	return s.HeaderSize
}

// hash settles by which algorithm the image has its hash. suite is nil where the
// image is not signed.
func (s Spec) hash(suite *suite) (crypto.Hash, error) {
	h := s.Hash
	switch {
	case s.Pure && suite != edwards:
		return 0, errors.New("only an Ed25519 key signs a pure image")
	case s.Pure && h == 0:
		return crypto.SHA512, nil
	case s.Pure && h != crypto.SHA512:
		return 0, fmt.Errorf("hash %v: a pure image has %v", h, crypto.SHA512)
	case suite != nil && h == 0:
		return suite.hashes[0], nil
	case suite != nil:
		return h, suite.checkHash(h)
	case h == 0:
		return crypto.SHA256, nil
	case !slices.Contains([]crypto.Hash{crypto.SHA256, crypto.SHA384, crypto.SHA512}, h):
		return 0, fmt.Errorf("hash %v: want SHA-256, SHA-384 or SHA-512", h)
	}
	return h, nil
}

// protected returns the entries of the protected area. keyID is the KEYHASH; nil
// where the image is not signed.
func (s Spec) protected(h crypto.Hash, keyID []byte) ([]TLV, error) {
	var all []TLV
	if s.Counter != nil {
		all = append(all, TLV{SecurityCounter, le.AppendUint32(nil, *s.Counter)})
	}
	if s.SoftwareType != "" {
		if keyID == nil {
			return nil, errors.New("a boot record names the key that signed: the image needs one")
		}
		all = append(all, TLV{bootRecord, record(s.SoftwareType, s.Version, h, keyID)})
	}
	for _, d := range s.Dependencies {
		all = append(all, TLV{dependency, d.value()})
	}
	if s.Vendor != nil {
		all = append(all, TLV{vendorID, s.Vendor[:]})
	}
	if s.Class != nil {
		all = append(all, TLV{classID, s.Class[:]})
	}
	return append(all, s.Custom...), nil
}

// record is a boot record, in CBOR: what a bootloader tells the program of the
// image that it started. The measurement is zeros, which it overwrites, so the
// order of the keys is the format's and not the one of deterministic CBOR.
func record(software string, v Version, h crypto.Hash, keyID []byte) []byte {
	const keySoftware, keyMeasurement, keyVersion, keySigner, keyAlgorithm = 1, 2, 4, 5, 6
	text := func(b []byte, key byte, s string) []byte { return append(append(b, key, 0x60|byte(len(s))), s...) }
	data := func(b []byte, key byte, d []byte) []byte { return append(append(b, key, 0x58, byte(len(d))), d...) }

	b := []byte{0xa5} // a map of five
	b = text(b, keySoftware, software)
	b = text(b, keyVersion, v.short())
	b = data(b, keySigner, keyID)
	b = text(b, keyAlgorithm, hashType(h).String())
	return data(b, keyMeasurement, make([]byte, h.Size()))
}

// content lays out header, payload and protected area: what is hashed.
func (s Spec) content(payload []byte, protected []byte) ([]byte, Header, error) {
	size := s.headerSize()
	if s.Encryption != nil {
		payload = filled(payload, size)
	}
	h := Header{
		LoadAddress: s.LoadAddress, Size: size, ProtectedSize: len(protected),
		PayloadSize: len(payload), Flags: s.Flags | s.Encryption.flag(), Version: s.Version,
	}
	if uint64(size)+uint64(len(payload))+uint64(len(protected)) > math.MaxUint32 {
		return nil, h, fmt.Errorf("payload of %d bytes: the image would end past 4 GiB", len(payload))
	}
	b := h.append(make([]byte, 0, size+len(payload)+len(protected)))
	b = append(b, bytes.Repeat([]byte{s.Fill}, size-headerSize)...)
	b = append(b, payload...)
	return append(b, protected...), h, nil
}
