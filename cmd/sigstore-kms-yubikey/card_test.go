package main

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"encoding/asn1"
	"math/big"
	"sync"
	"testing"
)

// A card is a YubiKey with firmware 5.7, as far as PIV goes that is asked of it.
type card struct {
	*testing.T
	pin   string
	slots map[byte]crypto.Signer

	sync.Mutex
	chained  []byte // of a command in several parts
	verified bool   // the PIN, for the next signature
}

var (
	done       = []byte{0x90, 0x00}
	notFound   = []byte{0x6a, 0x88}
	notAllowed = []byte{0x69, 0x82}
	wrong      = []byte{0x6a, 0x80}
)

// answer takes a command: class, instruction, two parameters, length, data.
func (c *card) answer(command []byte) []byte {
	c.Lock()
	defer c.Unlock()
	c.chained = append(c.chained, command[5:]...)
	if command[0] == 0x10 { // and there is more of it
		return done
	}
	data := c.chained
	c.chained = nil
	switch command[1] {
	case 0xa4: // select the application
		return done
	case 0xfd: // its version
		return append([]byte{5, 7, 1}, done...)
	case 0xf8: // the serial number
		return append([]byte{0, 1, 0xb6, 0x69}, done...) // 112233
	case 0xf7:
		return c.metadata(command[3])
	case 0x20:
		return c.verify(data)
	case 0x87:
		return c.authenticate(command[2], command[3], data)
	case 0xcb, 0xf9: // a certificate; an attestation
		return notFound
	}
	c.Errorf("command %x", command)
	return wrong
}

func tlv(tag byte, value []byte) []byte {
	b, err := asn1.Marshal(asn1.RawValue{Tag: 1, Bytes: value})
	if err != nil {
		panic(err)
	}
	b[0] = tag
	return b
}

// algorithm is PIV's number of a key's kind.
func algorithm(key crypto.Signer) byte {
	switch public := key.Public().(type) {
	case *ecdsa.PublicKey:
		return map[int]byte{256: 0x11, 384: 0x14}[public.Params().BitSize]
	case *rsa.PublicKey:
		return map[int]byte{2048: 0x07, 3072: 0x05}[public.N.BitLen()]
	}
	return 0
}

func (c *card) metadata(slot byte) []byte {
	key := c.slots[slot]
	if key == nil {
		return notFound
	}
	var public []byte
	switch k := key.Public().(type) {
	case *ecdsa.PublicKey:
		point, err := k.Bytes()
		if err != nil {
			c.Error(err)
		}
		public = tlv(0x86, point)
	case *rsa.PublicKey:
		public = append(tlv(0x81, k.N.Bytes()), tlv(0x82, big.NewInt(int64(k.E)).Bytes())...)
	}
	all := [][]byte{tlv(1, []byte{algorithm(key)}), tlv(2, []byte{3, 1}), tlv(3, []byte{1}), tlv(4, public), done}
	return bytes.Join(all, nil)
}

func (c *card) verify(pin []byte) []byte {
	if string(bytes.TrimRight(pin, "\xff")) != c.pin {
		return []byte{0x63, 0xc2}
	}
	c.verified = true
	return done
}

// authenticate signs: the data is 7c{82{} 81{what}}, the answer 7c{82{signature}}.
func (c *card) authenticate(kind, slot byte, data []byte) []byte {
	if !c.verified {
		return notAllowed
	}
	c.verified = false
	var outer, empty, what asn1.RawValue
	_, err := asn1.Unmarshal(data, &outer)
	var rest []byte
	if err == nil {
		rest, err = asn1.Unmarshal(outer.Bytes, &empty)
	}
	if err == nil {
		_, err = asn1.Unmarshal(rest, &what)
	}
	key := c.slots[slot]
	if err != nil || data[0] != 0x7c || what.Tag != 1 || key == nil || algorithm(key) != kind {
		c.Errorf("%x: %v", data, err)
		return wrong
	}
	return append(tlv(0x7c, tlv(0x82, sign(key, what.Bytes))), done...)
}

// sign signs a digest by ECDSA, or raises a padded block to the private exponent.
func sign(key crypto.Signer, what []byte) []byte {
	if private, ok := key.(*rsa.PrivateKey); ok {
		m := new(big.Int).SetBytes(what)
		return m.Exp(m, private.D, private.N).FillBytes(make([]byte, private.Size()))
	}
	sig, err := key.Sign(rand.Reader, what, crypto.SHA256)
	if err != nil {
		return nil
	}
	return sig
}
