package cose

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
)

// A Signer makes signatures of one key: Sign returns r ‖ s, 64 bytes, over the
// SHA-256 of message. Where the private key lies is not our business.
type Signer struct {
	Key  Key
	Sign func(message []byte) ([]byte, error)
}

// Sign1 returns payload as a document of the type typ, signed by s: a COSE_Sign1.
func Sign1(typ string, payload []byte, s Signer) ([]byte, error) {
	id := s.Key.ID()
	protected, err := Marshal(header1{Alg: es256, KeyID: id[:], Type: typ})
	if err != nil {
		return nil, err
	}
	signature, err := s.sign(tbs1(protected, payload))
	if err != nil {
		return nil, err
	}
	return finish(tag1, typ, wire1{Protected: protected, Payload: payload, Signature: signature[:]})
}

// Sign returns payload as a document of the type typ, signed by each signer: a
// COSE_Sign. The order of signers does not matter; none may come twice.
func Sign(typ string, payload []byte, signers ...Signer) ([]byte, error) {
	body, err := Marshal(header{Type: typ})
	if err != nil {
		return nil, err
	}
	w := wire{Protected: body, Payload: payload}
	for _, s := range byID(signers) {
		one, err := s.one(body, payload)
		if err != nil {
			return nil, err
		}
		w.Signatures = append(w.Signatures, one)
	}
	return finish(tagN, typ, w)
}

// byID returns signers in the order in which their signatures stand.
func byID(signers []Signer) []Signer {
	return slices.SortedFunc(slices.Values(signers), func(a, b Signer) int {
		ai, bi := a.Key.ID(), b.Key.ID()
		return bytes.Compare(ai[:], bi[:])
	})
}

// one returns the signature of s under a COSE_Sign.
func (s Signer) one(body, payload []byte) (wireSignature, error) {
	id := s.Key.ID()
	protected, err := Marshal(headerN{Alg: es256, KeyID: id[:]})
	if err != nil {
		return wireSignature{}, err
	}
	signature, err := s.sign(tbsN(body, protected, payload))
	return wireSignature{Protected: protected, Signature: signature[:]}, err
}

// sign signs and looks at the result: a key store that answers with another key
// or with rubbish is found out here and not on the boards.
func (s Signer) sign(message []byte) (signature [64]byte, err error) {
	b, err := s.Sign(message)
	if err != nil {
		return signature, err
	}
	if len(b) != len(signature) {
		return signature, fmt.Errorf("signature is %d bytes, want %d", len(b), len(signature))
	}
	signature = [64]byte(b)
	if !s.Key.verify(message, signature) {
		return signature, fmt.Errorf("key %v: its own signature does not verify: is this another key?", s.Key.ID())
	}
	return signature, nil
}

// finish encodes a message and reads it back, so that nothing leaves here that a
// reader would refuse.
func finish(tag []byte, typ string, w any) ([]byte, error) {
	b, err := Marshal(w)
	if err != nil {
		return nil, err
	}
	b = append(tag[:len(tag):len(tag)], b...)
	if _, err := Read(typ, b); err != nil {
		return nil, errors.Join(errors.New("cannot be signed"), err)
	}
	return b, nil
}
