// Package mcuboot reads, makes, encrypts and judges the images that MCUboot
// starts on a second chip behind the board. It decides nothing about releases.
//
// # The image
//
// Integers are little-endian. A header is followed by the payload, which is the
// program, by an area of protected TLVs, which may be missing, and by an area of
// unprotected ones:
//
//	 0  3d b8 f3 96              magic
//	 4  00 00 00 00              load address; 0 where no flag asks for one
//	 8  00 02                    header size: the payload begins at 0x200
//	10  0c 00                    size of the protected area; 0: there is none
//	12  89 13 00 00              size of the payload
//	16  00 00 00 00              flags
//	20  01 02 03 00 04 00 00 00  version 1.2.3+4: 8, 8, 16 and 32 bits
//	28  00 00 00 00              reserved
//	32  ff ff …                  filled up to the header size with anything
//
//	    08 69 0c 00              protected area: magic, its size with these four
//	    50 00 04 00 07 00 00 00  a TLV: type SEC_CNT, length 4, security counter 7
//
//	    07 69 93 00              unprotected area
//	    10 00 20 00 d4 9c …      SHA256
//	    01 00 20 00 35 1f …      KEYHASH
//	    22 00 47 00 30 45 …      ECDSA_SIG
//
// TLVs are packed: an odd length is followed by the next type at once. An entry
// ends inside its area, and the last one at the area's end. There the image ends,
// whatever the length of the file: Image.Length. What follows is a slot's
// padding, and nothing vouches for it.
//
// # What is covered
//
// The image hash is over header, payload and protected area, as they are with the
// payload in plain text. It must be there. The signature is over this hash, or,
// where a TLV SIG_PURE says 1, over the very bytes that the hash is over.
//
//	key            hash             signature
//	RSA-2048       SHA-256          PSS, salt of 32 bytes
//	RSA-3072       SHA-256          PSS, salt of 32 bytes
//	P-256          SHA-256          ECDSA in DER, zeros may follow
//	P-384          SHA-384          ECDSA in DER, zeros may follow
//	Ed25519        SHA-256 or 512   Ed25519 with the hash as its message
//	Ed25519, pure  SHA-512          Ed25519 with the whole as its message
//
// A signature counts for the key that the KEYHASH or PUBKEY before it names. A
// KEYHASH is the start of the hash, by the image's own algorithm, of the public
// key: PKCS#1 for RSA, SubjectPublicKeyInfo for others. Signatures of keys that
// the bootloader does not know are passed over; of those it knows, the last one
// decides.
//
// # Encryption
//
// A flag says that the payload is encrypted with AES-128 or AES-256 in counter
// mode, the counter starting at zero. So a content key may serve for one image
// only: two payloads under one key give each other away. The payload is filled
// with zeros so that it ends at a multiple of 16. The content key is in the
// image, wrapped for a key that the bootloader holds:
//
//	ENC_RSA2048        RSA-OAEP with SHA-256
//	ENC_KW             AES key wrap (RFC 3394) with a key as long as the content key
//	ENC_EC256          ephemeral P-256 point, tag, encrypted content key
//	ENC_X25519         ephemeral X25519 key, tag, encrypted content key
//	ENC_X25519_SHA512  the same with SHA-512
//
// The last three derive from the shared secret, by HKDF without salt and with
// the info "MCUBoot_ECIES_v1", a key for AES in counter mode and one for HMAC,
// whose tag is over the encrypted content key.
//
// A bootloader decrypts an image while it moves it into the primary slot; there
// it lies in the clear, though its flag still says otherwise. A file may be in
// that state too (Encryption.Clear).
//
// # The slot
//
// A programmer writes whole slots. The end of one tells the bootloader what to do
// with the image: see Slot.
//
// # What is left out
//
// Compressed images are judged by their outer hash and signature; they are neither
// made nor unpacked. Images with big-endian integers are refused by name.
package mcuboot

import (
	"encoding/binary"
	"fmt"
	"strings"
)

var le = binary.LittleEndian

