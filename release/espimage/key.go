package espimage

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"errors"
	"fmt"
	"math/big"
	"slices"
)

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
