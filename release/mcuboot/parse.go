package mcuboot

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

const (
	magic      = 0x96f3b83d
	oldMagic   = 0x96f3b83c
	blankMagic = 0xffffffff
	headerSize = 32 // of the fields; Header.Size may be more
)

// Parse reads the image at the start of file and checks its structure: that each
// part lies where the others say. Hash and signatures are for Verify. What
// follows the image is not looked at. The image refers to file, which must not be
// changed. An error names the field and its offset.
func Parse(file []byte) (*Image, error) {
	h, err := parseHeader(file)
	if err != nil {
		return nil, err
	}
	im := &Image{Header: h, Length: h.payloadEnd(), file: file}
	if h.ProtectedSize != 0 {
		at := im.Length
		if im.Protected, err = im.parseArea("protected", protectedMagic); err != nil {
			return nil, err
		}
		if size := im.Length - at; size != h.ProtectedSize {
			return nil, fmt.Errorf("protected area at offset %#x: %d bytes, and the header says %d", at, size, h.ProtectedSize)
		}
	}
	if im.Unprotected, err = im.parseArea("unprotected", unprotectedMagic); err != nil {
		return nil, err
	}
	return im, nil
}

func parseHeader(file []byte) (h Header, err error) {
	if len(file) < headerSize {
		return h, fmt.Errorf("header: file of %d bytes is shorter than %d", len(file), headerSize)
	}
	if err := checkMagic(file); err != nil {
		return h, fmt.Errorf("header at offset 0: %w", err)
	}
	size, protected, payload := le.Uint16(file[8:]), le.Uint16(file[10:]), le.Uint32(file[12:])
	h = Header{
		LoadAddress:   le.Uint32(file[4:]),
		Size:          int(size),
		ProtectedSize: int(protected),
		Flags:         Flags(le.Uint32(file[16:])),
		Version:       parseVersion(file[20:]),
	}
	// In 64 bits the sum cannot wrap; a bootloader adds up in 32.
	end := uint64(size) + uint64(payload) + uint64(protected)
	switch {
	case size < headerSize:
		return h, fmt.Errorf("header at offset 8: header size %d is below %d", size, headerSize)
	case end > math.MaxUint32:
		return h, fmt.Errorf("header at offset 12: payload of %d bytes: the image would end past 4 GiB", payload)
	case end > uint64(len(file)):
		return h, fmt.Errorf("header at offset 12: payload of %d bytes runs past the end of the file", payload)
	}
	h.PayloadSize = int(payload) // at most len(file)
	return h, h.checkFlags()
}

func checkMagic(file []byte) error {
	switch m := le.Uint32(file); {
	case m == magic:
		return nil
	case m == oldMagic:
		return errors.New("an image in the old format, version 1: bootloaders of today do not take it")
	case m == blankMagic:
		return errors.New("erased flash: there is no image")
	case binary.BigEndian.Uint32(file) == magic:
		return errors.New("big-endian integers are not supported")
	default:
		return fmt.Errorf("magic %#08x, want %#08x: not an MCUboot image", m, magic)
	}
}

func (h Header) checkFlags() error {
	for _, pair := range []Flags{encrypted, compressed} {
		if h.Flags&pair == pair {
			return fmt.Errorf("header at offset 16: flags %s exclude each other", pair)
		}
	}
	return nil
}

// parseArea reads the area at im.Length, and moves that behind it.
func (im *Image) parseArea(name string, magic uint16) ([]TLV, error) {
	at := im.Length
	entries, size, err := parseArea(im.file[at:], magic)
	if err != nil {
		return nil, fmt.Errorf("%s area at offset %#x: %w", name, at, err)
	}
	im.Length += size
	return entries, nil
}

// parseArea reads the area at the start of b, and says how long it is.
func parseArea(b []byte, magic uint16) (entries []TLV, size int, err error) {
	if len(b) < infoSize {
		return nil, 0, errors.New("missing: the file ends before it")
	}
	if got := le.Uint16(b); got != magic {
		return nil, 0, fmt.Errorf("magic %#04x, want %#04x", got, magic)
	}
	size = int(le.Uint16(b[2:]))
	if size < infoSize || size > len(b) {
		return nil, 0, fmt.Errorf("size %d, and %d bytes are left in the file", size, len(b))
	}
	for rest := b[infoSize:size]; len(rest) > 0; {
		t, n, err := parseTLV(rest)
		if err != nil {
			return nil, 0, fmt.Errorf("entry %d: %w", len(entries), err)
		}
		entries, rest = append(entries, t), rest[n:]
	}
	return entries, size, nil
}

func parseTLV(b []byte) (t TLV, size int, err error) {
	if len(b) < entrySize {
		return t, 0, fmt.Errorf("%d stray bytes at the end of the area", len(b))
	}
	t.Type = Type(le.Uint16(b))
	n := int(le.Uint16(b[2:]))
	want, fixed := fixedSizes[t.Type]
	switch {
	case t.Type == anyType:
		return t, 0, fmt.Errorf("type %s is a wildcard, which is never stored", t.Type)
	case n > len(b)-entrySize:
		return t, 0, fmt.Errorf("%s of %d bytes runs past the end of the area", t.Type, n)
	case fixed && n != want:
		return t, 0, fmt.Errorf("%s of %d bytes, want %d", t.Type, n, want)
	}
	size = entrySize + n
	t.Value = b[entrySize:size:size]
	return t, size, nil
}

// append writes the 32 bytes of the header.
func (h Header) append(b []byte) []byte {
	b = le.AppendUint32(b, magic)
	b = le.AppendUint32(b, h.LoadAddress)
	b = le.AppendUint16(b, uint16(h.Size))
	b = le.AppendUint16(b, uint16(h.ProtectedSize))
	b = le.AppendUint32(b, uint32(h.PayloadSize))
	b = le.AppendUint32(b, uint32(h.Flags))
	b = h.Version.append(b)
	return le.AppendUint32(b, 0)
}
