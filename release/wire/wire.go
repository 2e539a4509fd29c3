// Package wire is version 1 of the boot protocol, which the loader of 2017
// speaks: bytes to values and back. It opens, dials and times nothing.
//
// # The protocol
//
// The board connects and sends its MAC: 12 hex digits, nothing before, between
// or after. The server answers with a header of 24 bytes and the payload:
//
//	offset  size  field
//	0       4     size of the payload, little-endian
//	4       20    SHA-1 of the payload
//	24      size  the payload: one ESP32 application image
//
// The board closes first. So the exchange for a payload of the one byte 0xe9 is
//
//	board   "240ac4010203"
//	server  01000000 1599e9fa41ec68c80230491902786bee889f5bcb e9
//	board   FIN
//
// There is no length that says "nothing for you", no error answer and no
// greeting. The MAC is a claim: nothing proves it. The SHA-1 finds accidents,
// not attackers.
//
// One port carries more than this protocol, and the client's first byte
// decides: a hex digit is version 1, 0x16 (a TLS handshake record) is version 2,
// anything else is no board. See Request.
//
// # What the loader does, and what that asks of a server
//
// Those loaders are in the field and do not change, so their faults bind every
// server. By the word "panic" read: reboot, and the same again at once.
//
//   - The loader erases 3 MiB of flash after it has sent its MAC and before it
//     reads a byte. That takes seconds, at worst minutes, and the receive window
//     stays shut meanwhile. A server waits at least IdleLimit without progress;
//     total time means nothing. TCP_USER_TIMEOUT below the erase time kills
//     healthy boards.
//   - It has no timeout and no keepalive: it waits for an answer for ever,
//     without wear. Silence is therefore the safe answer to a board that gets
//     nothing: its connection is parked, and served when an image appears.
//   - A FIN before the last byte of the payload makes it hang until somebody
//     cuts its power, or panic. An RST makes it panic, and each panic costs an
//     erase of flash that lasts 100,000. Only a connection that is refused is
//     retried without erasing.
//   - The four bytes of the size must come out of its first read: after a
//     shorter read it stores the rest at the wrong place on its stack. So the
//     header leaves in one segment, with the beginning of the payload, and there
//     is no pause within it or behind it.
//   - It counts payload bytes up to the size and checks the SHA-1 after it has
//     judged the image. Bytes after the payload spoil the SHA-1 (30 seconds, then
//     the same again); a payload that is too short, not an image (its first byte
//     is 0xe9) or larger than the slot makes it panic. A size of 0 leaves it
//     waiting for ever.
//   - Small segments fill its six-entry mailbox and are lost: payload goes out in
//     large pieces.
//   - A kernel answers with an RST when a socket is closed while input is
//     unread. A server reads whatever the client sent, then waits for the
//     client's FIN, then closes.
//   - Built without optimisation it sends only the first four digits. A MAC that
//     is not complete within HelloLimit is parked, and may still be completed.
//   - What it does next tells how it fared: a return after about 30 seconds is a
//     wrong SHA-1, within seconds a panic, none a boot.
package wire

import (
	"crypto/sha1" // fixed by the protocol; it guards against accidents only
	"encoding/binary"
	"fmt"
	"time"
)

// The bounds of the protocol.
const (
	MACDigits  = 12
	HeaderSize = 4 + sha1.Size
	Slot2017   = 0x300000 // bytes of the only slot in the partition table of 2017
	ImageMagic = 0xe9     // first byte of every ESP32 application image

	HelloLimit = 2 * time.Second   // for the 12 digits, from the connection on
	IdleLimit  = 120 * time.Second // a server waits no less for progress
)

// A Header announces a payload.
type Header struct {
	Size uint32
	SHA1 [sha1.Size]byte
}

// NewHeader returns the header of payload.
func NewHeader(payload []byte) Header {
	return Header{Size: uint32(len(payload)), SHA1: sha1.Sum(payload)}
}

// ParseHeader reads the 24 bytes of a header. Every 24 bytes are one; Check
// judges it.
func ParseHeader(b [HeaderSize]byte) Header {
	return Header{Size: binary.LittleEndian.Uint32(b[:4]), SHA1: [sha1.Size]byte(b[4:])}
}

// Bytes returns h as it goes over the wire.
func (h Header) Bytes() (b [HeaderSize]byte) {
	binary.LittleEndian.PutUint32(b[:4], h.Size)
	copy(b[4:], h.SHA1[:])
	return b
}

// Check says why a board with a slot of so many bytes cannot take the payload
// that h announces.
func (h Header) Check(slot int64) error {
	if h.Size == 0 {
		return fmt.Errorf("header: a payload of 0 bytes leaves a board waiting for ever")
	}
	if int64(h.Size) > slot {
		return fmt.Errorf("header: payload of %d bytes, larger than the slot of %d", h.Size, slot)
	}
	return nil
}
