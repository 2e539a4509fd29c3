package sign

import (
	"crypto"
	"encoding/pem"
	"fmt"

	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/sigstore/sigstore/pkg/signature"

	"github.com/tcpboot/tcpboot/release/cose"
)

// MaxPublicPEM bounds the file of a public key.
const MaxPublicPEM = 4096

// ParseKey reads the PEM file of a P-256 public key, as MarshalKey, openssl and
// cosign write it.
func ParseKey(text []byte) (cose.Key, error) {
	if len(text) > MaxPublicPEM {
		return cose.Key{}, fmt.Errorf("public key: %d bytes, more than %d", len(text), MaxPublicPEM)
	}
	pub, err := cryptoutils.UnmarshalPEMToPublicKey(text)
	if err != nil {
		return cose.Key{}, fmt.Errorf("public key: %w", err)
	}
	return cose.KeyOf(pub)
}

// ParseKeys is ParseKey for a file of several, one after the other, as there are while
// the keys of a site overlap. There is at least one.
func ParseKeys(text []byte) (keys []cose.Key, err error) {
	if len(text) > MaxPublicPEM {
		return nil, fmt.Errorf("public keys: %d bytes, more than %d", len(text), MaxPublicPEM)
	}
	for {
		block, rest := pem.Decode(text)
		if block == nil && len(keys) > 0 {
			return keys, nil
		}
		key, err := ParseKey(text[:len(text)-len(rest)])
		if err != nil {
			return nil, err
		}
		keys, text = append(keys, key), rest
	}
}

// MarshalKey returns k as a PEM file.
func MarshalKey(k cose.Key) ([]byte, error) {
	pub, err := k.Public()
	if err != nil {
		return nil, err
	}
	return cryptoutils.MarshalPublicKeyToPEM(pub)
}

// Verifier returns what checks the signatures that Release.Message makes.
func Verifier(k cose.Key) (signature.Verifier, error) {
	pub, err := k.Public()
	if err != nil {
		return nil, err
	}
	return signature.LoadECDSAVerifier(pub, crypto.SHA256)
}
