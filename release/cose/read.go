package cose

import (
	"bytes"
	"errors"
	"fmt"
)

// A Message is a signed document that has been read. Nothing in it is proved
// until Verify has returned nil.
type Message struct {
	Type       string
	Payload    []byte
	Single     bool        // a COSE_Sign1
	Signatures []Signature // in order of Key; one when Single
}

// A Signature says which key claims to have signed.
type Signature struct {
	Key     KeyID
	message []byte // what is signed
	value   [64]byte
}

// Read reads one message, of either form, that must be a document of the type
// typ. b holds the message and nothing else; the Message does not keep it.
func Read(typ string, b []byte) (*Message, error) {
	if len(b) > MaxSize {
		return nil, fmt.Errorf("%d bytes, more than %d: %w", len(b), MaxSize, TooLong)
	}
	m, err := read(b)
	if err != nil {
		return nil, err
	}
	if m.Type != typ {
		return nil, fmt.Errorf("type is %.60q, want %q: %w", m.Type, typ, Type)
	}
	return m, nil
}

func read(b []byte) (*Message, error) {
	if rest, ok := bytes.CutPrefix(b, tag1); ok {
		return read1(rest)
	}
	if rest, ok := bytes.CutPrefix(b, tagN); ok {
		return readN(rest)
	}
	return nil, fmt.Errorf("does not begin as COSE_Sign1 (d2) or COSE_Sign (d862): %w", Encoding)
}

func read1(b []byte) (*Message, error) {
	var w wire1
	var h header1
	if err := Unmarshal(b, &w); err != nil {
		return nil, err
	}
	if err := Unmarshal(w.Protected, &h); err != nil {
		return nil, fmt.Errorf("protected header: %w", err)
	}
	one, err := signature(h.Alg, h.KeyID, w.Signature, tbs1(w.Protected, w.Payload))
	if err != nil {
		return nil, err
	}
	m := &Message{Type: h.Type, Payload: w.Payload, Single: true, Signatures: []Signature{one}}
	return m.checked()
}

func readN(b []byte) (*Message, error) {
	var w wire
	var h header
	if err := Unmarshal(b, &w); err != nil {
		return nil, err
	}
	if err := Unmarshal(w.Protected, &h); err != nil {
		return nil, fmt.Errorf("protected header: %w", err)
	}
	m := &Message{Type: h.Type, Payload: w.Payload}
	for i, s := range w.Signatures {
		one, err := s.read(w.Protected, w.Payload)
		if err != nil {
			return nil, fmt.Errorf("signature %d: %w", i, err)
		}
		m.Signatures = append(m.Signatures, one)
	}
	return m.checked()
}

func (s wireSignature) read(body, payload []byte) (Signature, error) {
	var h headerN
	if err := Unmarshal(s.Protected, &h); err != nil {
		return Signature{}, fmt.Errorf("protected header: %w", err)
	}
	return signature(h.Alg, h.KeyID, s.Signature, tbsN(body, s.Protected, payload))
}

// signature checks what the profile says of one signature.
func signature(alg int64, id, value, message []byte) (Signature, error) {
	switch {
	case alg != es256:
		return Signature{}, fmt.Errorf("algorithm %d, want %d (ES256): %w", alg, es256, Profile)
	case len(id) != len(KeyID{}):
		return Signature{}, fmt.Errorf("key id of %d bytes, want %d: %w", len(id), len(KeyID{}), Profile)
	case len(value) != 64:
		return Signature{}, fmt.Errorf("signature of %d bytes, want 64: %w", len(value), Profile)
	}
	return Signature{Key: KeyID(id), message: message, value: [64]byte(value)}, nil
}

// checked returns m when it is what the profile says of a message as a whole.
func (m *Message) checked() (*Message, error) {
	switch n := len(m.Signatures); {
	case len(m.Payload) == 0:
		return nil, fmt.Errorf("payload is empty: %w", Profile)
	case n < 1 || n > MaxSigners:
		return nil, fmt.Errorf("%d signatures, want 1 to %d: %w", n, MaxSigners, Profile)
	}
	for i, s := range m.Signatures[1:] {
		if bytes.Compare(m.Signatures[i].Key[:], s.Key[:]) >= 0 {
			return nil, fmt.Errorf("signature %d: key ids do not rise: %w", i+1, Profile)
		}
	}
	return m, nil
}

// Verify proves that at least threshold of the trusted keys signed m. Signatures
// of other keys do not count and are not looked at; one that names a trusted key
// and does not verify makes the whole message Forged.
func (m *Message) Verify(threshold int, trusted ...Key) error {
	if threshold < 1 {
		return errors.New("a threshold below 1 would trust anything")
	}
	keys := map[KeyID]Key{}
	for _, k := range trusted {
		keys[k.ID()] = k
	}
	signed := 0
	for _, s := range m.Signatures {
		key, known := keys[s.Key]
		if !known {
			continue
		}
		if !key.verify(s.message, s.value) {
			return fmt.Errorf("key %v: %w", s.Key, Forged)
		}
		signed++
	}
	if signed < threshold {
		return fmt.Errorf("signatures by trusted keys: %d, want %d: %w", signed, threshold, Untrusted)
	}
	return nil
}
