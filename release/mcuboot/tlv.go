package mcuboot

import (
	"crypto"
	_ "crypto/sha256" // crypto.SHA256
	_ "crypto/sha512" // crypto.SHA384, crypto.SHA512
	"fmt"
)

// A TLV is one entry of an area: a type, and a value whose length is stored.
type TLV struct {
	Type  Type
	Value []byte
}

// A Type says what a TLV holds.
type Type uint16

// The types of the format. Those from FirstCustom to LastCustom are free.
const (
	keyHash          Type = 0x01
	publicKey        Type = 0x02
	hashSHA256       Type = 0x10
	hashSHA384       Type = 0x11
	hashSHA512       Type = 0x12
	signRSA2048      Type = 0x20
	signECDSA        Type = 0x22
	signRSA3072      Type = 0x23
	signEd25519      Type = 0x24
	signPure         Type = 0x25
	encRSA2048       Type = 0x30
	encKW            Type = 0x31
	encEC256         Type = 0x32
	encX25519        Type = 0x33
	encX25519SHA512  Type = 0x34
	dependency       Type = 0x40
	SecurityCounter  Type = 0x50
	bootRecord       Type = 0x60
	decompressedSize Type = 0x70
	vendorID         Type = 0x74
	classID          Type = 0x75
	FirstCustom      Type = 0xa0
	LastCustom       Type = 0xfffe
	anyType          Type = 0xffff // a wildcard of the bootloader's, never stored
)

var typeNames = map[Type]string{
	keyHash: "KEYHASH", publicKey: "PUBKEY",
	hashSHA256: "SHA256", hashSHA384: "SHA384", hashSHA512: "SHA512",
	signRSA2048: "RSA2048_PSS", 0x21: "ECDSA224", signECDSA: "ECDSA_SIG", signRSA3072: "RSA3072_PSS",
	signEd25519: "ED25519", signPure: "SIG_PURE",
	encRSA2048: "ENC_RSA2048", encKW: "ENC_KW", encEC256: "ENC_EC256",
	encX25519: "ENC_X25519", encX25519SHA512: "ENC_X25519_SHA512",
	dependency: "DEPENDENCY", SecurityCounter: "SEC_CNT", bootRecord: "BOOT_RECORD",
	decompressedSize: "DECOMP_SIZE", 0x71: "DECOMP_SHA", 0x72: "DECOMP_SIGNATURE", 0x73: "COMP_DEC_SIZE",
	vendorID: "UUID_VID", classID: "UUID_CID",
}

// String is the format's name of t, or its number.
func (t Type) String() string {
	if name, ok := typeNames[t]; ok {
		return name
	}
	return fmt.Sprintf("0x%04x", uint16(t))
}

// hash is the algorithm of a TLV that holds an image hash; 0: it holds none.
func (t Type) hash() crypto.Hash {
	switch t {
	case hashSHA256:
		return crypto.SHA256
	case hashSHA384:
		return crypto.SHA384
	case hashSHA512:
		return crypto.SHA512
	}
	return 0
}

// hashType is the type under which hashes by h are stored.
func hashType(h crypto.Hash) Type {
	switch h {
	case crypto.SHA384:
		return hashSHA384
	case crypto.SHA512:
		return hashSHA512
	}
	return hashSHA256
}

// wrapsKey reports whether a TLV of type t holds a wrapped content key.
func (t Type) wrapsKey() bool { return t >= encRSA2048 && t <= encX25519SHA512 }

// mayLackProtection reports whether bootloaders that allow only listed types in
// the unprotected area allow t.
func (t Type) mayLackProtection() bool {
	return t >= keyHash && t <= publicKey || t.hash() != 0 || t >= signRSA2048 && t <= signPure || t.wrapsKey()
}

// fixedSizes are the lengths of values that a reader takes apart.
var fixedSizes = map[Type]int{
	dependency: 4 + versionSize, SecurityCounter: 4, decompressedSize: 4, 0x73: 4, vendorID: 16, classID: 16,
}

// The magics of the two areas.
const (
	protectedMagic   = 0x6908
	unprotectedMagic = 0x6907
)

const (
	infoSize  = 4 // of the word that begins an area
	entrySize = 4 // of a TLV without its value
	maxArea   = 0xffff
)

// area writes an area. It fails where its size does not fit 16 bits.
func area(magic uint16, entries []TLV) ([]byte, error) {
	size := infoSize
	for _, t := range entries {
		size += entrySize + len(t.Value)
	}
	if size > maxArea {
		return nil, fmt.Errorf("TLVs of %d bytes: an area holds %d", size, maxArea)
	}
	b := le.AppendUint16(make([]byte, 0, size), magic)
	b = le.AppendUint16(b, uint16(size))
	for _, t := range entries {
		b = le.AppendUint16(b, uint16(t.Type))
		b = le.AppendUint16(b, uint16(len(t.Value)))
		b = append(b, t.Value...)
	}
	return b, nil
}
