package mcuboot

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
)

// A Slot is the flash that an image is to lie in. The end of it, its trailer, is
// where image and bootloader keep notes for each other:
//
//	… status of a swap, wrapped keys, swap size
//	swap info   what kind of swap, and of which image
//	copy done   1: the swap is complete
//	image ok    1: the image is confirmed
//	magic       16 bytes: an update is asked for
//
// Each takes as much flash as is written at once, the magic 16 bytes or more.
type Slot struct {
	Size          int  // in bytes
	Align         int  // bytes that are written at once: 1, 2, 4, 8, 16 or 32; 0: 1
	MaxAlign      int  // the largest Align of the board, 8, 16 or 32; 0: 8, or Align where that is more
	Sectors       int  // of the slot, at most; 0: 128
	OverwriteOnly bool // updates overwrite instead of swapping: the trailer is short
	ErasedZero    bool // erased flash reads as 0x00, not as 0xff

	// KeySpace is how many bytes the bootloader keeps of each of two content keys:
	// the key, or the TLV that holds it wrapped. 0: images are not encrypted.
	KeySpace int
}

// KeySpace is what Slot.KeySpace is for slots of images like im: for the wrapped
// key, or for the key itself.
func (im *Image) KeySpace(wrapped bool) int {
	if all := im.wrappedKeys(); wrapped && len(all) > 0 {
		return len(all[0].Value)
	}
	return im.Flags.keySize()
}

const (
	magicSize      = 16
	defaultSectors = 128
)

var (
	slotMagic = []byte{0x77, 0xc2, 0x95, 0xf3, 0x60, 0xd2, 0xef, 0x7f, 0x35, 0x52, 0x50, 0x0f, 0x2c, 0xb6, 0x79, 0x80}
	// slotMagicEnd follows the alignment, where that is more than eight.
	slotMagicEnd = []byte{0x2d, 0xe1, 0x5d, 0x29, 0x41, 0x0b, 0x8d, 0x77, 0x67, 0x9c, 0x11, 0x0f, 0x1f, 0x8a}
)

// Check says why s is no slot.
func (s Slot) Check() error {
	switch {
	case s.Size <= 0:
		return fmt.Errorf("slot of %d bytes", s.Size)
	case !slices.Contains([]int{1, 2, 4, 8, 16, 32}, s.align()):
		return fmt.Errorf("alignment %d: want 1, 2, 4, 8, 16 or 32", s.Align)
	case !slices.Contains([]int{8, 16, 32}, s.maxAlign()):
		return fmt.Errorf("maximum alignment %d: want 8, 16 or 32", s.MaxAlign)
	case s.maxAlign() < s.align():
		return fmt.Errorf("maximum alignment %d is below the alignment, %d", s.MaxAlign, s.Align)
	case s.Sectors < 0 || s.Sectors > s.Size:
		return fmt.Errorf("%d sectors in a slot of %d bytes", s.Sectors, s.Size)
	}
	return nil
}

func (s Slot) align() int { return max(s.Align, 1) }

func (s Slot) maxAlign() int {
	if s.MaxAlign == 0 {
		return max(8, s.Align)
	}
	return s.MaxAlign
}

func (s Slot) erased() byte {
	if s.ErasedZero {
		return 0
	}
	return 0xff
}

// TrailerSize returns how many bytes at the end of the slot an image must not
// reach into.
func (s Slot) TrailerSize() int {
	a := s.maxAlign()
	if s.OverwriteOnly {
		return 2*a + up(magicSize, a)
	}
	sectors := s.Sectors
	if sectors == 0 {
		sectors = defaultSectors
	}
	return sectors*3*s.align() + 2*up(s.KeySpace, a) + 4*a + up(magicSize, a)
}

// Fits says why an image of that many bytes does not fit the slot. A bootloader
// that moves images through their slot needs one sector more.
func (s Slot) Fits(image int) error {
	if err := s.Check(); err != nil {
		return err
	}
	if trailer := s.TrailerSize(); image > s.Size-trailer {
		return fmt.Errorf("image of %d bytes and trailer of %d do not fit the slot of %d", image, trailer, s.Size)
	}
	return nil
}

// A Part is some bytes of a slot. All between parts is erased.
type Part struct {
	Offset int
	Data   []byte
}

// Parts returns what is not erased of a slot with image and the magic that asks
// for an update: for one start, or, where it is confirmed, for good. With
// OverwriteOnly there is nothing to confirm.
func (s Slot) Parts(image []byte, confirmed bool) ([]Part, error) {
	if err := s.Fits(len(image)); err != nil {
		return nil, err
	}
	a := s.maxAlign()
	parts := []Part{{0, image}}
	if confirmed && !s.OverwriteOnly {
		flag := bytes.Repeat([]byte{s.erased()}, a)
		flag[0] = flagSet
		parts = append(parts, Part{s.Size - up(magicSize, a) - a, flag})
	}
	return append(parts, Part{s.Size - magicSize, slotMagicFor(a)}), nil
}

// Fill returns the whole slot that Parts describes.
func (s Slot) Fill(image []byte, confirmed bool) ([]byte, error) {
	parts, err := s.Parts(image, confirmed)
	if err != nil {
		return nil, err
	}
	b := bytes.Repeat([]byte{s.erased()}, s.Size)
	for _, p := range parts {
		copy(b[p.Offset:], p.Data)
	}
	return b, nil
}

func slotMagicFor(maxAlign int) []byte {
	if maxAlign == 8 {
		return slotMagic
	}
	return append(le.AppendUint16(nil, uint16(maxAlign)), slotMagicEnd...)
}

// up returns n rounded up to a multiple of a.
func up(n, a int) int { return (n + a - 1) / a * a }

// A Trailer is what the end of a slot says.
type Trailer struct {
	MaxAlign int  `json:"max_align"`
	ImageOK  Flag `json:"image_ok"`
	CopyDone Flag `json:"copy_done"`
}

// A Flag is a byte of a trailer: set, unset or bad.
type Flag string

const flagSet = 1

func flagOf(b byte) Flag {
	switch b {
	case flagSet:
		return "set"
	case 0x00, 0xff:
		return "unset" // erased flash reads as one of them
	}
	return "bad"
}

var errNoTrailer = errors.New("no slot trailer: the file does not end in a magic")

// ParseTrailer reads the end of a file that is a whole slot, where it asks for an
// update.
func ParseTrailer(file []byte) (Trailer, error) {
	for _, a := range []int{8, 16, 32} {
		if !bytes.HasSuffix(file, slotMagicFor(a)) {
			continue
		}
		ok := len(file) - up(magicSize, a) - a
		if ok < a {
			return Trailer{}, errNoTrailer
		}
		return Trailer{a, flagOf(file[ok]), flagOf(file[ok-a])}, nil
	}
	return Trailer{}, errNoTrailer
}
