package server

import (
	"fmt"
	"os"

	"github.com/tcpboot/tcpboot/release/wire"
)

// A Blob is one image as it is served: open once, shared by all boards, and
// immutable, so that the SHA-1 in the header is that of the bytes behind it
// whatever happens to the file the image came from. It needs no closing: its
// memory is given back when nobody refers to it any more, so a download that
// outlasts its release ends well.
type Blob struct {
	Version string
	header  wire.Header
	file    *os.File
}

// NewBlob makes a Blob of an image that its caller has verified: the server
// asks only what would harm any board, that it is an image by its first byte and
// fits a slot of so many bytes. version is what the log calls it.
func NewBlob(image []byte, version string, slot int64) (*Blob, error) {
	if int64(len(image)) > slot {
		return nil, fmt.Errorf("image %s: %d bytes, larger than the slot of %d", version, len(image), slot)
	}
	h := wire.NewHeader(image)
	if err := h.Check(slot); err != nil {
		return nil, fmt.Errorf("image %s: %w", version, err)
	}
	if image[0] != wire.ImageMagic {
		return nil, fmt.Errorf("image %s: first byte %#02x, want %#02x", version, image[0], wire.ImageMagic)
	}
	return newBlob(h, image, version)
}

// NewPart makes a Blob of what only version 2 serves: a chunk list, or the image of
// a chip behind the board.
func NewPart(data []byte, version string) (*Blob, error) {
	return newBlob(wire.Header{Size: uint32(len(data))}, data, version)
}

func newBlob(h wire.Header, data []byte, version string) (*Blob, error) {
	f, err := memory(data)
	if err != nil {
		return nil, fmt.Errorf("image %s: %w", version, err)
	}
	return &Blob{Version: version, header: h, file: f}, nil
}

// Size returns the length of the image.
func (b *Blob) Size() int64 { return int64(b.header.Size) }

// SHA1 returns the hash that the header carries.
func (b *Blob) SHA1() [20]byte { return b.header.SHA1 }
