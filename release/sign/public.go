package sign

import (
	"crypto"
	"fmt"

	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/sigstore/sigstore/pkg/signature"

	"github.com/tcpboot/tcpboot/release/cose"
)

// MaxPublicPEM bounds the file of a public key.
const MaxPublicPEM = 4096

// ParseKey reads the PEM file of a P-256 public key, as MarshalKey, openssl and
// cosign write it.
func ParseKey(pem []byte) (cose.Key, error) {
	if len(pem) > MaxPublicPEM {
		return cose.Key{}, fmt.Errorf("public key: %d bytes, more than %d", len(pem), MaxPublicPEM)
	}
	pub, err := cryptoutils.UnmarshalPEMToPublicKey(pem)
	if err != nil {
		return cose.Key{}, fmt.Errorf("public key: %w", err)
	}
	return cose.KeyOf(pub)
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
