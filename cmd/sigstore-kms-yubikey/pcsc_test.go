package main

import (
	"encoding/binary"
	"errors"
	"io"
	"log"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
)

// Tests play the daemon of PC/SC, which the library below speaks to over a socket:
// each message is two numbers, length and command, and the command's own fields, in
// the order of bytes of the machine; the answer is the fields, filled in.
const (
	establishContext = 1
	releaseContext   = 2
	connectCard      = 4
	disconnect       = 6
	beginTransaction = 7
	endTransaction   = 8
	transmit         = 9
	version          = 17
	readerStates     = 18
)

// handles counts what clients have opened: no two have the same number.
var handles atomic.Uint32

// inserted is the card in the one reader; nil when there is none.
var inserted atomic.Pointer[card]

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "pcsc-")
	if err != nil {
		log.Fatal(err)
	}
	socket := filepath.Join(dir, "pcscd.comm")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		log.Fatal(err)
	}
	os.Setenv("PCSCLITE_CSOCK_NAME", socket)
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go serve(c)
		}
	}()
	status := m.Run()
	os.RemoveAll(dir)
	os.Exit(status)
}

func serve(c net.Conn) {
	defer c.Close()
	for {
		if err := serveOne(c); err != nil {
			if !errors.Is(err, io.EOF) {
				log.Print("pcsc: ", err)
			}
			return
		}
	}
}

func serveOne(c net.Conn) error {
	var header struct{ Size, Command uint32 }
	if err := binary.Read(c, binary.NativeEndian, &header); err != nil {
		return err
	}
	if header.Size > 1024 {
		return errors.New("a message that is too long")
	}
	fields := make([]byte, header.Size)
	if _, err := io.ReadFull(c, fields); err != nil {
		return err
	}
	switch header.Command {
	case version, releaseContext, disconnect, beginTransaction, endTransaction: // the last number is 0: done
		_, err := c.Write(fields)
		return err
	case establishContext:
		binary.NativeEndian.PutUint32(fields[4:], handles.Add(1))
		_, err := c.Write(fields)
		return err
	case readerStates:
		_, err := c.Write(states())
		return err
	case connectCard:
		binary.NativeEndian.PutUint32(fields[140:], handles.Add(1))
		binary.NativeEndian.PutUint32(fields[144:], 2) // speaks T=1
		_, err := c.Write(fields)
		return err
	case transmit:
		return serveTransmit(c, fields)
	}
	return errors.New("an unknown message")
}

// states are those of 16 readers, of which one is there.
func states() []byte {
	const size = 184
	all := make([]byte, 16*size)
	if inserted.Load() != nil {
		copy(all, "Yubico YubiKey OTP+FIDO+CCID 00 00")
	}
	return all
}

func serveTransmit(c net.Conn, fields []byte) error {
	request := make([]byte, binary.NativeEndian.Uint32(fields[12:]))
	if _, err := io.ReadFull(c, request); err != nil {
		return err
	}
	answer := inserted.Load().answer(request)
	binary.NativeEndian.PutUint32(fields[24:], uint32(len(answer)))
	_, err := c.Write(append(fields, answer...))
	return err
}