// An Image is what Parse found at the start of a file.
type Image struct {
	Header
	Protected   []TLV // covered by hash and signature
	Unprotected []TLV // hash, signatures and wrapped keys; covered by nothing
	Length      int   // bytes of the file that are the image

	file []byte
}

// A Header is the start of an image.
type Header struct {
	LoadAddress   uint32 // where RAMLoad or ROMFixed is set
	Size          int    // offset of the payload
	ProtectedSize int    // of the protected area; 0: there is none
	PayloadSize   int
	Flags         Flags
	Version       Version
}

// Flags are those of the header.
type Flags uint32

// The flags. The format has more: for position-independent code, which nothing
// supports, and for compression.
const (
	AES128      Flags = 0x0004 // the payload is encrypted with a key of 16 bytes
	AES256      Flags = 0x0008 // the payload is encrypted with a key of 32 bytes
	NonBootable Flags = 0x0010 // never started by itself
	RAMLoad     Flags = 0x0020 // LoadAddress is where in RAM it is started
	ROMFixed    Flags = 0x0100 // LoadAddress is where in flash it is started

	compressedLZMA1 Flags = 0x0200
	compressedLZMA2 Flags = 0x0400
	compressed            = compressedLZMA1 | compressedLZMA2
	encrypted             = AES128 | AES256
)

var flagNames = []struct {
	flag Flags
	name string
}{
	{0x0001, "PIC"}, {AES128, "AES128"}, {AES256, "AES256"}, {NonBootable, "NON_BOOTABLE"},
	{RAMLoad, "RAM_LOAD"}, {ROMFixed, "ROM_FIXED"}, {compressedLZMA1, "LZMA1"},
	{compressedLZMA2, "LZMA2"}, {0x0800, "ARM_THUMB"},
}

// Names returns the format's names of the flags that are set.
func (f Flags) Names() []string {
	names := []string{}
	for _, n := range flagNames {
		if f&n.flag != 0 {
			names = append(names, n.name)
			f &^= n.flag
		}
	}
	if f != 0 {
		names = append(names, fmt.Sprintf("%#x", uint32(f)))
	}
	return names
}

func (f Flags) String() string { return strings.Join(f.Names(), " ") }

// keySize is the length in bytes of the content key that f asks for; 0: none.
func (f Flags) keySize() int {
	switch {
	case f&AES128 != 0:
		return 16
	case f&AES256 != 0:
		return 32
	}
	return 0
}

// Encrypted reports whether the header says that the payload is encrypted. In the
// file it may lie in the clear all the same: Report.Clear.
func (h Header) Encrypted() bool { return h.Flags&encrypted != 0 }

// payloadEnd is the offset after the payload.
func (h Header) payloadEnd() int { return h.Size + h.PayloadSize }

// Payload returns the payload as the file holds it, encrypted or not.
func (im *Image) Payload() []byte { return im.file[im.Size:im.payloadEnd()] }

// Rest returns what follows the image in its file: padding, if anything.
func (im *Image) Rest() []byte { return im.file[im.Length:] }

// content returns what hash and signature are over, given the plain payload.
func (im *Image) content(payload []byte) []byte {
	end := im.payloadEnd()
	c := make([]byte, 0, end+im.ProtectedSize)
	c = append(c, im.file[:im.Size]...)
	c = append(c, payload...)
	return append(c, im.file[end:end+im.ProtectedSize]...)
}

// Counter returns the security counter. It is read from the protected area only:
// outside of it anybody could have put one.
func (im *Image) Counter() (n uint32, ok bool) {
	for _, t := range im.Protected {
		if t.Type == SecurityCounter {
			return le.Uint32(t.Value), true // Parse saw to its length
		}
	}
	return 0, false
}

// Dependencies returns which versions of other images this one needs.
func (im *Image) Dependencies() (all []Dependency) {
	for _, t := range im.Protected {
		if t.Type == dependency {
			all = append(all, parseDependency(t.Value))
		}
	}
	return all
}
