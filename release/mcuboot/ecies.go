package mcuboot

import (
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"hash"
	"slices"
)

type hashFunc = func() hash.Hash

const eciesInfo = "MCUBoot_ECIES_v1"

type eciesRecipient struct {
	key *ecdh.PublicKey
	tlv Type
}

func (eciesRecipient) check(int) error { return nil }

func (r eciesRecipient) wrap(contentKey []byte) (TLV, error) {
	ephemeral, err := r.key.Curve().GenerateKey(rand.Reader)
	if err != nil {
		return TLV{}, err
	}
	return r.wrapWith(ephemeral, contentKey)
}

func (r eciesRecipient) wrapWith(ephemeral *ecdh.PrivateKey, contentKey []byte) (TLV, error) {
	h := eciesHash(r.tlv)
	keys, err := agree(ephemeral, r.key, h, len(contentKey))
	if err != nil {
		return TLV{}, err
	}
	wrapped, err := crypt(keys.encrypt, contentKey)
	if err != nil {
		return TLV{}, err
	}
	return TLV{r.tlv, slices.Concat(ephemeral.PublicKey().Bytes(), keys.tag(h, wrapped), wrapped)}, nil
}

type eciesIdentity struct{ key *ecdh.PrivateKey }

// unwrap checks the tag before it looks at what the tag is over.
func (i eciesIdentity) unwrap(_ *Image, t TLV, keySize int) ([]byte, error) {
	if !i.takes(t.Type) {
		return nil, errOther
	}
	h := eciesHash(t.Type)
	point := len(i.key.PublicKey().Bytes())
	tag := h().Size()
	if len(t.Value) != point+tag+keySize {
		return nil, errNotOurs
	}
	ephemeral, err := i.key.Curve().NewPublicKey(t.Value[:point])
	if err != nil {
		return nil, errNotOurs
	}
	keys, err := agree(i.key, ephemeral, h, keySize)
	if err != nil {
		return nil, errNotOurs
	}
	wrapped := t.Value[point+tag:]
	if !hmac.Equal(t.Value[point:point+tag], keys.tag(h, wrapped)) {
		return nil, errNotOurs
	}
	return crypt(keys.encrypt, wrapped)
}

func (i eciesIdentity) takes(t Type) bool {
	if i.key.Curve() == ecdh.P256() {
		return t == encEC256
	}
	return t == encX25519 || t == encX25519SHA512
}

// An agreement is what both sides derive from the shared secret.
type agreement struct{ encrypt, authenticate []byte }

// agree derives the keys. The secret that ECDH gives is always 32 bytes: a leading
// zero of the X coordinate stays, which other libraries have lost.
func agree(private *ecdh.PrivateKey, public *ecdh.PublicKey, h hashFunc, keySize int) (a agreement, err error) {
	secret, err := private.ECDH(public)
	if err != nil {
		return a, err
	}
	keys, err := hkdf.Key(h, secret, nil, eciesInfo, keySize+h().Size())
	if err != nil {
		return a, err
	}
	return agreement{keys[:keySize], keys[keySize:]}, nil
}

func (a agreement) tag(h hashFunc, wrapped []byte) []byte {
	mac := hmac.New(h, a.authenticate)
	mac.Write(wrapped)
	return mac.Sum(nil)
}
