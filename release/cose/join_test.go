package cose

import (
	"bytes"
	"errors"
	"testing"
)

// TestJoin: signatures that were made apart are those that were made together.
func TestJoin(t *testing.T) {
	sign := func(payload string, numbers ...byte) []byte {
		var signers []Signer
		for _, n := range numbers {
			signers = append(signers, testSigner(n))
		}
		b, err := Sign("a/b", []byte(payload), signers...)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	got, err := Join("a/b", sign("x", 2), sign("x", 3, 1), sign("x", 3))
	if want := sign("x", 1, 2, 3); err != nil || !bytes.Equal(got, want) {
		t.Errorf("got %x, %v\nwant %x", got, err, want)
	}
	some, err := Only("a/b", got, testSigner(1).Key, testSigner(3).Key, testSigner(9).Key)
	if want := sign("x", 1, 3); err != nil || !bytes.Equal(some, want) {
		t.Errorf("got %x, %v\nwant %x", some, err, want)
	}
	single, err := Sign1("a/b", []byte("x"), testSigner(1))
	if err != nil {
		t.Fatal(err)
	}
	for name, messages := range map[string][][]byte{
		"another payload": {sign("x", 1), sign("y", 2)},
		"another type":    {replaced(sign("x", 1), []byte("a/b"), []byte("a/c"))},
		"a COSE_Sign1":    {single},
		"rubbish":         {{1, 2, 3}},
		"seven signers":   {sign("x", 1, 2, 3, 4), sign("x", 5, 6, 7)},
	} {
		if b, err := Join("a/b", messages...); err == nil {
			t.Errorf("%s: joined to %x", name, b)
		}
	}
	if _, err := Only("a/b", got, testSigner(9).Key); !errors.Is(err, Untrusted) {
		t.Errorf("strangers: %v", err)
	}
}
