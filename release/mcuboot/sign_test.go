package mcuboot

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// A way is one way to sign.
type way struct {
	name string
	key  crypto.Signer
	spec Spec
}

func ways(t testing.TB) []way {
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return []way{
		{"RSA-2048", signer(t, "rsa2048"), Spec{}},
		{"RSA-3072", signer(t, "rsa3072"), Spec{}},
		{"P-256", signer(t, "ec256"), Spec{}},
		{"P-256 padded", signer(t, "ec256"), Spec{PadSignature: true}},
		{"P-384", p384, Spec{PadSignature: true, FullKey: true}},
		{"Ed25519", signer(t, "ed25519"), Spec{}},
		{"Ed25519 SHA-512", signer(t, "ed25519"), Spec{Hash: crypto.SHA512}},
		{"Ed25519 pure", signer(t, "ed25519"), Spec{Pure: true, FullKey: true}},
	}
}

// A wrapping is one way to wrap a content key.
type wrapping struct {
	name string
	to   Recipient
	open Identity
}

func wrappings(t testing.TB, keySize int) []wrapping {
	of := func(name string, recipient any, private any) wrapping {
		to, err := NewRecipient(recipient)
		if err != nil {
			t.Fatal(err)
		}
		id, err := NewIdentity(private)
		if err != nil {
			t.Fatal(err)
		}
		return wrapping{name, to, id}
	}
	r := private(t, "enc-rsa2048.pem").(*rsa.PrivateKey)
	p := private(t, "enc-ec256.pem").(*ecdsa.PrivateKey)
	x := private(t, "enc-x25519.pem").(*ecdh.PrivateKey)
	k := private(t, fmt.Sprintf("kek%d.b64", 8*keySize)).([]byte)
	x512, err := NewRecipientSHA512(x.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	return []wrapping{
		of("RSA-OAEP", &r.PublicKey, r), of("ECIES-P256", &p.PublicKey, p), of("ECIES-X25519", x.PublicKey(), x),
		{"ECIES-X25519 SHA-512", x512, of("", x.PublicKey(), x).open}, of("AES-KW", k, k),
	}
}

var number7 = uint32(7)

// full has something of everything that a protected area can hold.
func full(s Spec) Spec {
	vendor := VendorID("acme.example")
	class := ClassID("sensor-board", vendor)
	s.Version, s.HeaderSize, s.Fill = Version{1, 2, 3, 4}, 0x40, 0xff
	s.Counter, s.SoftwareType, s.Vendor, s.Class = &number7, "SPE", &vendor, &class
	s.Dependencies = []Dependency{{1, Version{Major: 2}}, {2, Version{Build: 9}}}
	s.Custom = []TLV{{0xa0, []byte{1, 2, 3}}, {0x01a7, nil}}
	return s
}

// Every way to sign, with every way to encrypt, in slots of every alignment:
// what is made verifies, opens, and fits where it is put.
func TestSignVerify(t *testing.T) {
	payload := []byte("a program of an odd length, to be padded.")
	for _, w := range ways(t) {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			roundTrip(t, w, full(w.spec), payload, Trust{}, 0)
			for _, keySize := range []int{16, 32} {
				for _, e := range wrappings(t, keySize) {
					for _, secret := range [][]byte{nil, bytes.Repeat([]byte{7}, 32)} {
						s := full(w.spec)
						s.Encryption = &Encryption{To: e.to, KeySize: keySize, Factory: secret}
						trust := Trust{Decrypt: []Identity{identity(t, "ec256-other.pem"), e.open}}
						roundTrip(t, w, s, payload, trust, keySize)
						if secret != nil {
							roundTrip(t, w, s, payload, Trust{Decrypt: []Identity{Factory(secret)}}, keySize)
						}
					}
				}
			}
		})
	}
}

func roundTrip(t *testing.T, w way, s Spec, payload []byte, trust Trust, keySpace int) {
	t.Helper()
	image, err := Sign(payload, s, w.key)
	if err != nil {
		t.Fatal(err)
	}
	trust.Keys = []crypto.PublicKey{signer(t, "ec256-other").Public(), w.key.Public()}
	trust.Listed = true
	for i, align := range []int{1, 2, 4, 8, 16, 32} {
		confirmed := i%2 == 0
		file, err := Slot{Size: 0x4000, Align: align, KeySpace: keySpace}.Fill(image, confirmed)
		if err != nil {
			t.Fatal(err)
		}
		trailer, err := ParseTrailer(file)
		if want := map[bool]Flag{true: "set", false: "unset"}[confirmed]; err != nil || trailer != (Trailer{max(8, align), want, "unset"}) {
			t.Errorf("alignment %d: trailer %+v, %v", align, trailer, err)
		}
		checkRoundTrip(t, file, s, payload, trust)
	}
}

