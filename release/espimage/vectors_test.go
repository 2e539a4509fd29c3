package espimage

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tcpboot/tcpboot/pki/fleet"
)

// manifest is the vectors' own account of themselves.
type manifest struct {
	Images map[string]struct {
		Checksum      string
		Chip          string
		ElfSHA256     string `json:"elf_sha256"`
		Hash          string
		IDF           string
		MaxRev        string `json:"max_rev"`
		MinRev        string `json:"min_rev"`
		Project       string
		SecureVersion uint32 `json:"secure_version"`
		Segments      int
		SHA256        string
		Size          int
		Version       string
	}
	Keys     map[string]struct{ Digest, Pub64 string }
	Negative map[string]struct {
		ImagePartValid bool   `json:"image_part_valid"`
		MustVerify     bool   `json:"must_verify"`
		Key            string `json:"key"`
	}
	Signed map[string]struct {
		Blocks        []string
		Image, Scheme string
		SHA256        string
		Size          int
	}
}

func vectors(t testing.TB) (m manifest) {
	t.Helper()
	if err := json.Unmarshal(vector(t, "manifest.json"), &m); err != nil {
		t.Fatal(err)
	}
	if len(m.Images) == 0 || len(m.Keys) == 0 || len(m.Negative) == 0 || len(m.Signed) == 0 {
		t.Fatal("manifest.json: a table is empty")
	}
	return m
}

func vector(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// signer opens one of the published keys, SEC1 or PKCS#1.
func signer(t testing.TB, name string) crypto.Signer {
	t.Helper()
	for rest := vector(t, "keys/"+name+".pem"); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			t.Fatalf("keys/%s.pem: no private key", name)
		}
		if key, err := x509.ParseECPrivateKey(block.Bytes); err == nil {
			return key
		}
		if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
			return key
		}
	}
}

