package cose

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/binary"
	"math/big"
	"slices"
)

// testSigner returns the signer whose private scalar is n. It signs as RFC 6979
// has it, so that the same test makes the same bytes.
func testSigner(n byte) Signer {
	private := testKey(n)
	return Signer{Key: must(KeyOf(private.Public())), Sign: func(message []byte) ([]byte, error) {
		digest := sha256.Sum256(message)
		der, err := private.Sign(nil, digest[:], crypto.SHA256)
		if err != nil {
			return nil, err
		}
		var sig struct{ R, S *big.Int }
		if _, err := asn1.Unmarshal(der, &sig); err != nil {
			return nil, err
		}
		return append(sig.R.FillBytes(make([]byte, 32)), sig.S.FillBytes(make([]byte, 32))...), nil
	}}
}

func testKey(n byte) *ecdsa.PrivateKey {
	return must(ecdsa.ParseRawPrivateKey(elliptic.P256(), append(make([]byte, 31), n)))
}

// Hand-made CBOR: what Marshal refuses to write.

func head(major byte, n uint64) []byte {
	switch {
	case n < 24:
		return []byte{major<<5 | byte(n)}
	case n < 1<<8:
		return []byte{major<<5 | 24, byte(n)}
	default:
		return binary.BigEndian.AppendUint16([]byte{major<<5 | 25}, uint16(n))
	}
}

func cat(parts ...[]byte) []byte { return slices.Concat(parts...) }
func bstr(b []byte) []byte       { return cat(head(2, uint64(len(b))), b) }
func tstr(s string) []byte       { return cat(head(3, uint64(len(s))), []byte(s)) }
func array(items ...[]byte) []byte {
	return cat(head(4, uint64(len(items))), cat(items...))
}
func mapOf(pairs ...[]byte) []byte {
	return cat(head(5, uint64(len(pairs)/2)), cat(pairs...))
}

// A hand holds the parts of a message, to be spoilt one at a time; what is
// spoilt is signed all the same, so that only the one fault is there.
type hand struct {
	tag, protected, unprotected, payload []byte
	signers                              []Signer
	perSigner                            func(Signer) []byte // protected header
}

func hand1() hand {
	s := testSigner(1)
	id := s.Key.ID()
	return hand{
		tag:         tag1,
		protected:   mapOf([]byte{1}, []byte{0x26}, []byte{4}, bstr(id[:]), []byte{16}, tstr("a/b")),
		unprotected: []byte{0xa0},
		payload:     []byte{1},
		signers:     []Signer{s},
	}
}

func handN(signers ...Signer) hand {
	return hand{
		tag:         tagN,
		protected:   mapOf([]byte{16}, tstr("a/b")),
		unprotected: []byte{0xa0},
		payload:     []byte{1},
		signers:     signers,
		perSigner: func(s Signer) []byte {
			id := s.Key.ID()
			return mapOf([]byte{1}, []byte{0x26}, []byte{4}, bstr(id[:]))
		},
	}
}

func (h hand) message() []byte { return cat(h.tag, h.body()) }

func (h hand) body() []byte {
	if h.perSigner == nil {
		signature := must(h.signers[0].Sign(tbs1(h.protected, h.payload)))
		return array(bstr(h.protected), h.unprotected, bstr(h.payload), bstr(signature))
	}
	var signatures [][]byte
	for _, s := range h.signers {
		p := h.perSigner(s)
		signature := must(s.Sign(tbsN(h.protected, p, h.payload)))
		signatures = append(signatures, array(bstr(p), []byte{0xa0}, bstr(signature)))
	}
	return array(bstr(h.protected), h.unprotected, bstr(h.payload), array(signatures...))
}

// spoil returns the message of h after change.
func (h hand) spoil(change func(*hand)) []byte {
	change(&h)
	return h.message()
}

func replaced(b, old, new []byte) []byte {
	if bytes.Count(b, old) != 1 {
		panic("not there exactly once")
	}
	return bytes.Replace(b, old, new, 1)
}
