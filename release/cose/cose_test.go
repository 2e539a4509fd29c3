package cose

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	peer "github.com/veraison/go-cose"
)

// TestPeerAccepts has another COSE library verify what we sign.
func TestPeerAccepts(t *testing.T) {
	one, two := testSigner(1), testSigner(2)
	var m1 peer.Sign1Message
	if err := m1.UnmarshalCBOR(must(Sign1("a/b", []byte("hello"), one))); err != nil {
		t.Fatal(err)
	}
	if err := m1.Verify(nil, peerVerifier(1)); err != nil {
		t.Error(err)
	}
	if typ := m1.Headers.Protected[peer.HeaderLabelType]; typ != "a/b" {
		t.Errorf("type %v", typ)
	}
	var m peer.SignMessage
	if err := m.UnmarshalCBOR(must(Sign("a/b", []byte("hello"), one, two))); err != nil {
		t.Fatal(err)
	}
	order := []peer.Verifier{peerVerifier(1), peerVerifier(2)}
	if byID([]Signer{one, two})[0].Key != one.Key {
		order[0], order[1] = order[1], order[0]
	}
	if err := m.Verify(nil, order...); err != nil {
		t.Error(err)
	}
}

// TestWeAcceptPeer reads what another COSE library signs in our profile.
func TestWeAcceptPeer(t *testing.T) {
	id := testSigner(1).Key.ID()
	signer := must(peer.NewSigner(peer.AlgorithmES256, testKey(1)))
	m1 := peer.NewSign1Message()
	m1.Headers.Protected = peer.ProtectedHeader{
		peer.HeaderLabelAlgorithm: peer.AlgorithmES256, peer.HeaderLabelKeyID: id[:], peer.HeaderLabelType: "a/b"}
	m1.Payload = []byte("hello")
	if err := m1.Sign(rand.Reader, nil, signer); err != nil {
		t.Fatal(err)
	}
	accept(t, must(m1.MarshalCBOR()))

	m := peer.NewSignMessage()
	m.Headers.Protected = peer.ProtectedHeader{peer.HeaderLabelType: "a/b"}
	m.Payload = []byte("hello")
	one := peer.NewSignature()
	one.Headers.Protected = peer.ProtectedHeader{
		peer.HeaderLabelAlgorithm: peer.AlgorithmES256, peer.HeaderLabelKeyID: id[:]}
	m.Signatures = append(m.Signatures, one)
	if err := m.Sign(rand.Reader, nil, signer); err != nil {
		t.Fatal(err)
	}
	accept(t, must(m.MarshalCBOR()))
}

func peerVerifier(n byte) peer.Verifier {
	return must(peer.NewVerifier(peer.AlgorithmES256, testKey(n).Public()))
}

func accept(t *testing.T, b []byte) {
	m, err := Read("a/b", b)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Verify(1, testSigner(1).Key); err != nil || string(m.Payload) != "hello" {
		t.Errorf("%q, %v", m.Payload, err)
	}
}

func TestKeyID(t *testing.T) {
	der := must(x509.MarshalPKIXPublicKey(testKey(7).Public()))
	if got, want := testSigner(7).Key.ID(), KeyID(sha256.Sum256(der)); got != want {
		t.Errorf("got %v, want the SHA-256 of the SubjectPublicKeyInfo %v", got, want)
	}
}

func TestKeyOf(t *testing.T) {
	p384 := must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))
	for name, key := range map[string]any{"P-384": p384.Public(), "RSA": &rsa.PublicKey{}, "private": testKey(1), "nothing": nil} {
		if _, err := KeyOf(key); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if _, err := (Key{1}).Public(); err == nil {
		t.Error("a point off the curve was taken")
	}
}

func TestKeyText(t *testing.T) {
	want := testSigner(3).Key
	var got Key
	if err := got.UnmarshalText([]byte(want.String())); err != nil || got != want {
		t.Errorf("got %v, %v", got, err)
	}
	for name, text := range map[string]string{
		"short": "00", "letters": strings.Repeat("x", 128), "off the curve": strings.Repeat("01", 64),
	} {
		if err := got.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

// TestSignerThatLies: a key store that answers wrongly makes no message.
func TestSignerThatLies(t *testing.T) {
	broken := errors.New("token removed")
	for name, sign := range map[string]func([]byte) ([]byte, error){
		"fails":       func([]byte) ([]byte, error) { return nil, broken },
		"other key":   testSigner(2).Sign,
		"short":       func([]byte) ([]byte, error) { return make([]byte, 63), nil },
		"all zero":    func([]byte) ([]byte, error) { return make([]byte, 64), nil },
		"other bytes": func(m []byte) ([]byte, error) { return testSigner(1).Sign(append(m, 0)) },
	} {
		liar := Signer{Key: testSigner(1).Key, Sign: sign}
		if b, err := Sign1("a/b", []byte{1}, liar); err == nil {
			t.Errorf("%s: signed %x", name, b)
		}
		if b, err := Sign("a/b", []byte{1}, testSigner(3), liar); err == nil {
			t.Errorf("%s: signed %x", name, b)
		}
	}
}

func TestSignRefuses(t *testing.T) {
	one := testSigner(1)
	for name, row := range map[string]struct {
		payload []byte
		signers []Signer
		want    Fault
	}{
		"no payload":   {nil, []Signer{one}, Profile},
		"no signer":    {[]byte{1}, nil, Profile},
		"signer twice": {[]byte{1}, []Signer{one, one}, Profile},
		"too long":     {make([]byte, MaxSize), []Signer{one}, TooLong},
	} {
		if _, err := Sign("a/b", row.payload, row.signers...); !errors.Is(err, row.want) {
			t.Errorf("%s: got %v, want %v", name, err, row.want)
		}
	}
}

func TestThresholdOfNone(t *testing.T) {
	m := must(Read("a/b", must(Sign1("a/b", []byte{1}, testSigner(1)))))
	for _, threshold := range []int{0, -1} {
		if err := m.Verify(threshold); err == nil {
			t.Errorf("threshold %d trusts anything", threshold)
		}
	}
}

// FuzzRead: what Read takes, the other library takes too.
func FuzzRead(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.txt")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		_, body, _ := bytes.Cut(text, []byte("\n\n"))
		b := make([]byte, len(body))
		n, err := hex.Decode(b, bytes.ReplaceAll(body, []byte("\n"), nil))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b[:n])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Read("a/b", b)
		if err != nil {
			if m != nil {
				t.Error("a message and an error")
			}
			return
		}
		if m.Single {
			err = new(peer.Sign1Message).UnmarshalCBOR(b)
		} else {
			err = new(peer.SignMessage).UnmarshalCBOR(b)
		}
		if err != nil {
			t.Errorf("only we read %x: %v", b, err)
		}
	})
}