func digestOf(t testing.TB, name string) fleet.Digest {
	t.Helper()
	d, err := KeyDigest(signer(t, name).Public())
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestVectorImages(t *testing.T) {
	for name, want := range vectors(t).Images {
		t.Run(name, func(t *testing.T) {
			file := vector(t, name)
			im, err := CheckRelease(file)
			if err != nil {
				t.Fatal(err)
			}
			chip, err := fleet.ParseChip(want.Chip)
			if err != nil {
				t.Fatal(err)
			}
			checksum, err := hex.DecodeString(strings.TrimPrefix(want.Checksum, "0x"))
			if err != nil {
				t.Fatal(err)
			}
			d := im.Descriptor
			for _, c := range []struct {
				field     string
				got, want any
			}{
				{"sha256", fleet.Sum(file).Hex(), want.SHA256},
				{"length", im.Length, want.Size},
				{"chip", im.Chip, chip},
				{"min_rev", "v" + revision(im.MinRevision), want.MinRev},
				{"max_rev", "v" + revision(im.MaxRevision), want.MaxRev},
				{"segments", len(im.Segments), want.Segments},
				{"checksum", im.Checksum, checksum[0]},
				{"hash", im.Hash.Hex(), want.Hash},
				{"version", d.Version, want.Version},
				{"project", d.Project, want.Project},
				{"idf", d.IDF, want.IDF},
				{"elf_sha256", d.ELF.Hex(), want.ElfSHA256},
				{"secure_version", d.SecureVersion, want.SecureVersion},
			} {
				if c.got != c.want {
					t.Errorf("%s: got %v, want %v", c.field, c.got, c.want)
				}
			}
		})
	}
}

func TestVectorKeys(t *testing.T) {
	for name, want := range vectors(t).Keys {
		t.Run(name, func(t *testing.T) {
			if want.Pub64 != "" {
				raw, err := KeyV1(signer(t, name).Public().(*ecdsa.PublicKey))
				if err != nil || hex.EncodeToString(raw) != want.Pub64 {
					t.Errorf("KeyV1: got %x, %v, want %s", raw, err, want.Pub64)
				}
				return
			}
			if got := digestOf(t, name).Hex(); got != want.Digest {
				t.Errorf("KeyDigest: got %s, want %s", got, want.Digest)
			}
		})
	}
}

func TestVectorSigned(t *testing.T) {
	for name, want := range vectors(t).Signed {
		t.Run(name, func(t *testing.T) {
			file, image := vector(t, name), vector(t, want.Image)
			if got := SignedSize(len(image), Scheme(want.Scheme)); got != want.Size || len(file) != want.Size {
				t.Errorf("size: got %d, file has %d, want %d", got, len(file), want.Size)
			}
			if _, err := CheckRelease(file); err == nil || !strings.Contains(err.Error(), "already signed") {
				t.Errorf("CheckRelease: got %v, want already signed", err)
			}
			if want.Scheme == "v1" {
				judgeV1(t, file, image, want.Blocks[0])
				return
			}
			r, err := Inspect(file)
			if err != nil {
				t.Fatal(err)
			}
			if len(r.Blocks) != len(want.Blocks) {
				t.Fatalf("blocks: got %d, want %d", len(r.Blocks), len(want.Blocks))
			}
			for i, b := range r.Blocks {
				expect := Block{Position: i, Scheme: Scheme(want.Scheme), Key: digestOf(t, want.Blocks[i])}
				if b != expect {
					t.Errorf("block %d: got %+v, want %+v", i, b, expect)
				}
			}
		})
	}
}

func judgeV1(t *testing.T, file, image []byte, key string) {
	t.Helper()
	again, err := SignV1(image, signer(t, key))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(again, file) {
		t.Error("signing again gives other bytes than espsecure")
	}
	if _, err := VerifyV1(file, signer(t, key).Public().(*ecdsa.PublicKey)); err != nil {
		t.Error(err)
	}
	if _, err := VerifyV1(file, signer(t, "p256-a").Public().(*ecdsa.PublicKey)); err == nil {
		t.Error("accepted with another key")
	}
}

// A file signed by a and b is good for boards that trust b only where hardware
// looks at all blocks.
func TestVectorTwoBlocks(t *testing.T) {
	file := vector(t, "sbv2/esp32s3-rsa-ab.bin")
	a, b, stranger := digestOf(t, "rsa3072-a"), digestOf(t, "rsa3072-b"), digestOf(t, "p256-a")
	for _, c := range []struct {
		name  string
		trust Trust
		ok    bool
	}{
		{"a, hardware", Trust{Keys: []fleet.Digest{a}, AllBlocks: true}, true},
		{"b, hardware", Trust{Keys: []fleet.Digest{b}, AllBlocks: true}, true},
		{"a, software", Trust{Keys: []fleet.Digest{a}}, true},
		{"b, software", Trust{Keys: []fleet.Digest{b}}, false},
		{"b or a, software", Trust{Keys: []fleet.Digest{b, a}}, true},
		{"a stranger, hardware", Trust{Keys: []fleet.Digest{stranger}, AllBlocks: true}, false},
		{"nobody", Trust{AllBlocks: true}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := Verify(file, c.trust); (err == nil) != c.ok {
				t.Errorf("got %v, want accepted: %v", err, c.ok)
			}
		})
	}
}

func TestVectorNegative(t *testing.T) {
	judged := 0
	for name, want := range vectors(t).Negative {
		if want.Key == "" { // another package's
			continue
		}
		judged++
		t.Run(name, func(t *testing.T) {
			file := vector(t, name)
			if _, err := Parse(file); (err == nil) != want.ImagePartValid {
				t.Errorf("Parse: got %v, want valid: %v", err, want.ImagePartValid)
			}
			if got := accepted(t, file, want.Key); got != want.MustVerify {
				t.Errorf("accepted: got %v, want %v", got, want.MustVerify)
			}
			if _, err := CheckRelease(file); err == nil {
				t.Error("CheckRelease accepts it as unsigned")
			}
		})
	}
	if judged < 9 {
		t.Errorf("judged %d files, want 9 or more", judged)
	}
}

// accepted asks with all trust that there is.
func accepted(t *testing.T, file []byte, key string) bool {
	if pub, ok := signer(t, key).Public().(*ecdsa.PublicKey); ok && strings.HasPrefix(key, "v1") {
		_, err := VerifyV1(file, pub)
		return err == nil
	}
	_, err := Verify(file, Trust{Keys: []fleet.Digest{digestOf(t, key)}, AllBlocks: true})
	return err == nil
}
