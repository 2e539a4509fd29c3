package cose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
)

// A Key is a P-256 public key: x ‖ y, 32 bytes each, big-endian. It is a value:
// compare it with ==. It prints as 128 lower-case hex digits.
type Key [64]byte

// A KeyID names a key: the SHA-256 of its SubjectPublicKeyInfo in DER, whole, so
// that no two keys share one. It is also what a sigstore bundle gives as its
// hint, there in base64. It prints as 64 lower-case hex digits.
type KeyID [sha256.Size]byte

// spki is what stands before 04 ‖ x ‖ y in the SubjectPublicKeyInfo of a P-256
// key: the algorithm and the head of a bit string.
var spki = []byte{
	0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,
	0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
}

// KeyOf returns pub as a Key; pub must be an *ecdsa.PublicKey on P-256.
func KeyOf(pub crypto.PublicKey) (Key, error) {
	p, ok := pub.(*ecdsa.PublicKey)
	if !ok {
		return Key{}, fmt.Errorf("key is a %T: want ECDSA on P-256", pub)
	}
	if p.Curve != elliptic.P256() {
		return Key{}, errors.New("key is on another curve: want P-256")
	}
	point, err := p.Bytes()
	if err != nil {
		return Key{}, fmt.Errorf("key: %v", err)
	}
	return Key(point[1:]), nil
}

// Public returns k for other libraries; the error says that k is not a point of
// the curve.
func (k Key) Public() (*ecdsa.PublicKey, error) {
	pub, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), k.point())
	if err != nil {
		return nil, fmt.Errorf("key: not a point of P-256")
	}
	return pub, nil
}

// ID returns the name of k.
func (k Key) ID() KeyID {
	return sha256.Sum256(append(spki[:len(spki):len(spki)], k.point()...))
}

// point is k as SEC 1 has it, uncompressed.
func (k Key) point() []byte { return append([]byte{4}, k[:]...) }

// verify reports whether signature is one of k over message.
func (k Key) verify(message []byte, signature [64]byte) bool {
	pub, err := k.Public()
	if err != nil {
		return false
	}
	digest := sha256.Sum256(message)
	r := new(big.Int).SetBytes(signature[:32])
	s := new(big.Int).SetBytes(signature[32:])
	return ecdsa.Verify(pub, digest[:], r, s)
}

// String prints k as 128 lower-case hex digits.
func (k Key) String() string { return hex.EncodeToString(k[:]) }

// MarshalText prints k as String does.
func (k Key) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads what MarshalText prints and refuses what is no point of P-256.
func (k *Key) UnmarshalText(text []byte) error {
	if len(text) != hex.EncodedLen(len(k)) {
		return fmt.Errorf("key: %d characters, want %d hex digits", len(text), hex.EncodedLen(len(k)))
	}
	if _, err := hex.Decode(k[:], text); err != nil {
		return errors.New("key: not hexadecimal")
	}
	_, err := k.Public()
	return err
}

// String prints id as 64 lower-case hex digits.
func (id KeyID) String() string { return hex.EncodeToString(id[:]) }

// MarshalText prints id as String does.
func (id KeyID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }
