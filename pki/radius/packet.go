package radius

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"crypto/rand"
	"encoding/binary"
	"errors"
)

// A packet is what tcpboot itself says to a RADIUS server or an access point, or
// is told by one (RFC 2865, RFC 5997, RFC 5176): three questions and their
// answers. Every question bears a Message-Authenticator, the first attribute,
// without which servers of today answer none of them. (The common library for
// RADIUS in Go, layeh.com/radius, knows nothing of it, and has had no release.)
type packet struct {
	code       byte
	attributes []attribute
}

type attribute struct {
	kind  byte
	value []byte // 0 to 253 bytes
}

// Codes and attributes.
const (
	accessRequest     = 1
	accessAccept      = 2
	accessReject      = 3
	accessChallenge   = 11
	statusServer      = 12
	disconnectRequest = 40
	disconnectACK     = 41
	disconnectNAK     = 42

	userName             = 1
	replyMessage         = 18
	callingStationID     = 31
	nasIdentifier        = 32
	eventTimestamp       = 55
	eapMessage           = 79
	messageAuthenticator = 80
	errorCause           = 101
)

const (
	headerSize = 20   // code, identifier, length, authenticator
	packetSize = 4096 // at most
)

// get returns the first attribute of a kind, nil when there is none.
func (p packet) get(kind byte) []byte {
	for _, a := range p.attributes {
		if a.kind == kind {
			return a.value
		}
	}
	return nil
}

// request encodes p as a question, proved with the secret. The authenticator of
// a question about a session proves it too; that of others is random.
func (p packet) request(secret string) []byte {
	b := make([]byte, headerSize, 256)
	b[0] = p.code
	rand.Read(b[1:2])
	b = append(b, messageAuthenticator, 2+md5.Size)
	b = append(b, make([]byte, md5.Size)...)
	for _, a := range p.attributes {
		b = append(append(b, a.kind, byte(2+len(a.value))), a.value...)
	}
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	if p.code != disconnectRequest {
		rand.Read(b[4:headerSize])
	}
	copy(b[headerSize+2:], authenticate(b, secret))
	if p.code == disconnectRequest {
		copy(b[4:], digest(b, secret))
	}
	return b
}

var (
	errShort  = errors.New("cut short")
	errForged = errors.New("not made with the shared secret for this question")
)

// parseAnswer reads b as the answer to request. What was not made with the
// secret, for this request, is refused.
func parseAnswer(b, request []byte, secret string) (packet, error) {
	if len(b) < headerSize {
		return packet{}, errShort
	}
	size := int(binary.BigEndian.Uint16(b[2:]))
	if size < headerSize || size > len(b) {
		return packet{}, errShort
	}
	b = bytes.Clone(b[:size]) // what follows is padding
	claimed := bytes.Clone(b[4:headerSize])
	copy(b[4:headerSize], request[4:headerSize])
	if b[1] != request[1] || !hmac.Equal(claimed, digest(b, secret)) {
		return packet{}, errForged
	}
	p := packet{code: b[0]}
	for rest := b[headerSize:]; len(rest) > 0; {
		if len(rest) < 2 || rest[1] < 2 || int(rest[1]) > len(rest) {
			return packet{}, errShort
		}
		value := rest[2:rest[1]]
		if rest[0] == messageAuthenticator && !proved(b, value, secret) {
			return packet{}, errForged
		}
		p.attributes = append(p.attributes, attribute{rest[0], value})
		rest = rest[rest[1]:]
	}
	return p, nil
}

// proved says whether the Message-Authenticator mac, a part of b, is right.
func proved(b, mac []byte, secret string) bool {
	claimed := bytes.Clone(mac)
	clear(mac)
	right := hmac.Equal(claimed, authenticate(b, secret))
	copy(mac, claimed)
	return right
}

// authenticate computes a Message-Authenticator (RFC 3579, 3.2) over b, in which
// it is zero.
func authenticate(b []byte, secret string) []byte {
	h := hmac.New(md5.New, []byte(secret))
	h.Write(b)
	return h.Sum(nil)
}

// digest computes the authenticator of an answer (RFC 2865, 3), or of a question
// about a session (RFC 5176, 2.3).
func digest(b []byte, secret string) []byte {
	h := md5.New()
	h.Write(b)
	h.Write([]byte(secret))
	return h.Sum(nil)
}
