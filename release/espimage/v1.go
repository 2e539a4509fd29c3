package espimage

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/big"
	"slices"
)

// sizeV1 is the size of a V1 signature: a zero word, r, s.
const sizeV1 = 4 + 64

// SignV1 returns the image of file with a Secure Boot V1 signature by key, a
// P-256 key. It refuses what CheckRelease refuses and any chip but the ESP32.
// With an *ecdsa.PrivateKey the same image gives the same bytes (RFC 6979), the
// ones that espsecure makes.
func SignV1(file []byte, key crypto.Signer) ([]byte, error) {
	im, err := CheckRelease(file)
	if err != nil {
		return nil, err
	}
	return im.SignV1(key)
}

// SignV1 is what the function SignV1 does, for an image that CheckRelease has
// returned.
func (im *Image) SignV1(key crypto.Signer) ([]byte, error) {
	if im.content == nil {
		return nil, errUnchecked
	}
	if err := Allowed(im.Chip, ^uint16(0), V1); err != nil {
		return nil, err
	}
	pub, ok := key.Public().(*ecdsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("key of type %T: Secure Boot V1 takes P-256", key.Public())
	}
	if err := checkV1(pub); err != nil {
		return nil, err
	}
	digest := [sha256.Size]byte(im.digest(crypto.SHA256, im.content))
	der, err := key.Sign(entropy(key), digest[:], crypto.SHA256)
	if err != nil {
		return nil, err
	}
	sig, err := fromDER(der, 32)
	if err != nil {
		return nil, err
	}
	if !goodV1(pub, digest, sig) {
		return nil, errV1
	}
	return slices.Concat(im.content, make([]byte, 4), sig), nil
}

var errV1 = errors.New("V1 signature is wrong")

// goodV1 reports whether sig is r and s of key's signature over digest.
func goodV1(key *ecdsa.PublicKey, digest [sha256.Size]byte, sig []byte) bool {
	r, s := new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:])
	return ecdsa.Verify(key, digest[:], r, s)
}

// entropy returns what makes key sign deterministically, where it can.
func entropy(key crypto.Signer) io.Reader {
	if _, ok := key.(*ecdsa.PrivateKey); ok {
		return nil
	}
	return rand.Reader
}

// VerifyV1 parses file and says why an ESP32 with key compiled in refuses it.
// The image is nil only where Parse failed.
func VerifyV1(file []byte, key *ecdsa.PublicKey) (*Image, error) {
	im, err := Parse(file)
	if err != nil {
		return nil, err
	}
	return im, im.VerifyV1(file, key)
}

// VerifyV1 is what the function VerifyV1 does, for a file that Parse has read.
func (im *Image) VerifyV1(file []byte, key *ecdsa.PublicKey) error {
	if len(file) != im.Length+sizeV1 {
		return fmt.Errorf("file of %d bytes: with a V1 signature this image makes %d", len(file), im.Length+sizeV1)
	}
	if err := checkV1(key); err != nil {
		return err
	}
	digest := [sha256.Size]byte(im.digest(crypto.SHA256, file[:im.Length]))
	version, sig := le.Uint32(file[im.Length:]), file[im.Length+4:]
	switch {
	case version != 0:
		return fmt.Errorf("V1 signature at offset %#x: version %d, want 0", im.Length, version)
	case !goodV1(key, digest, sig):
		return errV1
	}
	return nil
}

// KeyV1 returns key as a V1 board has it compiled in: x and y, big-endian, the
// content of ESP-IDF's signature_verification_key.bin.
func KeyV1(key *ecdsa.PublicKey) ([]byte, error) {
	if err := checkV1(key); err != nil {
		return nil, err
	}
	point, err := key.Bytes()
	if err != nil {
		return nil, err
	}
	return point[1:], nil
}

func checkV1(key *ecdsa.PublicKey) error {
	if key.Curve != elliptic.P256() {
		return fmt.Errorf("key on %s: Secure Boot V1 takes P-256", key.Curve.Params().Name)
	}
	return nil
}
