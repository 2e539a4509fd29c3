package espimage

import (
	"bytes"

	"github.com/tcpboot/tcpboot/pki/fleet"
)

// A Descriptor is what an application says of itself, in the 256 bytes with
// which its first segment begins. Its strings are as found: an image from
// elsewhere may hold anything in them.
type Descriptor struct {
	Version, Project string // up to 32 bytes each
	IDF              string // version of ESP-IDF that built it
	Time, Date       string // of the build; empty in reproducible ones
	SecureVersion    uint32 // the chip's own anti-rollback number
	ELF              fleet.Digest
	PageBits         uint8 // log2 of the MMU page size; 0 in old images: not said
}

const descriptorMagic = 0xabcd5432

// parseDescriptor reads the descriptor with which segment s begins; ok is false
// when there is none.
func parseDescriptor(file []byte, s Segment) (ok bool, d Descriptor) {
	if s.Length < descriptorSize || le.Uint32(file[s.Offset:]) != descriptorMagic {
		return false, Descriptor{}
	}
	b := file[s.Offset : s.Offset+descriptorSize]
	return true, Descriptor{
		SecureVersion: le.Uint32(b[4:]),
		Version:       text(b[16:48]),
		Project:       text(b[48:80]),
		Time:          text(b[80:96]),
		Date:          text(b[96:112]),
		IDF:           text(b[112:144]),
		ELF:           fleet.Digest(b[144:176]),
		PageBits:      b[180],
	}
}

// encode is the inverse of parseDescriptor.
func (d Descriptor) encode() []byte {
	b := make([]byte, descriptorSize)
	le.PutUint32(b, descriptorMagic)
	le.PutUint32(b[4:], d.SecureVersion)
	copy(b[16:48], d.Version)
	copy(b[48:80], d.Project)
	copy(b[80:96], d.Time)
	copy(b[96:112], d.Date)
	copy(b[112:144], d.IDF)
	copy(b[144:176], d.ELF[:])
	b[180] = d.PageBits
	return b
}

// text returns what precedes the first zero of b, all of b where there is none.
func text(b []byte) string {
	s, _, _ := bytes.Cut(b, []byte{0})
	return string(s)
}
