package mcuboot

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
)

// Sign returns payload as an image that key has signed; a nil key gives one with
// a hash alone. The key may be in hardware. It is asked for one signature, with
// rand.Reader and these options, and the signature is verified before Sign
// returns it:
//
//	RSA      *rsa.PSSOptions with a salt of 32 bytes; the image hash
//	ECDSA    crypto.SHA256 or crypto.SHA384; the image hash
//	Ed25519  crypto.Hash(0); the image hash as the message, or the content
//
// An *ecdsa.PrivateKey signs by RFC 6979: with it and with Ed25519 the same
// payload and Spec give the same bytes, unless a content key is wrapped, for which
// only AES key wrap with a Factory key draws nothing at random.
func Sign(payload []byte, s Spec, key crypto.Signer) ([]byte, error) {
	if key == nil {
		d, err := NewDraft(payload, s, nil)
		if err != nil {
			return nil, err
		}
		return d.Finish(nil)
	}
	d, err := NewDraft(payload, s, key.Public())
	if err != nil {
		return nil, err
	}
	message, options := d.ToSign()
	signature, err := key.Sign(entropy(key), message, options)
	if err != nil {
		return nil, err
	}
	return d.Finish(signature)
}

// entropy returns what makes key sign deterministically, where it can.
func entropy(key crypto.Signer) io.Reader {
	if _, ok := key.(*ecdsa.PrivateKey); ok {
		return nil
	}
	return rand.Reader
}

// A Draft is an image that lacks its signature, for keys that are elsewhere: what
// ToSign returns is carried there, the signature back, and the same Draft, or
// another of the same payload, Spec and key, takes it.
type Draft struct {
	spec    Spec
	header  Header
	public  crypto.PublicKey // nil: the image is not to be signed
	suite   *suite           // nil: the same
	hash    crypto.Hash
	keyID   []byte // KEYHASH
	digest  []byte
	content []byte // what hash and signature are over
}

// NewDraft lays out the image that the key with that public half is to sign; nil
// stands for an image without a signature.
func NewDraft(payload []byte, s Spec, public crypto.PublicKey) (d *Draft, err error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	d = &Draft{spec: s, public: public}
	if public != nil {
		if d.suite, err = suiteOf(public); err != nil {
			return nil, err
		}
	}
	if d.hash, err = s.hash(d.suite); err != nil {
		return nil, err
	}
	if public != nil {
		if d.keyID, err = KeyHash(public, d.hash); err != nil {
			return nil, err
		}
	}
	return d, d.layOut(payload)
}

func (d *Draft) layOut(payload []byte) error {
	entries, err := d.spec.protected(d.hash, d.keyID)
	if err != nil {
		return err
	}
	var protected []byte
	if len(entries) > 0 {
		if protected, err = area(protectedMagic, entries); err != nil {
			return fmt.Errorf("protected %w", err)
		}
	}
	if d.content, d.header, err = d.spec.content(payload, protected); err != nil {
		return err
	}
	d.digest = digest(d.hash, d.content)
	return nil
}

// Content returns what hash and signature are over: signers that hash by
// themselves want it. It must not be changed.
func (d *Draft) Content() []byte { return d.content }

// ToSign returns the message that the key signs, and with which options: see
// Sign. All but a pure image's is its hash.
func (d *Draft) ToSign() (message []byte, options crypto.SignerOpts) {
	message = d.digest
	if d.spec.Pure {
		message = d.content
	}
	if d.suite == nil {
		return message, d.hash
	}
	return message, d.suite.options(d.hash)
}

var errSignature = errors.New("the signature is not one by this key over this image")

// Finish returns the image with that signature, which must be good: nil where the
// draft has no key.
func (d *Draft) Finish(signature []byte) ([]byte, error) {
	unprotected := []TLV{{hashType(d.hash), d.digest}}
	if d.public != nil {
		signed, err := d.signed(signature)
		if err != nil {
			return nil, err
		}
		unprotected = append(unprotected, signed...)
	}
	payload := d.content[d.header.Size:d.header.payloadEnd()]
	if e := d.spec.Encryption; e != nil {
		wrapped, stored, err := e.seal(payload, d.digest)
		if err != nil {
			return nil, err
		}
		payload, unprotected = stored, append(unprotected, wrapped...)
	}
	return assemble(d.header, d.content, payload, unprotected)
}

// signed returns the TLVs that name the key and hold its signature.
func (d *Draft) signed(signature []byte) (all []TLV, err error) {
	message, _ := d.ToSign()
	if !verify(d.public, message, signature) {
		return nil, errSignature
	}
	if d.spec.PadSignature {
		signature = d.suite.padded(signature)
	}
	if d.spec.Pure {
		all = append(all, TLV{signPure, []byte{1}})
	}
	name := TLV{keyHash, d.keyID}
	if d.spec.FullKey {
		name.Type = publicKey
		if name.Value, err = keyDER(d.public); err != nil {
			return nil, err
		}
	}
	return append(all, name, TLV{d.suite.tlv, signature}), nil
}

// assemble writes an image: content with payload in the place of the plain one,
// and the unprotected area.
func assemble(h Header, content, payload []byte, unprotected []TLV) ([]byte, error) {
	end, err := area(unprotectedMagic, unprotected)
	if err != nil {
		return nil, fmt.Errorf("unprotected %w", err)
	}
	b := make([]byte, 0, len(content)+len(end))
	b = append(b, content[:h.Size]...)
	b = append(b, payload...)
	b = append(b, content[h.payloadEnd():]...)
	return append(b, end...), nil
}
