package server

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/tcpboot/tcpboot/release/wire"
	"golang.org/x/sys/unix"
)

// descriptors returns how many files this process may open.
func descriptors() int {
	var r unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &r); err != nil {
		return 1024
	}
	return int(min(r.Cur, 1<<20))
}

// memory returns a file in memory that holds b and that nobody can change.
func memory(b []byte) (*os.File, error) {
	fd, err := unix.MemfdCreate("tcpboot-image", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, fmt.Errorf("memory file: %w", err)
	}
	f := os.NewFile(uintptr(fd), "image in memory")
	if _, err := f.Write(b); err != nil {
		f.Close()
		return nil, err
	}
	const seals = unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals); err != nil {
		f.Close()
		return nil, fmt.Errorf("memory file: seal: %w", err)
	}
	return f, nil
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

// How a transfer treats a client that does not keep up. Without a low-water mark
// the kernel piles up most of a megabyte for it; with one, a fast client costs
// more wake-ups. So the mark is set when a client has first kept us waiting.
const (
	patience = 100 * time.Millisecond
	lowWater = 16 << 10
)

// A transfer sends one blob by sendfile.
type transfer struct {
	conn   *net.TCPConn
	file   int
	header [wire.HeaderSize]byte
	begun  bool
	off    int64
	size   int64
	wait   time.Duration // patience, then idle
	acked  int64
	err    error
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
	t := &transfer{conn: tcp, header: b.header.Bytes(), size: b.Size(), wait: min(patience, idle)}
	err = errors.Join(file.Control(func(fd uintptr) {
		t.file = int(fd)
		t.err = t.run(raw, idle)
	}), t.err)
	return t.sent(), err
}

func (t *transfer) sent() int64 {
	if !t.begun {
		return 0
	}
	return int64(len(t.header)) + t.off
}

func (t *transfer) run(raw syscall.RawConn, idle time.Duration) error {
	for t.off < t.size {
		t.arm()
		err := raw.Write(t.push)
		switch {
		case err == nil && t.err != nil:
			return t.err
		case err != nil && !errors.Is(err, os.ErrDeadlineExceeded):
			return err
		case err != nil && t.wait == idle && !t.progress():
			return errStalled
		case err != nil:
			t.slow(idle)
		}
	}
	return nil
}

func (t *transfer) arm() { t.conn.SetWriteDeadline(time.Now().Add(t.wait)) }

// push gives the kernel what it takes, and reports whether it is over: all went,
// or an error came. The runtime calls it again when the socket takes more.
func (t *transfer) push(fd uintptr) bool {
	if !t.begun && !t.begin(int(fd)) {
		return t.err != nil
	}
	moved := false
	for t.off < t.size {
		n, err := unix.Sendfile(int(fd), t.file, &t.off, int(t.size-t.off))
		switch {
		case err == unix.EAGAIN:
			if moved {
				t.arm()
			}
			return false
		case err == unix.EINTR:
		case err != nil:
			t.err = os.NewSyscallError("sendfile", err)
			return true
		case n == 0:
			t.err = io.ErrUnexpectedEOF
			return true
		}
		moved = moved || n > 0
	}
	return true
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

func (t *transfer) slow(idle time.Duration) {
	t.wait = idle
	control(t.conn, func(fd int) {
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, lowWater)
	})
}