func checkRoundTrip(t *testing.T, file []byte, s Spec, payload []byte, trust Trust) {
	t.Helper()
	r, err := Verify(file, trust)
	if err != nil {
		t.Fatal(err)
	}
	if s.Encryption != nil {
		payload = filled(payload, s.headerSize())
		if bytes.Contains(file, payload[:16]) {
			t.Error("the payload can be read")
		}
	}
	n, ok := r.Image.Counter()
	if !bytes.Equal(r.Payload, payload) || r.SignedBy == nil || !ok || n != number7 || r.Pure != s.Pure {
		t.Errorf("got %+v", r)
	}
	if !reflect.DeepEqual(r.Image.Dependencies(), s.Dependencies) || r.Image.Version != s.Version {
		t.Errorf("version %v, dependencies %v", r.Image.Version, r.Image.Dependencies())
	}
}

// A bit changed in anything that is signed, or that signs, is refused.
func TestFlippedBits(t *testing.T) {
	for _, w := range ways(t) {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			s := full(w.spec)
			s.Custom = s.Custom[:1]
			image, err := Sign([]byte("a program"), s, w.key)
			if err != nil {
				t.Fatal(err)
			}
			trust := Trust{Keys: []crypto.PublicKey{w.key.Public()}}
			for bit := range 8 * unpaddedEnd(t, image) {
				flipped := slices.Clone(image)
				flipped[bit/8] ^= 1 << (bit % 8)
				if _, err := Verify(flipped, trust); err == nil {
					t.Fatalf("bit %d of byte %#x: accepted", bit%8, bit/8)
				}
			}
		})
	}
}

// unpaddedEnd is the length of an image whose last TLV is its signature.
func unpaddedEnd(t *testing.T, image []byte) int {
	im, err := Parse(image)
	if err != nil {
		t.Fatal(err)
	}
	last := im.Unprotected[len(im.Unprotected)-1].Value
	return len(image) - len(last) + len(unpadded(last))
}

// Of an encrypted image also a bit of the ciphertext and of the wrapped key.
func TestFlippedBitsEncrypted(t *testing.T) {
	key := signer(t, "ec256")
	for _, e := range wrappings(t, 16) {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			s := Spec{Encryption: &Encryption{To: e.to, KeySize: 16}}
			image, err := Sign([]byte("a program"), s, key)
			if err != nil {
				t.Fatal(err)
			}
			trust := Trust{Keys: []crypto.PublicKey{key.Public()}, Decrypt: []Identity{e.open}}
			for at := range image {
				// The top bit of an X25519 key is no part of it.
				flipped := slices.Clone(image)
				flipped[at] ^= 0x40
				if _, err := Verify(flipped, trust); err == nil {
					t.Fatalf("byte %#x: accepted", at)
				}
			}
		})
	}
}

// A signer's wishes are recorded, and its signature is not believed.
type recorder struct {
	crypto.Signer
	entropy io.Reader
	message []byte
	options crypto.SignerOpts
	spoil   bool
}

func (r *recorder) Sign(entropy io.Reader, message []byte, options crypto.SignerOpts) ([]byte, error) {
	r.entropy, r.message, r.options = entropy, message, options
	signature, err := r.Signer.Sign(entropy, message, options)
	if err == nil && r.spoil {
		signature[len(signature)-1] ^= 1
	}
	return signature, err
}

func TestWhatSignersGet(t *testing.T) {
	pss := &rsa.PSSOptions{SaltLength: 32, Hash: crypto.SHA256}
	want := map[string]crypto.SignerOpts{
		"RSA-2048": pss, "RSA-3072": pss, "P-256": crypto.SHA256, "P-256 padded": crypto.SHA256,
		"P-384": crypto.SHA384, "Ed25519": crypto.Hash(0), "Ed25519 SHA-512": crypto.Hash(0), "Ed25519 pure": crypto.Hash(0),
	}
	for _, w := range ways(t) {
		key := &recorder{Signer: w.key}
		image, err := Sign([]byte("a program"), w.spec, key)
		if err != nil {
			t.Fatalf("%s: %v", w.name, err)
		}
		r, err := Verify(image, Trust{Keys: []crypto.PublicKey{w.key.Public()}})
		if err != nil {
			t.Fatalf("%s: %v", w.name, err)
		}
		message := r.Digest
		if w.spec.Pure {
			message = r.Image.content(r.Payload)
		}
		if key.entropy != rand.Reader || !bytes.Equal(key.message, message) || !reflect.DeepEqual(key.options, want[w.name]) {
			t.Errorf("%s: got %x, %#v", w.name, key.message, key.options)
		}
		key.spoil = true
		if _, err := Sign([]byte("a program"), w.spec, key); err != errSignature {
			t.Errorf("%s: a wrong signature: got %v", w.name, err)
		}
	}
}

// The same input gives the same bytes, wherever the algorithm lets it.
func TestSameBytes(t *testing.T) {
	secret := bytes.Repeat([]byte{7}, 16)
	for _, w := range ways(t) {
		if strings.HasPrefix(w.name, "RSA") {
			continue
		}
		s := full(w.spec)
		s.Encryption = &Encryption{To: wrappings(t, 32)[4].to, KeySize: 32, Factory: secret}
		first, err := Sign([]byte("a program"), s, w.key)
		if err != nil {
			t.Fatal(err)
		}
		if second, err := Sign([]byte("a program"), s, w.key); err != nil || !bytes.Equal(first, second) {
			t.Errorf("%s: other bytes, %v", w.name, err)
		}
	}
}

