package wire

import (
	"errors"
	"fmt"
	"io"

	"github.com/tcpboot/tcpboot/pki/fleet"
)

// ErrMalformed says that a request begins like version 1 but names no board:
// something else than a hex digit follows a hex digit, or no board can have
// that MAC.
var ErrMalformed = errors.New("not the MAC of a board")

// A Protocol is what a client's first byte says it speaks.
type Protocol uint8

// The protocols.
const (
	Undecided Protocol = iota // no byte yet
	V1                        // a hex digit: this package
	V2                        // a TLS handshake record
	Foreign                   // no board
)

// Detect returns the protocol of a client whose first byte is b.
func Detect(b byte) Protocol {
	switch {
	case isHex(b):
		return V1
	case b == 0x16:
		return V2
	}
	return Foreign
}

func isHex(b byte) bool {
	return b >= '0' && b <= '9' || b >= 'a' && b <= 'f' || b >= 'A' && b <= 'F'
}

// A Request is what a client says first. The zero Request has heard nothing.
type Request struct {
	heard [MACDigits]byte
	n     int
	mac   fleet.MAC
}

// Fill reads on until the request is complete: 12 digits of version 1, however
// they are split, or the first bytes of another protocol. It never takes more
// than 12 bytes from r; what a client sends after its MAC means nothing.
//
// ErrMalformed is final. After any other error of r, such as a timeout, Fill may
// be called again and goes on where it stood. The end of r is io.EOF before the
// first byte, io.ErrUnexpectedEOF after it.
func (q *Request) Fill(r io.Reader) error {
	for !q.Complete() {
		n, err := r.Read(q.heard[q.n:])
		fresh := q.n
		q.n += n
		if bad := q.check(fresh); bad != nil {
			return bad
		}
		if err != nil && !q.Complete() {
			return q.ended(err)
		}
	}
	return nil
}

// check judges the bytes from fresh on, and takes the MAC when it is whole.
func (q *Request) check(fresh int) (err error) {
	if q.Protocol() != V1 {
		return nil
	}
	for i := fresh; i < q.n; i++ {
		if !isHex(q.heard[i]) {
			return fmt.Errorf("byte %d of the request is %q: %w", i, q.heard[i], ErrMalformed)
		}
	}
	if q.n < MACDigits {
		return nil
	}
	if q.mac, err = fleet.ParseMAC(string(q.heard[:])); err != nil {
		return fmt.Errorf("%w: %v", ErrMalformed, err)
	}
	return nil
}

func (q *Request) ended(err error) error {
	if err == io.EOF && q.n > 0 {
		return io.ErrUnexpectedEOF
	}
	return err
}

// Complete reports whether nothing more is to be read.
func (q *Request) Complete() bool {
	switch q.Protocol() {
	case Undecided:
		return false
	case V1:
		return q.n == MACDigits
	}
	return true
}

// Protocol returns what the first byte decided.
func (q *Request) Protocol() Protocol {
	if q.n == 0 {
		return Undecided
	}
	return Detect(q.heard[0])
}

// MAC returns the MAC of a complete request of version 1, else the zero MAC.
func (q *Request) MAC() fleet.MAC { return q.mac }

// Heard returns the bytes that Fill took, for a protocol that must see them too.
func (q *Request) Heard() []byte { return q.heard[:q.n] }
