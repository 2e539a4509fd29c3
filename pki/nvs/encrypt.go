package nvs

import (
	"bytes"
	"crypto/aes"
	"fmt"

	"golang.org/x/crypto/xts"
)

// Encrypt returns a plain image as a board with these keys reads it. It refuses
// an image that Parse finds fault with, one that is encrypted already among them.
// Erased entries are encrypted too: they may still hold what was erased.
func Encrypt(image []byte, k Keys) ([]byte, error) {
	if _, err := Parse(image); err != nil {
		return nil, fmt.Errorf("encrypt: %w", err)
	}
	return crypt(image, k, (*xts.Cipher).Encrypt)
}

// Decrypt returns an encrypted image in the clear. Nothing authenticates it: with
// other keys, Parse finds nothing but damage in the result.
func Decrypt(image []byte, k Keys) ([]byte, error) {
	if err := checkSize(len(image)); err != nil {
		return nil, err
	}
	return crypt(image, k, (*xts.Cipher).Decrypt)
}

// crypt does f to each entry that is not empty, with its offset for a tweak.
func crypt(image []byte, k Keys, f func(c *xts.Cipher, to, from []byte, tweak uint64)) ([]byte, error) {
	if err := k.check(); err != nil {
		return nil, err
	}
	c, err := xts.NewCipher(aes.NewCipher, k.key[:])
	if err != nil {
		return nil, err
	}
	image = bytes.Clone(image)
	for at := 0; at < len(image); at += pageSize {
		p := image[at:][:pageSize]
		if blank(p[:4]) {
			continue
		}
		for i := range pageEntries {
			if entryState(p, i) != entryEmpty {
				e := entryAt(p, i, 1)
				f(c, e, e, uint64(at+firstEntry+i*entrySize))
			}
		}
	}
	return image, nil
}
