package server

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpboot/tcpboot/release/wire"
)

// descriptors returns how many files this process may open.
func descriptors() int {
	var r unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &r); err != nil {
		return 1024
	}
	return int(min(r.Cur, 1<<20))
}

// memory returns a file that holds b and that nobody can change: it has no name,
// can get none, and is open for reading only. It lies among the temporary files
// because sendfile takes a disk's page cache in larger pieces than memory files,
// and in one of those where that disk is full or knows no such files.
func memory(b []byte) (*os.File, error) { return keep(b, onDisk, inMemory) }

func onDisk() (fd int, err error) {
	return unix.Open(os.TempDir(), unix.O_TMPFILE|unix.O_EXCL|unix.O_RDWR|unix.O_CLOEXEC, 0o400)
}

func inMemory() (fd int, err error) { return unix.MemfdCreate("image", unix.MFD_CLOEXEC) }

// keep returns a file that holds b at the first place that takes it.
func keep(b []byte, places ...func() (fd int, err error)) (*os.File, error) {
	var errs []error
	for _, place := range places {
		f, err := fill(place, b)
		if err == nil {
			return f, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

func fill(place func() (fd int, err error), b []byte) (*os.File, error) {
	fd, err := place()
	if err != nil {
		return nil, fmt.Errorf("make a file for the image: %w", err)
	}
	w := os.NewFile(uintptr(fd), "image")
	defer w.Close()
	if _, err := w.Write(b); err != nil {
		return nil, err
	}
	return os.Open(fmt.Sprintf("/proc/self/fd/%d", fd))
}

// unread returns how many of the bytes written to conn are not acknowledged.
func unread(conn net.Conn) int {
	n := untold
	control(conn, func(fd int) {
		if left, err := unix.IoctlGetInt(fd, unix.SIOCOUTQ); err == nil {
			n = left
		}
	})
	return n
}

// isReset reports whether the client has reset conn.
func isReset(conn net.Conn) (is bool) {
	const closed = 7 // TCP_CLOSE: we have not closed it
	control(conn, func(fd int) {
		info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
		is = err == nil && info.State == closed
	})
	return is
}

func control(conn net.Conn, f func(fd int)) {
	if sc, ok := conn.(syscall.Conn); ok {
		if raw, err := sc.SyscallConn(); err == nil {
			raw.Control(func(fd uintptr) { f(int(fd)) })
		}
	}
}

// discard reads once and forgets. It holds a buffer only while there is input.
func discard(conn net.Conn) error {
	sc, ok := conn.(syscall.Conn)
	if !ok {
		_, err := conn.Read(make([]byte, 512))
		return err
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := raw.Read(func(fd uintptr) bool {
		failed = receive(int(fd))
		return failed != unix.EAGAIN
	}); err != nil {
		return err
	}
	return failed
}

func receive(fd int) error {
	buf := pieces.Get().(*[piece]byte)
	defer pieces.Put(buf)
	n, err := unix.Read(fd, buf[:])
	switch {
	case err == unix.EINTR:
		return nil
	case err != nil:
		return err
	case n == 0:
		return io.EOF
	}
	return nil
}

// A low-water mark on what is written but not yet sent keeps the kernel from
// piling up most of a megabyte for a slow client. It also costs wake-ups, so a
// client that has taken fastAfter without a long wait is rid of it, until it
// keeps us waiting again. A wait is for a few kilobytes under the mark, for much
// of a megabyte without.
const (
	lowWater  = 12 << 10
	noMark    = 0
	fastAfter = 64 << 10

	longWait         = 100 * time.Millisecond
	longWaitUnmarked = time.Second
)

// A transfer sends one blob by sendfile.
type transfer struct {
	conn   *net.TCPConn
	idle   time.Duration
	file   int
	header [wire.HeaderSize]byte
	begun  bool
	off    int64
	size   int64
	acked  int64
	err    error

	mark    int
	since   int64     // the offset since when the client has been fast
	blocked time.Time // when the socket was last full
}

// send sends the answer to conn, and returns how many bytes of it left, and
// errStalled when the client took nothing for idle.
func send(conn net.Conn, b *Blob, idle time.Duration) (int64, error) {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return copyBlob(conn, b, idle)
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return 0, err
	}
	file, err := b.file.SyscallConn()
	if err != nil {
		return 0, err
	}
	t := &transfer{conn: tcp, idle: idle, header: b.header.Bytes(), size: b.Size(), mark: noMark}
	err = errors.Join(file.Control(func(fd uintptr) {
		t.file = int(fd)
		t.err = t.run(raw)
	}), t.err)
	return t.sent(), err
}

func (t *transfer) sent() int64 {
	if !t.begun {
		return 0
	}
	return int64(len(t.header)) + t.off
}

func (t *transfer) run(raw syscall.RawConn) error {
	for t.off < t.size {
		t.arm()
		err := raw.Write(t.push)
		switch {
		case err == nil && t.err != nil:
			return t.err
		case err != nil && !errors.Is(err, os.ErrDeadlineExceeded):
			return err
		case err != nil && !t.progress():
			return errStalled
		}
	}
	return nil
}

func (t *transfer) arm() { t.conn.SetWriteDeadline(time.Now().Add(t.idle)) }

// push gives the kernel what it takes, and reports whether it is over: all went,
// or an error came. The runtime calls it again when the socket takes more.
func (t *transfer) push(fd uintptr) bool {
	if !t.begun && !t.begin(int(fd)) {
		return t.err != nil
	}
	t.adapt(int(fd))
	before := t.off
	for t.off < t.size {
		n, err := unix.Sendfile(int(fd), t.file, &t.off, int(t.size-t.off))
		switch {
		case err == unix.EINTR:
		case err == unix.EAGAIN:
			t.full(before)
			return false
		case err != nil:
			t.err = os.NewSyscallError("sendfile", err)
			return true
		case n == 0:
			t.err = io.ErrUnexpectedEOF
			return true
		}
	}
	return true
}

// full notes that the socket takes no more for now.
func (t *transfer) full(before int64) {
	t.blocked = time.Now()
	if t.off > before {
		t.arm()
	}
}

// adapt sets the mark for the client as it has shown itself.
func (t *transfer) adapt(fd int) {
	long := longWait
	if t.mark == noMark {
		long = longWaitUnmarked
	}
	if !t.blocked.IsZero() && time.Since(t.blocked) > long {
		t.since = t.off
	}
	mark := lowWater
	if t.off-t.since >= fastAfter {
		mark = noMark
	}
	if mark != t.mark {
		t.mark = mark
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, mark)
	}
}

// begin sends the header, and holds it back until payload follows it: it leaves
// in the same segment.
func (t *transfer) begin(fd int) bool {
	n, err := unix.SendmsgN(fd, t.header[:], nil, nil, unix.MSG_MORE|unix.MSG_NOSIGNAL)
	switch {
	case err == unix.EAGAIN || err == unix.EINTR:
		return false
	case err != nil:
		t.err = os.NewSyscallError("sendmsg", err)
	case n != len(t.header):
		t.err = io.ErrShortWrite // an empty socket takes 24 bytes, or none
	}
	t.begun = t.err == nil
	return t.begun
}

// progress reports whether the client has taken anything since it was last asked.
func (t *transfer) progress() bool {
	before := t.acked
	t.acked = t.sent() - int64(unread(t.conn))
	return t.acked > before
}
