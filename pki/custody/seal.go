package custody

import (
	"bytes"
	"crypto"
	"encoding/pem"
	"errors"
	"fmt"

	"go.step.sm/crypto/pemutil"
)

// Bounds on a key file. They hold before any of its numbers is used.
const (
	maxFile       = 16 << 10   // bytes of PEM: RSA-3072 needs 2.5 KiB
	minIterations = 1_000      // OpenSSL 3 writes 2,048
	maxIterations = 10_000_000 // some seconds
)

// ErrPassphrase says that a passphrase does not open a key, or that the key is
// damaged: the format cannot tell the two apart.
var ErrPassphrase = errors.New("wrong passphrase, or the key is damaged")

const encryptedType = "ENCRYPTED PRIVATE KEY"

// Seal encrypts key with passphrase, which must not be empty. The key must lie
// in memory and be of a known Kind.
func Seal(key crypto.Signer, passphrase []byte) ([]byte, error) {
	if len(passphrase) == 0 {
		return nil, errors.New("sealing a key: the passphrase is empty")
	}
	if _, err := KindOf(key.Public()); err != nil {
		return nil, fmt.Errorf("sealing a key: %w", err)
	}
	// Without WithPKCS8 pemutil falls back to the PEM encryption of old, with MD5.
	block, err := pemutil.Serialize(key, pemutil.WithPKCS8(true), pemutil.WithPassword(passphrase))
	if err != nil {
		return nil, fmt.Errorf("sealing a key: %T cannot be written down", key)
	}
	return pem.EncodeToMemory(block), nil
}

// Unseal opens what Seal wrote. ErrPassphrase is the only error that another
// passphrase may cure.
func Unseal(text, passphrase []byte) (crypto.Signer, error) {
	block, err := encryptedBlock(text)
	if err != nil {
		return nil, err
	}
	if err := checkEnvelope(block.Bytes); err != nil {
		return nil, err
	}
	// What pemutil says from here on depends on the decrypted bytes; it is not repeated.
	key, err := pemutil.ParseKey(pem.EncodeToMemory(block), pemutil.WithPassword(passphrase))
	if err != nil {
		return nil, ErrPassphrase
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("key of type %T: %w", key, errKind)
	}
	if _, err := KindOf(signer.Public()); err != nil {
		return nil, err
	}
	return signer, nil
}

// encryptedBlock returns the one PEM block of a key file.
func encryptedBlock(text []byte) (*pem.Block, error) {
	if len(text) > maxFile {
		return nil, fmt.Errorf("key file: longer than %d bytes", maxFile)
	}
	block, rest := pem.Decode(text)
	switch {
	case block == nil:
		return nil, errors.New("key file: no PEM block")
	case len(block.Headers) != 0:
		return nil, errors.New("key file: PEM headers: the key is not in PKCS#8; convert it with openssl pkcs8 -topk8")
	case block.Type != encryptedType:
		return nil, fmt.Errorf("key file: the PEM block is not %q", encryptedType)
	case len(bytes.TrimSpace(rest)) != 0:
		return nil, errors.New("key file: more after the PEM block")
	}
	return block, nil
}
