package espimage

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/tcpboot/tcpboot/pki/fleet"
)

const (
	blockMagic = 0xe7
	blockSize  = 1216
	maxBlocks  = 3
	prefixSize = 4
	crcOffset  = 1196
	blockEnd   = 1200 // zeros follow
)

// A Block is one signature of a signed image, as Inspect judged it.
type Block struct {
	Position int // 0, 1 or 2
	Scheme   Scheme
	Key      fleet.Digest // of the key in the block, as KeyDigest returns it
	Err      error        // why the block is no good signature by Key; nil: it is
}

// encodeBlock makes the block in which key signs what has that digest.
func (s *suite) encodeBlock(key crypto.Signer, digest []byte) ([]byte, error) {
	sig, err := s.sign(key, digest)
	if err != nil {
		return nil, err
	}
	if len(sig) != s.size {
		return nil, fmt.Errorf("the signer returned a signature of %d bytes, want %d", len(sig), s.size)
	}
	b := make([]byte, 0, blockSize)
	b = append(b, blockMagic, s.id, s.kind, 0)
	b = append(b, digest...)
	b = append(b, s.encodeKey(key.Public())...)
	b = append(b, sig...)
	b = b[:blockSize] // the rest is zero
	le.PutUint32(b[crcOffset:], crc32.ChecksumIEEE(b[:crcOffset]))
	return b, nil
}

// judge reads block b and checks that it signs what has that digest, by the
// block's suite.
func judge(b []byte, digestBy func(*suite) []byte) (Scheme, fleet.Digest, error) {
	s, err := suiteOf(b)
	if err != nil {
		return "", fleet.Digest{}, err
	}
	rest := b[prefixSize:]
	next := func(n int) (field []byte) {
		field, rest = rest[:n], rest[n:]
		return field
	}
	digest, key, sig := next(s.hash.Size()), next(s.key), next(s.size)
	id := fleet.Sum(key)
	pub, err := s.decodeKey(key)
	switch zeros := rest[:len(rest)-(blockSize-crcOffset)]; {
	case err != nil:
		return s.scheme, id, fmt.Errorf("key: %w", err)
	case !zero(zeros) || !zero(b[blockEnd:]):
		return s.scheme, id, errors.New("unused bytes are not zero")
	case !bytes.Equal(digest, digestBy(s)):
		return s.scheme, id, errors.New("digest is not that of the image")
	case !s.verify(pub, digest, sig):
		return s.scheme, id, errors.New("signature is wrong")
	}
	return s.scheme, id, nil
}

// suiteOf checks the frame of block b: its first four bytes and its CRC.
func suiteOf(b []byte) (*suite, error) {
	if b[0] != blockMagic {
		return nil, fmt.Errorf("magic %#02x, want %#02x", b[0], blockMagic)
	}
	if got, want := le.Uint32(b[crcOffset:]), crc32.ChecksumIEEE(b[:crcOffset]); got != want {
		return nil, fmt.Errorf("CRC %#08x, want %#08x", got, want)
	}
	for _, s := range suites {
		if b[1] == s.id && b[2] == s.kind && b[3] == 0 {
			return s, nil
		}
	}
	return nil, fmt.Errorf("unknown scheme % x", b[1:prefixSize])
}

func zero(b []byte) bool { return bytes.Count(b, []byte{0}) == len(b) }
