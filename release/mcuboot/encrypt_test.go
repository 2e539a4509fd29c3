package mcuboot

import (
	"bytes"
	"crypto"
	"crypto/aes"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
)

// The vectors of RFC 3394, section 4, whose keys are of a kind that images have.
func TestKeyWrap(t *testing.T) {
	for _, c := range []struct{ kek, key, wrapped string }{
		{"000102030405060708090A0B0C0D0E0F", "00112233445566778899AABBCCDDEEFF", "1FA68B0A8112B447AEF34BD8FB5A7B829D3E862371D2CFE5"},
		{"000102030405060708090A0B0C0D0E0F1011121314151617", "00112233445566778899AABBCCDDEEFF", "96778B25AE6CA435F92B5B97C050AED2468AB8A17AD84E5D"},
		{"000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F", "00112233445566778899AABBCCDDEEFF", "64E8C3F9CE0F5BA263E9777905818A2A93C8191E7D6E8AE7"},
		{"000102030405060708090A0B0C0D0E0F1011121314151617", "00112233445566778899AABBCCDDEEFF0001020304050607", "031D33264E15D33268F24EC260743EDCE1C6C7DDEE725A936BA814915C6762D2"},
		{"000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F", "00112233445566778899AABBCCDDEEFF0001020304050607", "A8F9BC1612C68B3FF6E6F4FBE30E71E4769C8B80A32CB8958CD5D17D6B254DA1"},
		{"000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F", "00112233445566778899AABBCCDDEEFF000102030405060708090A0B0C0D0E0F", "28C9F404C4B810F4CBCCB35CFB87F8263F5786E2D80ED326CBC7F0E71A99F43BFB988B9B7A02DD21"},
	} {
		block, err := aes.NewCipher(unhex(t, c.kek))
		if err != nil {
			t.Fatal(err)
		}
		key, wrapped := unhex(t, c.key), unhex(t, c.wrapped)
		if got := keyWrap(block, key); !bytes.Equal(got, wrapped) {
			t.Errorf("wrap: got %X, want %s", got, c.wrapped)
		}
		if got, ok := keyUnwrap(block, wrapped); !ok || !bytes.Equal(got, key) {
			t.Errorf("unwrap: got %X, %v, want %s", got, ok, c.key)
		}
		for bit := range 8 * len(wrapped) {
			wrapped[bit/8] ^= 1 << (bit % 8)
			if _, ok := keyUnwrap(block, wrapped); ok {
				t.Errorf("bit %d: unwrapped", bit)
			}
			wrapped[bit/8] ^= 1 << (bit % 8)
		}
		for _, n := range []int{0, 8, 16, 23} {
			if _, ok := keyUnwrap(block, wrapped[:n]); ok {
				t.Errorf("%d bytes: unwrapped", n)
			}
		}
	}
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// One shared secret in 256 begins with a zero. Libraries that lose it make images
// that no bootloader opens.
func TestLeadingZero(t *testing.T) {
	key, err := private(t, "enc-ec256.pem").(*ecdsa.PrivateKey).ECDH()
	if err != nil {
		t.Fatal(err)
	}
	for {
		ephemeral, err := ecdh.P256().GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		secret, err := ephemeral.ECDH(key.PublicKey())
		if err != nil {
			t.Fatal(err)
		}
		if secret[0] != 0 {
			continue
		}
		wrapped, err := eciesRecipient{key.PublicKey(), encEC256}.wrapWith(ephemeral, make([]byte, 16))
		if err != nil || len(secret) != 32 {
			t.Fatalf("secret of %d bytes, %v", len(secret), err)
		}
		if got, err := (eciesIdentity{key}).unwrap(nil, wrapped, 16); err != nil || !bytes.Equal(got, make([]byte, 16)) {
			t.Errorf("got %x, %v", got, err)
		}
		return
	}
}

// One signed image serves many recipients, without its signing key.
func TestEncryptAndDecrypt(t *testing.T) {
	key, payload := signer(t, "ed25519"), []byte("a program")
	signed, err := Sign(payload, Spec{Encryption: &Encryption{KeySize: 32, Clear: true}}, key)
	if err != nil {
		t.Fatal(err)
	}
	trust := Trust{Keys: []crypto.PublicKey{key.Public()}}
	if r, err := Verify(signed, trust); err != nil || !r.Clear {
		t.Fatalf("in the clear: %v", err)
	}
	file := signed
	for _, w := range wrappings(t, 32) {
		if file, err = Encrypt(file, Encryption{To: w.to}); err != nil {
			t.Fatalf("%s: %v", w.name, err)
		}
		if bytes.Contains(file, payload) {
			t.Errorf("%s: the payload can be read", w.name)
		}
		r, err := Verify(file, Trust{Keys: trust.Keys, Decrypt: []Identity{w.open}})
		if err != nil || r.Clear || !bytes.HasPrefix(r.Payload, payload) {
			t.Fatalf("%s: %v", w.name, err)
		}
		if _, err := Encrypt(file, Encryption{To: w.to}); err != errNotClear {
			t.Errorf("%s: encrypted twice: %v", w.name, err)
		}
		if _, err := Decrypt(file, identity(t, "ec256-other.pem")); !errors.Is(err, ErrEncrypted) {
			t.Errorf("%s: decrypted with another key: %v", w.name, err)
		}
		if file, err = Decrypt(file, w.open); err != nil {
			t.Fatalf("%s: %v", w.name, err)
		}
		if r, err := Verify(file, trust); err != nil || !r.Clear {
			t.Fatalf("%s: decrypted: %v", w.name, err)
		}
	}
}

func TestEncryptRefuses(t *testing.T) {
	to := wrappings(t, 16)[1].to
	plain := vector(t, "s03-ec256.bin")
	clear := vector(t, "e06-ec256-clear.bin")
	damaged := bytes.Clone(clear)
	damaged[0x300] ^= 1
	for _, c := range []struct {
		name string
		file []byte
		to   Recipient
		want string
	}{
		{"not flagged", plain, to, "its header does not say that it is encrypted"},
		{"damaged", damaged, to, "the payload is not in the clear, or the image is damaged"},
		{"in a slot", append(bytes.Clone(clear), 0xff), to, "1 bytes follow the image"},
		{"for nobody", clear, nil, "encryption for nobody"},
		{"KEK of another size", clear, wrappings(t, 32)[4].to, "key of 32 bytes for AES key wrap, and a content key of 16"},
		{"no image", nil, to, "header: file of 0 bytes"},
	} {
		if _, err := Encrypt(c.file, Encryption{To: c.to}); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
	if _, err := Decrypt(plain); err == nil || err.Error() != "its header does not say that it is encrypted" {
		t.Errorf("decrypt: got %v", err)
	}
}

// A P-384 key has cost people images that nobody can open: it wraps nothing.
func TestRecipientsRefused(t *testing.T) {
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		key  any
		want string
	}{
		{&p384.PublicKey, "ECDSA key on P-384: no bootloader unwraps with it; want P-256"},
		{signer(t, "rsa3072").Public(), "RSA key of 3072 bits: bootloaders unwrap with 2048"},
		{signer(t, "ed25519").Public(), "key of type ed25519.PublicKey: content keys are wrapped for"},
		{make([]byte, 24), "key of 24 bytes for AES key wrap: want 16 or 32"},
	} {
		if _, err := NewRecipient(c.key); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("got %v, want %q", err, c.want)
		}
	}
	if _, err := NewRecipientSHA512(&p384.PublicKey); err == nil {
		t.Error("SHA-512 for P-384: no error")
	}
	for _, key := range []any{p384, signer(t, "rsa3072"), signer(t, "ed25519"), make([]byte, 24)} {
		if _, err := NewIdentity(key); err == nil {
			t.Errorf("%T opens", key)
		}
	}
	image, err := Sign([]byte("a program"), Spec{Encryption: &Encryption{To: wrappings(t, 16)[4].to, KeySize: 16}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = Verify(image, Trust{Decrypt: []Identity{Factory(make([]byte, 8)), identity(t, "kek256.b64")}})
	if err == nil || !strings.HasSuffix(err.Error(), "ENC_KW: factory key of 8 bytes: want 16 or more; wrapped for a key of another kind") {
		t.Errorf("got %v", err)
	}
}
