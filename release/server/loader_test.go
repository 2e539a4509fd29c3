package server_test

import (
	"bytes"
	"crypto/sha1"
	"encoding/binary"
	"io"
	"net"
	"time"
)

// The outcomes of a boot, as the loader of 2017 meets them.
const (
	booted = "booted"
	panics = "panics"              // reboots and erases again
	hangs  = "hangs"               // until somebody cuts its power
	retry  = "retries in 30 s"     // SHA-1 wrong
	waits  = "waits for an answer" // and would for ever
)

// A loader2017 behaves as the loader of 2017 does, faults included, and so
// judges what a server sends. It has sent its MAC already.
type loader2017 struct {
	conn   net.Conn
	erased <-chan struct{} // it reads nothing before; nil: flash is blank
	flash  []byte
}

// boot takes an answer.
func (l *loader2017) boot() (outcome string) {
	defer l.conn.Close()
	if l.erased != nil {
		<-l.erased
	}
	l.conn.SetReadDeadline(time.Now().Add(patience))
	size, outcome := l.readSize()
	if outcome != "" {
		return outcome
	}
	var sum [sha1.Size]byte
	if _, err := io.ReadFull(l.conn, sum[:]); err != nil {
		return l.failed(err, hangs)
	}
	return l.readPayload(size, sum)
}

// readSize has the fault of the pointer arithmetic: what a second read brings
// lands four times as far as it should, somewhere on the stack.
func (l *loader2017) readSize() (size uint32, outcome string) {
	var stack [16]byte
	for total := 0; total < 4; {
		n, err := l.conn.Read(stack[4*total : 4*total+4-total])
		if err != nil {
			return 0, l.failed(err, hangs)
		}
		if total > 0 {
			return 0, panics
		}
		total += n
	}
	return binary.LittleEndian.Uint32(stack[:4]), ""
}

func (l *loader2017) readPayload(size uint32, sum [sha1.Size]byte) string {
	var flash bytes.Buffer
	var buf [1024]byte
	for flash.Len() < int(size) {
		n, err := l.conn.Read(buf[:])
		if err != nil {
			return l.failed(err, panics)
		}
		flash.Write(buf[:n])
	}
	l.flash = flash.Bytes()
	switch {
	case l.flash[0] != 0xe9 || len(l.flash) > 0x300000:
		return panics
	case sha1.Sum(l.flash) != sum:
		return retry
	}
	return booted
}

// failed is what comes of a read that failed: fin is what an EOF does here.
func (l *loader2017) failed(err error, fin string) string {
	if e, ok := err.(net.Error); ok && e.Timeout() {
		return waits
	}
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return fin
	}
	return panics
}
