// Package wire is the boot protocol: version 1, which the loader of 2017 speaks,
// and version 2, which ours does. It turns bytes into values and back; it opens,
// dials and times nothing.
//
// One port carries both, and the client's first byte decides: a hex digit is
// version 1, 0x16 (a TLS handshake record) is version 2, anything else is no
// board. See Request.
//
// # Version 1
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
// # What the loader of 2017 does, and what that asks of a server
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
//
// # Version 2
//
// Our own loader speaks HTTP/1.1 over TLS 1.2 or 1.3, and both sides prove
// themselves: the server by the update name of the site document, the board by
// its own certificate, from which alone its MAC is taken. So no request says who
// asks, and a lost board is refused in the handshake.
//
//	GET  /v2/boot?…                 is there something for me?
//	GET  /v2/blobs/sha256:<64 hex>  a part of the release that I am to have
//	POST /v2/report                 how I fared with a release
//	POST /v2/renew                  a certificate for a new key of mine
//
// Requests go one after another on one connection; what is posted has a
// Content-Length, what is asked for has no body. Every answer has a
// Content-Length and no transfer coding, and its status line and header fields
// are HeaderLimit bytes at most, so that a reader fits in a boot loader.
//
// # Boot
//
// The query says what the board has; see Hello:
//
//	chip=esp32c3      what it is
//	loader=2.0.1      the version of its loader
//	channel=stable    the channel that it follows
//	epoch=5           of the site document that it trusts, from 1
//	counter=0.12      generation.count, the highest that it has seen
//	sequence=7        of the release that it installed from that channel, in the generation of counter; 0: none
//	version=1.4.0     of the release that it runs; absent when there is none
//	kind=loader       what it can install; absent: firmware
//
// A loader asks for firmware, and is never given a loader, for it cannot overwrite
// itself. An application asks for a loader, and is never given firmware: what it
// writes goes where the loader lies. loader is then the version that ran last, which
// a release must be above, and sequence is 0. Both kinds have channels of their own:
// release.ChannelFor.
//
// A server does not mind keys that it does not know: a loader may be newer than
// its server, and must be able to get past that. The answers are
//
//	200  application/cbor-seq: documents
//	204  nothing to learn, nothing to install
//
// Documents are a CBOR sequence (RFC 8742): the signed site documents behind the
// board's epoch, each the successor of the one before, MaxDocuments at most; then,
// if that was all of them and there is something to install, its signed manifest.
// The tag of each tells what it is. A board that learned new documents and got no
// manifest asks once more from where it stands. Documents are sent also when there
// is nothing to install.
//
// An answer of either kind may ask the board to renew its certificate:
//
//	Tcpboot-Renew: wanted
//
// # Blobs
//
// A blob is the image of the manifest that the board was just given, its list of
// chunks, or those of its other components, each by the SHA-256 of its bytes.
//
//	Range: bytes=<first>-[<last>]
//
//	200  application/octet-stream: all of it
//	206  application/octet-stream: from first on
//	404  it is no part of a release that this board may have
//	410  it was, and is not any more: forget what you have of it
//	416  first is at its end or behind
//	503  not at hand yet: ask again after Retry-After seconds
//
// No TLS record of an answer carries more than 4096 bytes, so that a board's input
// buffer need not hold more; a board may ask for another limit in any request, from
// RecordMin to RecordMax:
//
//	Tcpboot-Record: 1024
//
// # Report
//
// The body is application/cbor, deterministic, ReportLimit bytes at most:
//
//	report = {
//	   1: digest,    of the signed manifest, bstr of 32 bytes
//	   2: outcome,   1 activated, 2 confirmed, 3 failed
//	 ? 3: cause      of a failure: 1 refused, 2 network, 3 corrupt, 4 flash,
//	                 5 invalid, 6 unconfirmed, 7 component
//	}
//
//	204  taken
//	400  not a report
//	429  too often: ask again after Retry-After seconds
//
// # Renew
//
// The body is application/pkcs10, a PKCS #10 request in DER, RequestLimit bytes at
// most, whose common name is the board's MAC and which the new key has signed: one on
// P-256, as our loader makes it. The certificate by which the board asks stays good
// until it is seen with the new one.
//
//	200  application/pkix-cert: the certificate, in DER, CertificateLimit bytes at most
//	202  it will be made: ask again for the same key after Retry-After seconds, or later
//	400  not such a request
//
// A board asks once an answer to its hello bears Tcpboot-Renew, whatever its value, and
// then at each of its visits until it has the certificate. It begins visits by the new
// one and keeps the old one until the server has answered by the new one. A new one by
// which it does not get there is given up after four tries, and only when the server
// has answered by the old one again; until the board's next start it asks for no other.
//
// # Other answers
//
// 400 says that a request cannot be read, 404 that there is no such place, 503
// that the server cannot answer now. A board whose certificate is not in force
// gets no answer at all: the handshake fails, or the connection ends.
package wire

import (
	"crypto/sha1" // fixed by the protocol; it guards against accidents only
	"encoding/binary"
	"fmt"
	"time"
)

// The bounds of version 1.
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
