package main

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"

	"github.com/urfave/cli/v2"

	"github.com/tcpboot/tcpboot/release"
	"github.com/tcpboot/tcpboot/release/intelhex"
	"github.com/tcpboot/tcpboot/release/mcuboot"
)

// A layout is how an image is laid down in a file: alone or in its slot, as bytes
// or as Intel HEX.
type layout struct {
	slot             mcuboot.Slot // Size 0: not known
	fills, confirmed bool
	saveTLV          bool // the bootloader keeps the content key wrapped
	hex              bool
	address          uint32 // where hex
}

// layoutOf reads a layout from the flags. What can be refused is refused here,
// before anything is signed.
func layoutOf(c *cli.Context, program memory) (l layout, err error) {
	l = layout{
		fills: c.Bool("pad") || c.Bool("confirm"), confirmed: c.Bool("confirm"), saveTLV: c.Bool("save-enctlv"),
		hex: isHex(c.Path("out")), address: program.address,
	}
	if c.IsSet("hex-addr") {
		if l.address, err = flagNumber(c, "hex-addr"); err != nil {
			return l, err
		}
	} else if l.hex && !program.hex {
		return l, usageError{errNoAddress}
	}
	if c.Uint("slot-size") != 0 {
		l.slot, err = slotOf(c)
	}
	return l, err
}

var errNoAddress = errors.New("an --out in Intel HEX needs --hex-addr, unless the program is in it too")

func slotOf(c *cli.Context) (s mcuboot.Slot, err error) {
	for _, name := range []string{"slot-size", "align", "max-align", "max-sectors"} {
		if c.Uint(name) > release.MaxImage {
			return s, usagef("--%s %d: larger than %d", name, c.Uint(name), release.MaxImage)
		}
	}
	s = mcuboot.Slot{
		Size: int(c.Uint("slot-size")), Align: int(c.Uint("align")), MaxAlign: int(c.Uint("max-align")),
		Sectors: int(c.Uint("max-sectors")), OverwriteOnly: c.Bool("overwrite-only"),
	}
	if s.ErasedZero, err = erasedZero(c); err != nil {
		return s, err
	}
	if err := s.Check(); err != nil {
		return s, usageError{err}
	}
	return s, nil
}

func erasedZero(c *cli.Context) (bool, error) {
	switch n, err := strconv.ParseUint(c.String("erased-val"), 0, 8); {
	case err == nil && n == 0xff:
		return false, nil
	case err == nil && n == 0:
		return true, nil
	}
	return false, usagef("--erased-val %s: want 0xff or 0", c.String("erased-val"))
}

// file returns what is to be written of an image.
func (l layout) file(image []byte) ([]byte, error) {
	if l.slot.Size != 0 {
		im, err := mcuboot.Parse(image)
		if err != nil {
			return nil, err
		}
		l.slot.KeySpace = im.KeySpace(l.saveTLV)
		if err := l.slot.Fits(len(image)); err != nil {
			return nil, err
		}
	}
	switch {
	case l.hex:
		return l.hexFile(image)
	case l.fills:
		return l.slot.Fill(image, l.confirmed)
	}
	return image, nil
}

// hexFile leaves out what is erased.
func (l layout) hexFile(image []byte) ([]byte, error) {
	parts := []mcuboot.Part{{Data: image}}
	if l.fills {
		var err error
		if parts, err = l.slot.Parts(image, l.confirmed); err != nil {
			return nil, err
		}
	}
	var chunks []intelhex.Chunk
	for _, p := range parts {
		if uint64(l.address)+uint64(p.Offset) >= 1<<32 {
			return nil, fmt.Errorf("address %#x: the slot would end past 4 GiB", l.address)
		}
		chunks = append(chunks, intelhex.Chunk{Address: l.address + uint32(p.Offset), Data: p.Data})
	}
	return intelhex.Encode(chunks...)
}

// makeRoom finds the place of the header: before the program, or in its first
// bytes, which the payload then lacks.
func makeRoom(c *cli.Context, program *memory, s *mcuboot.Spec) error {
	size := s.HeaderSize
	if c.Bool("pad-header") {
		erased, err := erasedZero(c)
		if !erased {
			s.Fill = 0xff
		}
		program.address -= uint32(size)
		return err
	}
	if len(program.bytes) < size {
		return fmt.Errorf("%s: %d bytes, and the header is to take the first %d", c.Args().First(), len(program.bytes), size)
	}
	if bytes.Count(program.bytes[:size], []byte{0}) != size {
		return fmt.Errorf("%s: the header is to take the first %d bytes: %w", c.Args().First(), size, errNoRoom)
	}
	program.bytes = program.bytes[size:]
	return nil
}

var errNoRoom = errors.New("they are not zero")
