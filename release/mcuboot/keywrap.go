package mcuboot

import (
	"bytes"
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
)

// AES key wrap by RFC 3394, section 2.2. Neither the standard library nor
// golang.org/x/crypto has it, and the bootloader knows no other way to wrap by a
// symmetric key.

const semiblock = 8

var wrapIV = bytes.Repeat([]byte{0xa6}, semiblock)

// keyWrap wraps a key of two or more semiblocks.
func keyWrap(block cipher.Block, key []byte) []byte {
	out := append(bytes.Clone(wrapIV), key...)
	n := len(key) / semiblock
	var b [2 * semiblock]byte
	for step := range 6 * n {
		at := out[(step%n+1)*semiblock:][:semiblock]
		copy(b[:semiblock], out)
		copy(b[semiblock:], at)
		block.Encrypt(b[:], b[:])
		binary.BigEndian.PutUint64(out, binary.BigEndian.Uint64(b[:])^uint64(step+1))
		copy(at, b[semiblock:])
	}
	return out
}

// keyUnwrap returns the key in wrapped; not ok where block did not wrap it.
func keyUnwrap(block cipher.Block, wrapped []byte) (key []byte, ok bool) {
	n := len(wrapped)/semiblock - 1
	if len(wrapped)%semiblock != 0 || n < 2 {
		return nil, false
	}
	out := bytes.Clone(wrapped)
	var b [2 * semiblock]byte
	for step := 6*n - 1; step >= 0; step-- {
		at := out[(step%n+1)*semiblock:][:semiblock]
		binary.BigEndian.PutUint64(b[:], binary.BigEndian.Uint64(out)^uint64(step+1))
		copy(b[semiblock:], at)
		block.Decrypt(b[:], b[:])
		copy(out, b[:semiblock])
		copy(at, b[semiblock:])
	}
	return out[semiblock:], subtle.ConstantTimeCompare(out[:semiblock], wrapIV) == 1
}
