package server_test

import (
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tcpboot/tcpboot/release/server"
	"github.com/tcpboot/tcpboot/release/wire"
)

// The header leaves in one segment together with payload: a small answer is one
// segment in all, as the client's kernel counts them.
func TestHeaderAndPayloadInOneSegment(t *testing.T) {
	h := open(t, server.Limits{QuickReturns: 1000}, nil)
	h.enrol(stable(1))
	for _, size := range []int{1, 100, 1000} {
		h.publish(t, "stable", image(size))
		for range 20 {
			conn := h.call(mac(1).String())
			if n, err := conn.Read(make([]byte, 4096)); err != nil || n != wire.HeaderSize+size {
				t.Fatalf("first read: %d bytes, %v; want %d", n, err, wire.HeaderSize+size)
			}
			raw, err := conn.SyscallConn()
			if err != nil {
				t.Fatal(err)
			}
			raw.Control(func(fd uintptr) {
				info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
				if err != nil || info.Data_segs_in != 1 {
					t.Errorf("%d bytes came in %d segments (%v), want 1", size, info.Data_segs_in, err)
				}
			})
			conn.Close()
		}
	}
}
