package espimage

import (
	"bytes"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// Bounds of a descriptor's PageBits: pages of 8 KiB to 256 KiB.
const minPageBits, maxPageBits, defaultPageBits = 13, 18, 16

// CheckRelease parses file and says why it may not be released. It accepts an
// unsigned application whose hash is appended, which a chip can map, and which
// nothing follows but 0xff up to the next multiple of 4096. In particular it
// refuses a file that is signed already: a second signature would lie where no
// chip looks, behind the first. The image it returns can be signed; file must not
// be changed before.
func CheckRelease(file []byte) (*Image, error) {
	im, err := Parse(file)
	if err != nil {
		return nil, err
	}
	for _, check := range []func([]byte) error{
		im.checkHeader, im.checkDescriptor, im.checkMapping, im.checkRest,
	} {
		if err := check(file); err != nil {
			return nil, err
		}
	}
	im.content = file[:im.Length]
	return im, nil
}

// Of reports whether CheckRelease has returned im for file, in the same memory.
func (im *Image) Of(file []byte) bool {
	return len(im.content) > 0 && len(file) >= len(im.content) && &file[0] == &im.content[0]
}

func (im *Image) checkHeader(file []byte) error {
	if file[hashFlagOffset] == 0 {
		return fmt.Errorf("header at offset %d: no SHA-256 is appended, which leaves only a checksum of 8 bits", hashFlagOffset)
	}
	if limited := im.MaxRevision != 0; limited && im.MaxRevision < im.MinRevision {
		return fmt.Errorf("header at offset 15: minimum revision %s is above the maximum %s",
			revision(im.MinRevision), revision(im.MaxRevision))
	}
	return nil
}

func (im *Image) checkDescriptor(file []byte) error {
	at := im.Segments[0].Offset
	if !im.App {
		return fmt.Errorf("descriptor at offset %d: there is none: a bootloader, or not built by ESP-IDF 4.0 or later", at)
	}
	d := im.Descriptor
	for _, s := range []string{d.Version, d.Project, d.IDF} {
		if !printable(s) {
			return fmt.Errorf("descriptor at offset %d: unprintable characters in %q", at, s)
		}
	}
	if p := d.PageBits; p != 0 && (p < minPageBits || p > maxPageBits) {
		return fmt.Errorf("descriptor at offset %d: MMU page of 2^%d bytes", at+180, p)
	}
	return nil
}

// checkMapping makes sure that the chip can map what it has to: the MMU maps
// whole pages, so a segment lies as far into a page of the file as into one of
// memory.
func (im *Image) checkMapping([]byte) error {
	bits := im.Descriptor.PageBits
	if bits == 0 {
		bits = defaultPageBits
	}
	// A partition begins at a multiple of 64 KiB, and no promise goes further.
	page := uint32(1) << min(bits, defaultPageBits)
	for i, s := range im.Segments {
		if mapped(im.Chip, s.Address) && s.Address%page != uint32(s.Offset)%page {
			return fmt.Errorf("segment %d at offset %#x: cannot be mapped to %#08x in pages of %d KiB",
				i, s.Offset-segmentHeader, s.Address, page>>10)
		}
	}
	return nil
}

// checkRest looks at what follows the image.
func (im *Image) checkRest(file []byte) error {
	rest, sector := file[im.Length:], align(im.Length)
	switch {
	case len(file) <= sector && blank(rest):
		return nil
	case len(rest) == sizeV1 && le.Uint32(rest) == 0:
		return fmt.Errorf("offset %#x: already signed (Secure Boot V1): release the unsigned image", im.Length)
	case len(file) > sector && file[sector] == blockMagic:
		return fmt.Errorf("offset %#x: already signed (Secure Boot V2): release the unsigned image", sector)
	}
	return fmt.Errorf("offset %#x: %d bytes follow the image", im.Length, len(rest))
}

// blank reports whether b is erased flash.
func blank(b []byte) bool { return bytes.Count(b, []byte{0xff}) == len(b) }

func printable(s string) bool {
	for _, r := range s {
		if r == utf8.RuneError || !strconv.IsPrint(r) {
			return false
		}
	}
	return true
}
