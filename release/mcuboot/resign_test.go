package mcuboot

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"strings"
	"testing"
)

// TestSignWhole: an image that gets its signature later is the one that Sign makes at
// once.
func TestSignWhole(t *testing.T) {
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	counter := uint32(7)
	spec := Spec{Version: Version{Major: 2, Minor: 1}, Counter: &counter, HeaderSize: 512, Custom: []TLV{{FirstCustom, []byte("text")}}}
	for name, key := range map[string]crypto.Signer{"P-256": p256, "Ed25519": edwards} {
		spec.Hash = crypto.SHA256
		plain, err := Sign([]byte("a program"), spec, nil)
		if err != nil {
			t.Fatal(err)
		}
		want, err := Sign([]byte("a program"), spec, key)
		if err != nil {
			t.Fatal(err)
		}
		got, err := SignWhole(plain, key)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %v, or another image", name, err)
		}
		if im, err := Parse(plain); err != nil || im.Signed() {
			t.Errorf("%s: %v, or the plain one is signed", name, err)
		}
		if im, err := Parse(got); err != nil || !im.Signed() {
			t.Errorf("%s: %v, or it is not signed", name, err)
		}
		if _, err := SignWhole(got, key); !errors.Is(err, errSigned) {
			t.Errorf("%s: signed again: %v", name, err)
		}
	}
}

func TestSignWholeRefuses(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := Sign([]byte("a program"), Spec{Version: Version{Major: 1}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	longer, err := Sign([]byte("a program"), Spec{Version: Version{Major: 1}, Hash: crypto.SHA512}, nil)
	if err != nil {
		t.Fatal(err)
	}
	damaged := bytes.Clone(plain)
	damaged[headerSize] ^= 1
	for name, row := range map[string]struct {
		file []byte
		want string
	}{
		"padded":       {append(bytes.Clone(plain), 0xff, 0xff), "2 bytes follow the image"},
		"damaged":      {damaged, "is not the hash of"},
		"another hash": {longer, "images signed with P-256 have"},
		"no image":     {[]byte("a program"), "header"},
	} {
		if _, err := SignWhole(row.file, key); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: %v", name, err)
		}
		if err := CanSign(row.file, key.Public()); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: CanSign: %v", name, err)
		}
	}
	if err := CanSign(plain, key.Public()); err != nil {
		t.Error(err)
	}
}
