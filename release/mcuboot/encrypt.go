package mcuboot

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
)

// An Encryption says how a payload is encrypted.
type Encryption struct {
	// To is whom the content key is wrapped for. Nil stands for nobody yet: then
	// Clear must be set, and Encrypt wraps one later.
	To Recipient

	// KeySize is the length of the content key in bytes, 16 or 32.
	KeySize int

	// Factory, of 16 bytes or more, makes the content key: it is derived from
	// Factory and the image hash, so that whoever holds Factory can open each
	// image made with it, and no content key serves two images. Nil: the content
	// key is random.
	Factory []byte

	// Clear leaves the payload as it is: an image for the primary slot of a board
	// whose updates are encrypted.
	Clear bool

	random func([]byte) // fills a content key; nil: crypto/rand
}

const minFactory = 16

func (e *Encryption) check() error {
	switch {
	case e.KeySize != 16 && e.KeySize != 32:
		return fmt.Errorf("content key of %d bytes: want 16 or 32", e.KeySize)
	case e.Factory != nil && len(e.Factory) < minFactory:
		return fmt.Errorf("factory key of %d bytes: want %d or more", len(e.Factory), minFactory)
	case e.To == nil && !e.Clear:
		return errors.New("encryption for nobody: no bootloader could open the image")
	case e.To != nil:
		return e.To.check(e.KeySize)
	}
	return nil
}

// flag is what the header says of e; nil says nothing.
func (e *Encryption) flag() Flags {
	switch {
	case e == nil:
		return 0
	case e.KeySize == 32:
		return AES256
	}
	return AES128
}

// seal returns the TLV with the wrapped content key, and payload as it is stored.
func (e *Encryption) seal(payload, imageHash []byte) (wrapped []TLV, stored []byte, err error) {
	if e.To == nil {
		return nil, payload, nil
	}
	key, err := e.contentKey(imageHash)
	if err != nil {
		return nil, nil, err
	}
	t, err := e.To.wrap(key)
	if err != nil {
		return nil, nil, err
	}
	if e.Clear {
		return []TLV{t}, payload, nil
	}
	stored, err = crypt(key, payload)
	return []TLV{t}, stored, err
}

func (e *Encryption) contentKey(imageHash []byte) ([]byte, error) {
	if e.Factory != nil {
		return derived(e.Factory, imageHash, e.KeySize)
	}
	key := make([]byte, e.KeySize)
	if e.random != nil {
		e.random(key)
	} else {
		rand.Read(key) // never fails
	}
	return key, nil
}

// derived is the content key that a factory key gives an image. The image hash
// covers the whole plain text, so two payloads never share a key.
func derived(factory, imageHash []byte, size int) ([]byte, error) {
	return hkdf.Key(sha256.New, factory, imageHash, "tcpboot/v1/mcuboot-content-key", size)
}

// crypt encrypts a payload, or decrypts it: counter mode does not tell the two
// apart.
func crypt(key, payload []byte) ([]byte, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	out := make([]byte, len(payload))
	cipher.NewCTR(block, make([]byte, aes.BlockSize)).XORKeyStream(out, payload)
	return out, nil
}

// filled returns payload followed by zeros, so that it ends at a multiple of 16
// in the image.
func filled(payload []byte, at int) []byte {
	n := -(at + len(payload)) & (aes.BlockSize - 1)
	return append(bytes.Clone(payload), make([]byte, n)...)
}

var errNotClear = errors.New("the payload is not in the clear, or the image is damaged: its hash is another")

// Encrypt encrypts an image whose header says that it is encrypted and whose
// payload lies in the clear, as Spec.Encryption makes it with Clear, and as
// Decrypt returns it. The signature, which covers the plain payload, stays good,
// so this needs no signing key: one signed image serves many recipients. Clear
// and KeySize of e are the image's own.
func Encrypt(file []byte, e Encryption) ([]byte, error) {
	im, err := Parse(file)
	if err != nil {
		return nil, err
	}
	imageHash, err := im.checkClear()
	if err != nil {
		return nil, err
	}
	e.Clear, e.KeySize = false, im.Flags.keySize()
	if err := e.check(); err != nil {
		return nil, err
	}
	wrapped, stored, err := e.seal(im.Payload(), imageHash)
	if err != nil {
		return nil, err
	}
	return im.with(stored, wrapped...)
}

// checkClear says why im cannot be encrypted, or returns its hash.
func (im *Image) checkClear() ([]byte, error) {
	h, err := im.hashTLV()
	switch {
	case err != nil:
		return nil, err
	case !im.Encrypted():
		return nil, errNotFlagged
	case len(im.Rest()) > 0:
		return nil, fmt.Errorf("%d bytes follow the image: encrypt first, then fill the slot", len(im.Rest()))
	case !im.has(h, im.Payload()):
		return nil, errNotClear
	}
	return h.Value, nil
}

var errNotFlagged = errors.New("its header does not say that it is encrypted, and the signature covers the header: it has to be signed for encryption")

// Decrypt returns the image of file with its payload in the clear, once that has
// the image's hash. The content key stays in it, wrapped; what follows the image
// is left out.
func Decrypt(file []byte, keys ...Identity) ([]byte, error) {
	im, err := Parse(file)
	if err != nil {
		return nil, err
	}
	if !im.Encrypted() {
		return nil, errors.New("its header does not say that it is encrypted")
	}
	plain, _, err := im.open(keys)
	if err != nil {
		return nil, err
	}
	return im.with(plain, im.wrappedKeys()...)
}

// with returns the image with another payload and other wrapped keys.
func (im *Image) with(payload []byte, wrapped ...TLV) ([]byte, error) {
	var unprotected []TLV
	for _, t := range im.Unprotected {
		if !t.Type.wrapsKey() {
			unprotected = append(unprotected, t)
		}
	}
	return assemble(im.Header, im.content(im.Payload()), payload, append(unprotected, wrapped...))
}

func (im *Image) wrappedKeys() (all []TLV) {
	for _, t := range im.Unprotected {
		if t.Type.wrapsKey() {
			all = append(all, t)
		}
	}
	return all
}
