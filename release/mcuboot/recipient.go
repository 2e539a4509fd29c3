package mcuboot

import (
	"crypto/aes"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"fmt"
)

// A Recipient is what content keys are wrapped for: the public half of a key that
// bootloaders hold, or, for AES key wrap, that key itself.
type Recipient interface {
	// check says why no content key of that size can be wrapped.
	check(keySize int) error
	wrap(contentKey []byte) (TLV, error)
}

// An Identity opens what was wrapped for it, as a bootloader does.
type Identity interface {
	// unwrap returns the content key of im, of that size, given the TLV that
	// holds it wrapped. errOther says that it is wrapped for a key of another kind.
	unwrap(im *Image, t TLV, keySize int) ([]byte, error)
}

var errOther = errors.New("wrapped for a key of another kind")

// NewRecipient makes a Recipient of an *rsa.PublicKey with 2048 bits, of an
// *ecdsa.PublicKey or *ecdh.PublicKey on P-256, of an *ecdh.PublicKey for X25519,
// or of the 16 or 32 bytes of a key for AES key wrap.
func NewRecipient(key any) (Recipient, error) {
	switch k := key.(type) {
	case *rsa.PublicKey:
		return rsaRecipient{k}, checkRSA(k)
	case *ecdsa.PublicKey:
		if k.Curve != elliptic.P256() {
			return nil, fmt.Errorf("ECDSA key on %s: no bootloader unwraps with it; want P-256", k.Curve.Params().Name)
		}
		point, err := k.ECDH()
		if err != nil {
			return nil, err
		}
		return eciesRecipient{point, encEC256}, nil
	case *ecdh.PublicKey:
		switch k.Curve() {
		case ecdh.P256():
			return eciesRecipient{k, encEC256}, nil
		case ecdh.X25519():
			return eciesRecipient{k, encX25519}, nil
		}
	case []byte:
		return kek(k), kek(k).check(len(k))
	}
	return nil, errKind(key)
}

// NewRecipientSHA512 makes a Recipient of a key for X25519 whose bootloader was
// built with SHA-512 alone.
func NewRecipientSHA512(key any) (Recipient, error) {
	k, ok := key.(*ecdh.PublicKey)
	if !ok || k.Curve() != ecdh.X25519() {
		return nil, fmt.Errorf("key of type %T: key wrapping with SHA-512 is for X25519 alone", key)
	}
	return eciesRecipient{k, encX25519SHA512}, nil
}

// NewIdentity makes an Identity of an *rsa.PrivateKey, *ecdsa.PrivateKey or
// *ecdh.PrivateKey, or of the 16 or 32 bytes of a key for AES key wrap.
func NewIdentity(key any) (Identity, error) {
	switch k := key.(type) {
	case *rsa.PrivateKey:
		return rsaIdentity{k}, checkRSA(&k.PublicKey)
	case *ecdsa.PrivateKey:
		private, err := k.ECDH()
		if err != nil {
			return nil, err
		}
		return NewIdentity(private)
	case *ecdh.PrivateKey:
		if k.Curve() == ecdh.P256() || k.Curve() == ecdh.X25519() {
			return eciesIdentity{k}, nil
		}
	case []byte:
		return kek(k), kek(k).check(len(k))
	}
	return nil, errKind(key)
}

// Factory makes an Identity of the key that Encryption.Factory held.
func Factory(key []byte) Identity { return factory(key) }

type factory []byte

// unwrap derives the content key from the hash that the image states. Whether
// that is the payload's is seen when it is decrypted.
func (f factory) unwrap(im *Image, _ TLV, keySize int) ([]byte, error) {
	if len(f) < minFactory {
		return nil, fmt.Errorf("factory key of %d bytes: want %d or more", len(f), minFactory)
	}
	h, err := im.hashTLV()
	if err != nil {
		return nil, err
	}
	return derived(f, h.Value, keySize)
}

func errKind(key any) error {
	return fmt.Errorf("key of type %T: content keys are wrapped for RSA-2048, P-256, X25519 and AES", key)
}

func checkRSA(k *rsa.PublicKey) error {
	if k.N.BitLen() != 2048 {
		return fmt.Errorf("RSA key of %d bits: bootloaders unwrap with 2048", k.N.BitLen())
	}
	return nil
}

type rsaRecipient struct{ key *rsa.PublicKey }

func (rsaRecipient) check(int) error { return nil }

func (r rsaRecipient) wrap(contentKey []byte) (TLV, error) {
	value, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, r.key, contentKey, nil)
	return TLV{encRSA2048, value}, err
}

type rsaIdentity struct{ key *rsa.PrivateKey }

func (i rsaIdentity) unwrap(_ *Image, t TLV, keySize int) ([]byte, error) {
	if t.Type != encRSA2048 {
		return nil, errOther
	}
	key, err := rsa.DecryptOAEP(sha256.New(), nil, i.key, t.Value, nil)
	if err != nil || len(key) != keySize {
		return nil, errNotOurs
	}
	return key, nil
}

// errNotOurs does not say more, and so is no oracle.
var errNotOurs = errors.New("not wrapped for this key, or damaged")

// A kek wraps keys of its own length.
type kek []byte

func (k kek) check(keySize int) error {
	switch {
	case len(k) != 16 && len(k) != 32:
		return fmt.Errorf("key of %d bytes for AES key wrap: want 16 or 32", len(k))
	case len(k) != keySize:
		return fmt.Errorf("key of %d bytes for AES key wrap, and a content key of %d: bootloaders want both as long", len(k), keySize)
	}
	return nil
}

func (k kek) wrap(contentKey []byte) (TLV, error) {
	block, err := aes.NewCipher(k)
	if err != nil {
		return TLV{}, err
	}
	return TLV{encKW, keyWrap(block, contentKey)}, nil
}

func (k kek) unwrap(_ *Image, t TLV, keySize int) ([]byte, error) {
	if t.Type != encKW || len(k) != keySize {
		return nil, errOther
	}
	block, err := aes.NewCipher(k)
	if err != nil {
		return nil, err
	}
	key, ok := keyUnwrap(block, t.Value)
	if !ok || len(key) != keySize {
		return nil, errNotOurs
	}
	return key, nil
}

// eciesHash is what ECIES under a type derives and authenticates with.
func eciesHash(t Type) hashFunc {
	if t == encX25519SHA512 {
		return sha512.New
	}
	return sha256.New
}
