package espimage

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"slices"

	"github.com/tcpboot/tcpboot/pki/fleet"
)

// Sign returns the image of file with one Secure Boot V2 block by each of one
// to three keys, block 0 by the first. It refuses what CheckRelease refuses,
// keys of different schemes, a key twice, and a scheme that no revision of the
// chip takes. The keys may be in hardware: each signature is verified before
// Sign returns it.
func Sign(file []byte, keys ...crypto.Signer) ([]byte, error) {
	im, err := CheckRelease(file)
	if err != nil {
		return nil, err
	}
	return im.Sign(keys...)
}

var errUnchecked = errors.New("the image was not checked for release")

// Sign is what the function Sign does, for an image that CheckRelease has
// returned.
func (im *Image) Sign(keys ...crypto.Signer) ([]byte, error) {
	if im.content == nil {
		return nil, errUnchecked
	}
	s, err := commonSuite(keys)
	if err != nil {
		return nil, err
	}
	if err := Allowed(im.Chip, ^uint16(0), s.scheme); err != nil {
		return nil, err
	}
	at := align(im.Length)
	signed := fill(im.content, at+sectorSize)
	digest := im.digest(s.hash, signed[:at])
	var failed []error // all: of keys that are elsewhere each is to be told what to sign
	for i, key := range keys {
		b, err := s.encodeBlock(key, digest)
		if err == nil {
			_, _, err = judge(b, func(*suite) []byte { return digest })
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("key %d of %d: %w", i+1, len(keys), err))
		}
		copy(signed[at+i*blockSize:], b)
	}
	if failed != nil {
		return nil, errors.Join(failed...)
	}
	return signed, nil
}

// Sum returns the SHA-256 of signed, which Sign or SignV1 has returned for im. What the
// two have in common is not read again.
func (im *Image) Sum(signed []byte) fleet.Digest {
	return fleet.Digest(im.digest(crypto.SHA256, signed))
}

// digest returns the digest of b, which begins with the image.
func (im *Image) digest(by crypto.Hash, b []byte) []byte {
	if by == crypto.SHA256 && im.hashed != nil {
		if h, err := im.hashed.Clone(); err == nil {
			h.Write(b[im.Length:])
			return h.Sum(nil)
		}
	}
	h := by.New()
	h.Write(b)
	return h.Sum(nil)
}

// commonSuite returns the suite of all keys.
func commonSuite(keys []crypto.Signer) (*suite, error) {
	if len(keys) < 1 || len(keys) > maxBlocks {
		return nil, fmt.Errorf("%d keys: a signature sector has 1 to %d blocks", len(keys), maxBlocks)
	}
	var common *suite
	var seen [][]byte
	for _, key := range keys {
		s, err := suiteFor(key.Public())
		if err != nil {
			return nil, err
		}
		if common != nil && s != common {
			return nil, fmt.Errorf("keys for %s and %s: a chip checks one scheme", common.scheme, s.scheme)
		}
		stored := s.encodeKey(key.Public())
		if slices.ContainsFunc(seen, func(b []byte) bool { return bytes.Equal(b, stored) }) {
			return nil, errors.New("the same key twice")
		}
		common, seen = s, append(seen, stored)
	}
	return common, nil
}

// fill returns b followed by 0xff, size bytes in all.
func fill(b []byte, size int) []byte {
	return slices.Concat(b, bytes.Repeat([]byte{0xff}, size-len(b)))
}