// Content keys never serve two payloads, not even where one factory key makes
// them: the difference of two ciphertexts would be that of the payloads.
func TestContentKeysDiffer(t *testing.T) {
	e := Encryption{KeySize: 16, Factory: bytes.Repeat([]byte{7}, 16)}
	seen := map[string]bool{}
	for _, imageHash := range [][]byte{{1}, {2}} {
		key, err := e.contentKey(imageHash)
		if err != nil {
			t.Fatal(err)
		}
		seen[string(key)] = true
	}
	e.Factory = nil
	for range 2 {
		key, err := e.contentKey([]byte{1})
		if err != nil {
			t.Fatal(err)
		}
		seen[string(key)] = true
	}
	if len(seen) != 4 {
		t.Errorf("%d content keys, want 4", len(seen))
	}
}

func TestSignRefuses(t *testing.T) {
	p256, rsa2048 := signer(t, "ec256"), signer(t, "rsa2048")
	p224, _ := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	rsa1024 := &rsa.PublicKey{N: signer(t, "rsa2048").Public().(*rsa.PublicKey).N, E: 3}
	kek16, _ := NewRecipient(make([]byte, 16))
	for _, c := range []struct {
		name   string
		spec   Spec
		public crypto.PublicKey
		want   string
	}{
		{"header size", Spec{HeaderSize: 31}, p256.Public(), "header size 31: want 32 to 65535"},
		{"header size", Spec{HeaderSize: 65536}, p256.Public(), "header size 65536: want 32 to 65535"},
		{"flags", Spec{Flags: AES128}, p256.Public(), "flags AES128: want NON_BOOTABLE RAM_LOAD ROM_FIXED alone"},
		{"both places", Spec{Flags: RAMLoad | ROMFixed}, p256.Public(), "flags RAM_LOAD ROM_FIXED exclude each other"},
		{"an address for nothing", Spec{LoadAddress: 1}, p256.Public(), "load address 0x1 without a flag"},
		{"software type", Spec{SoftwareType: "thirteen char"}, p256.Public(), `software type "thirteen char": longer than 12 characters`},
		{"boot record without a key", Spec{SoftwareType: "SPE"}, nil, "a boot record names the key that signed"},
		{"custom type", Spec{Custom: []TLV{{SecurityCounter, make([]byte, 4)}}}, p256.Public(), "custom TLV SEC_CNT: want a type from 0x00a0 to 0xfffe"},
		{"wildcard", Spec{Custom: []TLV{{0xffff, nil}}}, p256.Public(), "custom TLV 0xffff: want a type"},
		{"too much", Spec{Custom: []TLV{{0xa0, make([]byte, 65528)}}}, p256.Public(), "protected TLVs of 65536 bytes: an area holds 65535"},
		{"hash of P-256", Spec{Hash: crypto.SHA512}, p256.Public(), "hash SHA-512: images signed with P-256 have [SHA-256]"},
		{"hash of RSA", Spec{Hash: crypto.SHA384}, rsa2048.Public(), "hash SHA-384: images signed with RSA-2048 have [SHA-256]"},
		{"hash", Spec{Hash: crypto.SHA1}, nil, "hash SHA-1: want SHA-256, SHA-384 or SHA-512"},
		{"pure P-256", Spec{Pure: true}, p256.Public(), "only an Ed25519 key signs a pure image"},
		{"pure, no key", Spec{Pure: true}, nil, "only an Ed25519 key signs a pure image"},
		{"pure with SHA-256", Spec{Pure: true, Hash: crypto.SHA256}, ed25519.PublicKey(make([]byte, 32)), "hash SHA-256: a pure image has SHA-512"},
		{"P-224", Spec{}, p224.Public(), "ECDSA key on P-224: MCUboot takes P-256 and P-384"},
		{"exponent", Spec{}, rsa1024, "RSA key with exponent 3, want 65537"},
		{"X25519", Spec{}, private(t, "enc-x25519.pem").(*ecdh.PrivateKey).PublicKey(), "key of type *ecdh.PublicKey: MCUboot takes"},
		{"content key", Spec{Encryption: &Encryption{To: kek16, KeySize: 24}}, p256.Public(), "content key of 24 bytes: want 16 or 32"},
		{"factory key", Spec{Encryption: &Encryption{To: kek16, KeySize: 16, Factory: make([]byte, 15)}}, p256.Public(), "factory key of 15 bytes: want 16 or more"},
		{"nobody", Spec{Encryption: &Encryption{KeySize: 16}}, p256.Public(), "encryption for nobody"},
		{"KEK of another size", Spec{Encryption: &Encryption{To: kek16, KeySize: 32}}, p256.Public(), "key of 16 bytes for AES key wrap, and a content key of 32"},
	} {
		if _, err := NewDraft([]byte("a program"), c.spec, c.public); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
}
