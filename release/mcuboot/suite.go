package mcuboot

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"slices"
)

// A suite is how images are signed with one kind of key.
type suite struct {
	name   string
	tlv    Type
	hashes []crypto.Hash // that the image hash may be by; the first is the usual
	pad    int           // DER signatures were once padded to this length; 0: never
}

var (
	rsa2048 = &suite{"RSA-2048", signRSA2048, []crypto.Hash{crypto.SHA256}, 0}
	rsa3072 = &suite{"RSA-3072", signRSA3072, []crypto.Hash{crypto.SHA256}, 0}
	p256    = &suite{"P-256", signECDSA, []crypto.Hash{crypto.SHA256}, 72}
	p384    = &suite{"P-384", signECDSA, []crypto.Hash{crypto.SHA384}, 103}
	edwards = &suite{"Ed25519", signEd25519, []crypto.Hash{crypto.SHA256, crypto.SHA512}, 0}
)

const (
	rsaExponent = 65537
	saltLength  = 32
)

func suiteOf(pub crypto.PublicKey) (*suite, error) {
	switch k := pub.(type) {
	case *rsa.PublicKey:
		return suiteOfRSA(k)
	case *ecdsa.PublicKey:
		switch k.Curve {
		case elliptic.P256():
			return p256, nil
		case elliptic.P384():
			return p384, nil
		}
		return nil, fmt.Errorf("ECDSA key on %s: MCUboot takes P-256 and P-384", k.Curve.Params().Name)
	case ed25519.PublicKey:
		return edwards, nil
	}
	return nil, fmt.Errorf("key of type %T: MCUboot takes RSA-2048, RSA-3072, P-256, P-384 and Ed25519", pub)
}

func suiteOfRSA(k *rsa.PublicKey) (*suite, error) {
	switch bits := k.N.BitLen(); {
	case k.E != rsaExponent:
		return nil, fmt.Errorf("RSA key with exponent %d, want %d", k.E, rsaExponent)
	case bits == 2048:
		return rsa2048, nil
	case bits == 3072:
		return rsa3072, nil
	default:
		return nil, fmt.Errorf("RSA key of %d bits: MCUboot takes 2048 and 3072", bits)
	}
}

// checkHash says why an image by a key of s cannot have a hash by h.
func (s *suite) checkHash(h crypto.Hash) error {
	if !slices.Contains(s.hashes, h) {
		return fmt.Errorf("hash %v: images signed with %s have %v", h, s.name, s.hashes)
	}
	return nil
}

// options are what a key of s is asked to sign with, given how the image hash
// was made.
func (s *suite) options(h crypto.Hash) crypto.SignerOpts {
	switch s {
	case rsa2048, rsa3072:
		return &rsa.PSSOptions{SaltLength: saltLength, Hash: h}
	case edwards:
		return crypto.Hash(0)
	}
	return h
}

// verify reports whether signature, as a TLV holds it, is pub's over message: an
// image hash, or the whole content of a pure image.
func verify(pub crypto.PublicKey, message, signature []byte) bool {
	switch k := pub.(type) {
	case *rsa.PublicKey:
		return rsa.VerifyPSS(k, crypto.SHA256, message, signature, &rsa.PSSOptions{SaltLength: saltLength}) == nil
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(k, message, unpadded(signature))
	case ed25519.PublicKey:
		return ed25519.Verify(k, message, signature)
	}
	return false
}

// unpadded returns a DER signature without the zeros behind it. They are counted
// by the length that DER states: a signature itself may end in zeros.
func unpadded(signature []byte) []byte {
	if len(signature) < 2 || signature[1] >= 0x80 {
		return signature
	}
	n := 2 + int(signature[1])
	if n > len(signature) || bytes.Count(signature[n:], []byte{0}) != len(signature)-n {
		return signature
	}
	return signature[:n]
}

// padded returns a DER signature as bootloaders before 1.5 want it.
func (s *suite) padded(signature []byte) []byte {
	return append(slices.Clone(signature), make([]byte, max(0, s.pad-len(signature)))...)
}

// KeyHash returns the hash by which bootloaders know a public key: all of a
// KEYHASH, where images have their hash by h.
func KeyHash(pub crypto.PublicKey, h crypto.Hash) ([]byte, error) {
	der, err := keyDER(pub)
	if err != nil {
		return nil, err
	}
	return digest(h, der), nil
}

// keyDER returns pub as bootloaders have it compiled in.
func keyDER(pub crypto.PublicKey) ([]byte, error) {
	if _, err := suiteOf(pub); err != nil {
		return nil, err
	}
	if k, ok := pub.(*rsa.PublicKey); ok {
		return x509.MarshalPKCS1PublicKey(k), nil
	}
	return x509.MarshalPKIXPublicKey(pub)
}

// KeyName says of which kind a signing key is: P-256.
func KeyName(pub crypto.PublicKey) string {
	s, err := suiteOf(pub)
	if err != nil {
		return fmt.Sprintf("%T", pub)
	}
	return s.name
}

func digest(h crypto.Hash, b []byte) []byte {
	d := h.New()
	d.Write(b)
	return d.Sum(nil)
}
