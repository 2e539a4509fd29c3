package cose

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
)

// Join returns the COSE_Sign that bears the signatures of all messages, which are
// of one type and have one payload: keys that lie apart sign copies of a document,
// one after the other or each by itself. Of two signatures by one key the first
// stays. It proves nothing: see Only.
func Join(typ string, messages ...[]byte) ([]byte, error) {
	var payload []byte
	have := map[KeyID]Signature{}
	for i, b := range messages {
		m, err := readSeveral(typ, b)
		if err != nil {
			return nil, err
		}
		if i > 0 && !bytes.Equal(m.Payload, payload) {
			return nil, fmt.Errorf("message %d of %d says something else than the first", i+1, len(messages))
		}
		payload = m.Payload
		for _, s := range m.Signatures {
			if _, there := have[s.Key]; !there {
				have[s.Key] = s
			}
		}
	}
	return join(typ, payload, have)
}

// Only returns the COSE_Sign b with no signatures but those of keys, each of which
// has been verified. Without any it is Untrusted.
func Only(typ string, b []byte, keys ...Key) ([]byte, error) {
	m, err := readSeveral(typ, b)
	if err != nil {
		return nil, err
	}
	if err := m.Verify(1, keys...); err != nil {
		return nil, err
	}
	have := map[KeyID]Signature{}
	for _, s := range m.Signatures {
		if slices.ContainsFunc(keys, func(k Key) bool { return k.ID() == s.Key }) {
			have[s.Key] = s
		}
	}
	return join(typ, m.Payload, have)
}

// readSeveral reads a COSE_Sign.
func readSeveral(typ string, b []byte) (*Message, error) {
	m, err := Read(typ, b)
	if err == nil && m.Single {
		err = fmt.Errorf("is a COSE_Sign1, want COSE_Sign: %w", Encoding)
	}
	return m, err
}

// join encodes a COSE_Sign with signatures that were made before.
func join(typ string, payload []byte, have map[KeyID]Signature) ([]byte, error) {
	body, err := Marshal(header{Type: typ})
	w := wire{Protected: body, Payload: payload}
	for _, s := range have {
		protected, failed := Marshal(headerN{Alg: es256, KeyID: s.Key[:]})
		err = errors.Join(err, failed)
		w.Signatures = append(w.Signatures, wireSignature{Protected: protected, Signature: s.value[:]})
	}
	if err != nil {
		return nil, err
	}
	// The headers are alike but for the names of the keys.
	slices.SortFunc(w.Signatures, func(a, b wireSignature) int { return bytes.Compare(a.Protected, b.Protected) })
	return finish(tagN, typ, w)
}
