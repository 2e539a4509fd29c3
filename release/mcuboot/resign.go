package mcuboot

import (
	"crypto"
	"errors"
	"fmt"
)

var errSigned = errors.New("the image has a signature")

// Begins reports whether file begins as an image does.
func Begins(file []byte) bool { return len(file) >= headerSize && le.Uint32(file) == magic }

// Signed reports whether im has a signature, good or bad.
func (im *Image) Signed() bool {
	for _, t := range im.Unprotected {
		if t.Type >= signRSA2048 && t.Type <= signPure {
			return true
		}
	}
	return false
}

// CanSign says why SignWhole could not sign file with a key that has that public half.
func CanSign(file []byte, public crypto.PublicKey) error {
	_, _, err := toSign(file, public)
	return err
}

// toSign proves an image that lacks a signature, and returns how public signs it.
func toSign(file []byte, public crypto.PublicKey) (*Report, *suite, error) {
	r, err := Verify(file, Trust{})
	if err != nil {
		return nil, nil, err
	}
	switch n := len(r.Image.Rest()); {
	case r.Image.Signed():
		return nil, nil, errSigned
	case n > 0:
		return nil, nil, fmt.Errorf("%d bytes follow the image, which is to grow: sign it before it is padded", n)
	}
	s, err := suiteOf(public)
	if err == nil {
		err = s.checkHash(r.Hash)
	}
	return r, s, err
}

// SignWhole returns file, an image with a hash alone, with a signature by key and all
// else as it was. The key is asked as by Sign, and only once the hash proved to be that
// of the image. What is encrypted cannot be proved, and is refused.
func SignWhole(file []byte, key crypto.Signer) ([]byte, error) {
	r, s, err := toSign(file, key.Public())
	if err != nil {
		return nil, err
	}
	id, err := KeyHash(key.Public(), r.Hash)
	if err != nil {
		return nil, err
	}
	signature, err := key.Sign(entropy(key), r.Digest, s.options(r.Hash))
	if err != nil {
		return nil, err
	}
	if !verify(key.Public(), r.Digest, signature) {
		return nil, errSignature
	}
	im := r.Image
	all := append(im.Unprotected[:len(im.Unprotected):len(im.Unprotected)], TLV{keyHash, id}, TLV{s.tlv, signature})
	return assemble(im.Header, file[:im.payloadEnd()+im.ProtectedSize], im.Payload(), all)
}
