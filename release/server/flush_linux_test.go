package server

import (
	"errors"
	"net"
	"syscall"
	"testing"
	"time"
)

// A client that left just before the answer came does not hold its slot.
func TestClientThatLeftBeforeTheAnswer(t *testing.T) {
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	client, err := net.Dial("tcp4", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	conn, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	client.Close()
	if _, err := conn.Write(make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := settle(conn, time.Minute); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("got %v, want a reset", err)
	}
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("it took %v to see that nobody is there", took)
	}
}
