//go:build !linux

package server

import (
	"net"
	"os"
	"time"
)

// descriptors returns how many files a process may open: a careful guess.
func descriptors() int { return 256 }

// memory returns a file that holds b, open for reading only, and that has no name
// by which to change it.
func memory(b []byte) (*os.File, error) {
	w, err := os.CreateTemp("", "tcpboot-image-")
	if err != nil {
		return nil, err
	}
	defer os.Remove(w.Name())
	defer w.Close()
	if _, err := w.Write(b); err != nil {
		return nil, err
	}
	return os.Open(w.Name())
}

// unread returns how many of the bytes written to conn are not acknowledged.
func unread(net.Conn) int { return untold }

// isReset reports whether the client is known to have reset conn.
func isReset(net.Conn) bool { return false }

// discard reads once and forgets.
func discard(conn net.Conn) error {
	_, err := conn.Read(make([]byte, 512))
	return err
}

func send(conn net.Conn, b *Blob, idle time.Duration) (int64, error) {
	return copyBlob(conn, b, idle)
}
