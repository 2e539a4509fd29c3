package server

import (
	"errors"
	"io"
	"math"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// errStalled says that a client took nothing for the idle limit.
var errStalled = errors.New("no progress within the idle limit")

// keepAlive finds out about boards that vanished while parked: a board that was
// restarted answers the first probe with an RST. One that cannot be reached is
// given up only after two hours, because it waits on for ever when the network
// comes back, and has nobody to wait for if we are gone.
func keepAlive(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		tcp.SetKeepAliveConfig(net.KeepAliveConfig{
			Enable: true, Idle: 2 * time.Minute, Interval: time.Minute, Count: 120,
		})
	}
}

// reset ends conn with an RST.
func reset(conn net.Conn) {
	if tcp, ok := conn.(interface{ SetLinger(int) error }); ok {
		tcp.SetLinger(0)
	}
	conn.Close()
}

// endInOrder says how the kernel ends conn: in order, or by an RST whenever it is
// closed, also because this process was killed or ran out of memory. A board that
// waits for its image reboots after an RST and finds the next server; after a FIN
// it hangs until somebody cuts its power.
func endInOrder(conn net.Conn, is bool) {
	seconds := 0
	if is {
		seconds = -1
	}
	if tcp, ok := conn.(interface{ SetLinger(int) error }); ok {
		tcp.SetLinger(seconds)
	}
}

// wake makes whoever reads from conn return with os.ErrDeadlineExceeded.
func wake(conn net.Conn) { conn.SetReadDeadline(time.Unix(1, 0)) }

// discardAll reads, and forgets, until that fails.
func discardAll(conn net.Conn) error {
	for {
		if err := discard(conn); err != nil {
			return err
		}
	}
}

// settle waits until the client has read the whole answer and closed. A client
// that is known to have read everything and never closes is fine too, after
// idle. What is sent may still lie in the kernel, so progress is what leaves
// from there.
func settle(conn net.Conn, idle time.Duration) error {
	for left := math.MaxInt; ; {
		conn.SetReadDeadline(time.Now().Add(idle))
		err := discardAll(conn)
		if errors.Is(err, io.EOF) {
			return flush(conn, idle)
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
		now := unread(conn)
		switch {
		case now == 0:
			return nil
		case now == untold || now >= left:
			return errStalled
		}
		left = now
	}
}

// flush waits until a client that has closed its side has read the rest. There
// is no event for that, and few such clients: boards close when they are done. A
// client that gave up before the answer came resets what it is sent after its FIN;
// the FIN is all that reading tells of it, and what it has not read stays unread.
func flush(conn net.Conn, idle time.Duration) error {
	const look = 20 * time.Millisecond
	for left, waited := unread(conn), time.Duration(0); left > 0; waited += look {
		if waited >= idle {
			return errStalled
		}
		if isReset(conn) {
			return syscall.ECONNRESET
		}
		<-time.After(look)
		if now := unread(conn); now < left {
			left, waited = now, 0
		}
	}
	return nil
}

// untold is what unread returns where the kernel does not tell.
const untold = -1

const piece = 64 << 10

var pieces = sync.Pool{New: func() any { return new([piece]byte) }}

// copyBlob sends what sendfile cannot: to connections that are no plain TCP, and
// where there is no sendfile.
func copyBlob(conn net.Conn, b *Blob, idle time.Duration) (sent int64, err error) {
	buf := pieces.Get().(*[piece]byte)
	defer pieces.Put(buf)
	header := b.header.Bytes()
	n := copy(buf[:], header[:]) // so that the header leaves with the payload
	for off := int64(0); off < b.Size(); {
		k, err := b.file.ReadAt(buf[n:min(piece, int64(n)+b.Size()-off)], off)
		if k == 0 {
			return sent, err
		}
		w, err := writeAll(conn, buf[:n+k], idle)
		if sent += int64(w); err != nil {
			return sent, err
		}
		off += int64(k)
		n = 0
	}
	return sent, nil
}

// writeAll writes b as long as some of it leaves within every idle.
func writeAll(conn net.Conn, b []byte, idle time.Duration) (sent int, err error) {
	for sent < len(b) {
		conn.SetWriteDeadline(time.Now().Add(idle))
		n, err := conn.Write(b[sent:])
		sent += n
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded) && n == 0:
			return sent, errStalled
		case err != nil && !errors.Is(err, os.ErrDeadlineExceeded):
			return sent, err
		}
	}
	return sent, nil
}
