package espimage

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha512" // crypto.SHA384
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"slices"

	"github.com/tcpboot/tcpboot/pki/fleet"
)

// A suite is how Secure Boot V2 stores the keys and signatures of one scheme.
type suite struct {
	scheme    Scheme
	id, kind  byte // bytes 1 and 2 of a block
	hash      crypto.Hash
	curve     elliptic.Curve // nil: RSA
	curveID   byte
	key, size int // bytes of a stored key and of a stored signature
}

var suites = []*suite{
	{scheme: RSA3072, id: 2, kind: 0, hash: crypto.SHA256, key: 776, size: 384},
	{scheme: P256, id: 3, kind: 0, hash: crypto.SHA256, curve: elliptic.P256(), curveID: 2, key: 65, size: 64},
	{scheme: P384, id: 3, kind: 1, hash: crypto.SHA384, curve: elliptic.P384(), curveID: 3, key: 97, size: 96},
}

const (
	rsaBytes    = 384
	rsaExponent = 65537
	saltLength  = 32
)

// KeyDigest returns the SHA-256 by which chips know a Secure Boot V2 key: the
// value of their eFuses. (The ESP32-C2 keeps its first 16 bytes only.) It takes
// the keys that Sign takes.
func KeyDigest(pub crypto.PublicKey) (fleet.Digest, error) {
	s, err := suiteFor(pub)
	if err != nil {
		return fleet.Digest{}, err
	}
	return fleet.Sum(s.encodeKey(pub)), nil
}

func suiteFor(pub crypto.PublicKey) (*suite, error) {
	switch k := pub.(type) {
	case *rsa.PublicKey:
		if k.N.BitLen() == 8*rsaBytes && k.E == rsaExponent {
			return suites[0], nil
		}
		return nil, fmt.Errorf("RSA key of %d bits with exponent %d: Secure Boot takes 3072 bits and %d", k.N.BitLen(), k.E, rsaExponent)
	case *ecdsa.PublicKey:
		for _, s := range suites[1:] {
			if k.Curve == s.curve {
				return s, nil
			}
		}
		return nil, fmt.Errorf("ECDSA key on %s: Secure Boot takes P-256 and P-384", k.Curve.Params().Name)
	}
	return nil, fmt.Errorf("key of type %T: Secure Boot takes RSA-3072, P-256 and P-384", pub)
}

// encodeKey returns pub, which must be of this suite, as a block stores it.
func (s *suite) encodeKey(pub crypto.PublicKey) []byte {
	switch k := pub.(type) {
	case *rsa.PublicKey:
		return encodeRSA(k.N)
	case *ecdsa.PublicKey:
		if point, err := k.Bytes(); err == nil {
			return append([]byte{s.curveID}, swapHalves(point[1:])...)
		}
	}
	return nil
}

// encodeRSA stores n with what spares the chip a division: R and M' of
// Montgomery's arithmetic.
func encodeRSA(n *big.Int) []byte {
	one, word := big.NewInt(1), new(big.Int).Lsh(big.NewInt(1), 32)
	r := new(big.Int).Lsh(one, 2*8*rsaBytes)
	r.Mod(r, n)
	m := new(big.Int)
	if m.ModInverse(n, word) != nil { // nil: n is even, so no RSA modulus
		m.Sub(word, m)
	}
	b := little(n, rsaBytes)
	b = le.AppendUint32(b, rsaExponent)
	b = append(b, little(r, rsaBytes)...)
	return le.AppendUint32(b, uint32(m.Uint64()))
}

// decodeKey reads a stored key. It refuses what encodeKey would have stored
// otherwise.
func (s *suite) decodeKey(b []byte) (crypto.PublicKey, error) {
	if s.curve == nil {
		return decodeRSA(b)
	}
	if b[0] != s.curveID {
		return nil, fmt.Errorf("curve id %d, want %d", b[0], s.curveID)
	}
	point := append([]byte{4}, swapHalves(b[1:])...)
	return ecdsa.ParseUncompressedPublicKey(s.curve, point)
}

func decodeRSA(b []byte) (crypto.PublicKey, error) {
	k := &rsa.PublicKey{N: number(b[:rsaBytes]), E: rsaExponent}
	if k.N.BitLen() != 8*rsaBytes || k.N.Bit(0) == 0 {
		return nil, errors.New("modulus is even or not of 3072 bits")
	}
	if !slices.Equal(encodeRSA(k.N), b) {
		return nil, errors.New("exponent, R or M' does not belong to the modulus")
	}
	return k, nil
}

// sign returns key's signature over digest as a block stores it.
func (s *suite) sign(key crypto.Signer, digest []byte) ([]byte, error) {
	if s.curve != nil {
		return signECDSA(key, digest, s.hash)
	}
	sig, err := key.Sign(rand.Reader, digest, &rsa.PSSOptions{SaltLength: saltLength, Hash: s.hash})
	if err != nil {
		return nil, err
	}
	slices.Reverse(sig)
	return sig, nil
}

// signECDSA returns r and s, little-endian, each as long as the curve's numbers.
func signECDSA(key crypto.Signer, digest []byte, hash crypto.Hash) ([]byte, error) {
	der, err := key.Sign(rand.Reader, digest, hash)
	if err != nil {
		return nil, err
	}
	both, err := fromDER(der, len(digest))
	if err != nil {
		return nil, err
	}
	return swapHalves(both), nil
}

// fromDER returns r and s of an ECDSA signature, big-endian and of size bytes
// each.
func fromDER(der []byte, size int) ([]byte, error) {
	var sig struct{ R, S *big.Int }
	rest, err := asn1.Unmarshal(der, &sig)
	if err != nil || len(rest) > 0 || !fits(sig.R, size) || !fits(sig.S, size) {
		return nil, errors.New("the signer returned no ECDSA signature")
	}
	both := make([]byte, 2*size)
	sig.R.FillBytes(both[:size])
	sig.S.FillBytes(both[size:])
	return both, nil
}

func fits(n *big.Int, size int) bool { return n.Sign() > 0 && n.BitLen() <= 8*size }

// verify reports whether sig, as stored, is pub's signature over digest.
func (s *suite) verify(pub crypto.PublicKey, digest, sig []byte) bool {
	switch k := pub.(type) {
	case *rsa.PublicKey:
		big := slices.Clone(sig)
		slices.Reverse(big)
		return rsa.VerifyPSS(k, s.hash, digest, big, &rsa.PSSOptions{SaltLength: saltLength}) == nil
	case *ecdsa.PublicKey:
		half := len(sig) / 2
		return ecdsa.Verify(k, digest, number(sig[:half]), number(sig[half:]))
	}
	return false
}

// little returns n in size bytes, little-endian.
func little(n *big.Int, size int) []byte {
	b := n.FillBytes(make([]byte, size))
	slices.Reverse(b)
	return b
}

// number reads a little-endian number.
func number(b []byte) *big.Int {
	b = slices.Clone(b)
	slices.Reverse(b)
	return new(big.Int).SetBytes(b)
}

// swapHalves returns b with the byte order changed in each of its halves.
func swapHalves(b []byte) []byte {
	b = slices.Clone(b)
	slices.Reverse(b[:len(b)/2])
	slices.Reverse(b[len(b)/2:])
	return b
}
