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
