package espimage

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/asn1"
	"errors"
	"io"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/tcpboot/tcpboot/pki/fleet"
)

func ecKey(t testing.TB, c elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(c, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// A hardware key hides that it is an *ecdsa.PrivateKey or *rsa.PrivateKey, and
// passes its signatures through spoil where that is set.
type hardware struct {
	crypto.Signer
	spoil func([]byte) ([]byte, error)
}

func (h hardware) Sign(r io.Reader, digest []byte, o crypto.SignerOpts) ([]byte, error) {
	sig, err := h.Signer.Sign(r, digest, o)
	if err != nil || h.spoil == nil {
		return sig, err
	}
	return h.spoil(sig)
}

func standIn(chip fleet.Chip) []byte {
	return Build(Spec{Chip: chip, Project: "door", Version: "1.2.3", IDF: "v5.5.5", Size: 5000})
}

func TestSignVerifies(t *testing.T) {
	a, b := signer(t, "rsa3072-a"), signer(t, "rsa3072-b")
	for _, c := range []struct {
		name string
		chip fleet.Chip
		keys []crypto.Signer
	}{
		{"one RSA key", "esp32s3", []crypto.Signer{a}},
		{"two RSA keys", "esp32s3", []crypto.Signer{b, a}},
		{"RSA on the ESP32", "esp32", []crypto.Signer{a}},
		{"RSA in hardware", "esp32c3", []crypto.Signer{hardware{Signer: a}}},
		{"P-256", "esp32c2", []crypto.Signer{ecKey(t, elliptic.P256())}},
		{"P-256 in hardware", "esp32c61", []crypto.Signer{hardware{Signer: ecKey(t, elliptic.P256())}}},
		{"P-384, three keys", "esp32p4", []crypto.Signer{ecKey(t, elliptic.P384()), ecKey(t, elliptic.P384()), ecKey(t, elliptic.P384())}},
	} {
		t.Run(c.name, func(t *testing.T) {
			image := standIn(c.chip)
			signed, err := Sign(image, c.keys...)
			if err != nil {
				t.Fatal(err)
			}
			if want := SignedSize(len(image), P256); len(signed) != want {
				t.Errorf("size: got %d, want %d", len(signed), want)
			}
			if !bytes.HasPrefix(signed, image) {
				t.Error("the image was changed")
			}
			for i, key := range c.keys {
				d, err := KeyDigest(key.Public())
				if err != nil {
					t.Fatal(err)
				}
				r, err := Verify(signed, Trust{Keys: []fleet.Digest{d}, AllBlocks: true})
				if err != nil {
					t.Fatal(err)
				}
				if got := r.Blocks[i]; got.Key != d || got.Err != nil || got.Position != i {
					t.Errorf("block %d: got %+v, want key %s", i, got, d)
				}
			}
		})
	}
}

func TestSignPadding(t *testing.T) {
	image := standIn("esp32c3")
	filled := fill(image, align(len(image)))
	signed, err := Sign(filled, signer(t, "rsa3072-a"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(signed, filled) || len(signed) != len(filled)+sectorSize {
		t.Errorf("got %d bytes, want the padded image and one sector", len(signed))
	}
}

func TestSignRefuses(t *testing.T) {
	a, p256, p384 := signer(t, "rsa3072-a"), signer(t, "p256-a"), signer(t, "p384-a")
	small, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	flip := func(sig []byte) ([]byte, error) { sig[9] ^= 1; return sig, nil }
	for _, c := range []struct {
		name string
		chip fleet.Chip
		keys []crypto.Signer
		want string
	}{
		{"no key", "esp32c6", nil, "0 keys"},
		{"four keys", "esp32c6", []crypto.Signer{a, a, a, a}, "4 keys"},
		{"a key twice", "esp32c6", []crypto.Signer{a, a}, "the same key twice"},
		{"two schemes", "esp32c6", []crypto.Signer{a, p256}, "keys for rsa3072 and p256"},
		{"a short RSA key", "esp32c6", []crypto.Signer{small}, "2048 bits"},
		{"a curve too large", "esp32c6", []crypto.Signer{ecKey(t, elliptic.P521())}, "P-521"},
		{"RSA on a C2", "esp32c2", []crypto.Signer{a}, "esp32c2: takes p256, not rsa3072"},
		{"ECDSA on a C3", "esp32c3", []crypto.Signer{p256}, "esp32c3: takes rsa3072, not p256"},
		{"P-384 on a C6", "esp32c6", []crypto.Signer{p384}, "esp32c6: takes rsa3072, p256, not p384"},
		{"an H4", "esp32h4", []crypto.Signer{a}, "no signature scheme"},
		{"faulty RSA hardware", "esp32c6", []crypto.Signer{hardware{a, flip}}, "key 1 of 1: signature is wrong"},
		{"faulty ECDSA hardware", "esp32c6", []crypto.Signer{p256, hardware{ecKey(t, elliptic.P256()), flip}}, "key 2 of 2"},
		{"short signature", "esp32c6", []crypto.Signer{hardware{a, func(s []byte) ([]byte, error) { return s[1:], nil }}}, "383 bytes, want 384"},
		{"r too large", "esp32c6", []crypto.Signer{hardware{p256, largeR}}, "no ECDSA signature"},
		{"broken hardware", "esp32c6", []crypto.Signer{hardware{a, func([]byte) ([]byte, error) { return nil, errors.New("unplugged") }}}, "key 1 of 1: unplugged"},
	} {
		t.Run(c.name, func(t *testing.T) {
			signed, err := Sign(standIn(c.chip), c.keys...)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
			if signed != nil {
				t.Error("bytes came with the error")
			}
		})
	}
}

func largeR([]byte) ([]byte, error) {
	big256 := new(big.Int).Lsh(big.NewInt(1), 256)
	return asn1.Marshal(struct{ R, S *big.Int }{big256, big.NewInt(1)})
}

func TestSignV1(t *testing.T) {
	key := signer(t, "v1-a")
	pub := key.Public().(*ecdsa.PublicKey)
	for _, c := range []struct {
		name  string
		image []byte
		key   crypto.Signer
		want  string // of the error; empty: none
	}{
		{"a key file", standIn("esp32"), key, ""},
		{"hardware", standIn("esp32"), hardware{Signer: key}, ""},
		{"padding is not signed", fill(standIn("esp32"), 8192), key, ""},
		{"another chip", standIn("esp32s2"), key, "esp32s2: takes rsa3072, not v1"},
		{"an RSA key", standIn("esp32"), signer(t, "rsa3072-a"), "takes P-256"},
		{"P-384", standIn("esp32"), signer(t, "p384-a"), "P-384"},
		{"faulty hardware", standIn("esp32"), hardware{key, func(s []byte) ([]byte, error) { s[9] ^= 1; return s, nil }}, "V1 signature is wrong"},
		{"signed already", vector(t, "sbv1/esp32-v1-a.bin"), key, "already signed (Secure Boot V1)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			signed, err := SignV1(c.image, c.key)
			if c.want != "" {
				if err == nil || !strings.Contains(err.Error(), c.want) || signed != nil {
					t.Errorf("got %d bytes, %v, want %q", len(signed), err, c.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			im, err := VerifyV1(signed, pub)
			if err != nil {
				t.Fatal(err)
			}
			if len(signed) != SignedSize(im.Length, V1) {
				t.Errorf("size: got %d, want %d", len(signed), SignedSize(im.Length, V1))
			}
		})
	}
}

func TestVerifyV1Refuses(t *testing.T) {
	good, key := vector(t, "sbv1/esp32-v1-a.bin"), signer(t, "v1-a").Public().(*ecdsa.PublicKey)
	at := len(good) - sizeV1
	for _, c := range []struct {
		name string
		file []byte
		key  *ecdsa.PublicKey
		want string
	}{
		{"version 1", changed(good, at, 1), key, "version 1, want 0"},
		{"r changed", changed(good, at+10, 1), key, "signature is wrong"},
		{"a byte more", append(slices.Clone(good), 0), key, "file of 1061 bytes"},
		{"a byte less", good[:len(good)-1], key, "file of 1059 bytes"},
		{"another curve", good, signer(t, "p384-a").Public().(*ecdsa.PublicKey), "P-384"},
		{"no image", good[:20], key, "header"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := VerifyV1(c.file, c.key); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// changed returns file with a bit pattern of the byte at offset flipped.
func changed(file []byte, offset int, mask byte) []byte {
	file = slices.Clone(file)
	file[offset] ^= mask
	return file
}

// What was parsed but not checked for release, or comes from elsewhere, has
// nothing that could be signed.
func TestSignWantsACheckedImage(t *testing.T) {
	parsed, err := Parse(Build(Spec{Chip: "esp32", Size: 9000}))
	if err != nil {
		t.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, im := range []*Image{parsed, {}} {
		if _, err := im.Sign(key); !errors.Is(err, errUnchecked) {
			t.Errorf("Sign: %v", err)
		}
		if _, err := im.SignV1(key); !errors.Is(err, errUnchecked) {
			t.Errorf("SignV1: %v", err)
		}
	}
}

// TestSum: what is not read again is the same.
func TestSum(t *testing.T) {
	for _, key := range []crypto.Signer{ecKey(t, elliptic.P256()), ecKey(t, elliptic.P384())} {
		im, err := CheckRelease(standIn("esp32c5"))
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // a Sum leaves the next one as it was
			signed, err := im.Sign(key)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := im.Sum(signed), fleet.Sum(signed); got != want {
				t.Errorf("got %v, want %v", got, want)
			}
		}
	}
}

// TestSignAsksEveryKey: of keys that are elsewhere each is to be told what to sign.
func TestSignAsksEveryKey(t *testing.T) {
	asked := 0
	away := func() crypto.Signer {
		return hardware{ecKey(t, elliptic.P256()), func([]byte) ([]byte, error) { asked++; return nil, io.EOF }}
	}
	if _, err := Sign(standIn("esp32c2"), away(), away(), away()); !errors.Is(err, io.EOF) || asked != 3 {
		t.Errorf("asked %d, %v", asked, err)
	}
}
