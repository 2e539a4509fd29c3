package mcuboot

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// withArea returns the image of a vector with another unprotected area.
func withArea(t *testing.T, file string, change func([]TLV) []TLV) []byte {
	t.Helper()
	b := vector(t, file)
	im, err := Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	end, err := area(unprotectedMagic, change(im.Unprotected))
	if err != nil {
		t.Fatal(err)
	}
	return append(b[:im.payloadEnd()+im.ProtectedSize:im.payloadEnd()+im.ProtectedSize], end...)
}

func appended(more ...TLV) func([]TLV) []TLV {
	return func(all []TLV) []TLV { return append(all, more...) }
}

// What the vectors do not try.
func TestVerifyRefuses(t *testing.T) {
	ec := Trust{Keys: []crypto.PublicKey{signer(t, "ec256").Public()}}
	p224, _ := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	pure, err := Sign([]byte("a program"), Spec{Pure: true}, signer(t, "ed25519"))
	if err != nil {
		t.Fatal(err)
	}
	pureHash := bytes.Clone(pure)
	pureHash[len(pure)-64-4-64-4-1-4-1-4]++ // the hash, which the signature is not over
	for _, c := range []struct {
		name  string
		file  []byte
		trust Trust
		want  string
	}{
		{"two hashes", withArea(t, "s03-ec256.bin", appended(TLV{hashSHA512, make([]byte, 64)})), ec, "two image hashes"},
		{"a hash twice, another", withArea(t, "s03-ec256.bin", appended(TLV{hashSHA256, make([]byte, 32)})), ec, "two image hashes"},
		{"a short hash", withArea(t, "s03-ec256.bin", func(all []TLV) []TLV { all[0].Value = all[0].Value[:31]; return all }), ec, "SHA256 of 31 bytes, want 32"},
		{"an empty key hash", withArea(t, "s03-ec256.bin", func(all []TLV) []TLV { all[1].Value = nil; return all }), ec, "KEYHASH is empty"},
		{"a key in full, another", withArea(t, "s13-ec256-fullkey.bin", func(all []TLV) []TLV { all[1].Value = append(all[1].Value, 0); return all }), ec, "no signature by a key that is trusted"},
		{"pure, said of another signature", withArea(t, "s03-ec256.bin", appended(TLV{signPure, []byte{1}})), ec, "SIG_PURE, and a key for P-256: only Ed25519 signs pure images"},
		{"pure 0", withArea(t, "s03-ec256.bin", appended(TLV{signPure, []byte{0}})), ec, "SIG_PURE is 00, want 01"},
		{"a hash, said to be pure", withArea(t, "s04-ed25519.bin", appended(TLV{signPure, []byte{1}})), Trust{Keys: []crypto.PublicKey{signer(t, "ed25519").Public()}}, "ED25519 by the Ed25519 key"},
		{"pure, its hash damaged", pureHash, Trust{Keys: []crypto.PublicKey{signer(t, "ed25519").Public()}}, "SHA512 is not the hash"},
		{"more than zeros behind DER", withArea(t, "s14-ec256-padsig.bin", func(all []TLV) []TLV { all[2].Value[len(all[2].Value)-1]++; return all }), ec, "ECDSA_SIG by the P-256 key"},
		{"two content keys", withArea(t, "e01-ec256-aes128.bin", appended(TLV{encKW, make([]byte, 24)})), ec, "2 TLVs with a content key"},
		{"a trusted key of no kind", vector(t, "s03-ec256.bin"), Trust{Keys: []crypto.PublicKey{p224.Public()}}, "trusted key: ECDSA key on P-224"},
		{"encrypted, and signed by another", vector(t, "e01-ec256-aes128.bin"), Trust{Keys: []crypto.PublicKey{signer(t, "ec256-other").Public()}}, "no signature by a key that is trusted"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Verify(c.file, c.trust)
			wantError(t, err, c.want)
		})
	}
}

// What is odd but accepted is named.
func TestFindings(t *testing.T) {
	ec := Trust{Keys: []crypto.PublicKey{signer(t, "ec256").Public()}}
	pure, err := Sign([]byte("a program"), Spec{Pure: true}, signer(t, "ed25519"))
	if err != nil {
		t.Fatal(err)
	}
	compressed := vector(t, "s03-ec256.bin")
	compressed[17] |= 0x04
	compressed = resign(t, compressed)
	for _, c := range []struct {
		subject string
		file    []byte
		trust   Trust
	}{
		{"rest", vector(t, "neg/p01-trailing.bin"), ec},
		{"TLV 0x00a5", vector(t, "neg/p03-unknown-tlv.bin"), ec},
		{"key hash", vector(t, "neg/p05-keyhash-short.bin"), ec},
		{"bootloader", vector(t, "s17-ec256-nonbootable.bin"), ec},
		{"encryption", vector(t, "e06-ec256-clear.bin"), ec},
		{"bootloader", pure, Trust{Keys: []crypto.PublicKey{signer(t, "ed25519").Public()}}},
		{"compression", compressed, ec},
	} {
		r, err := Verify(c.file, c.trust)
		if err != nil {
			t.Errorf("%s: %v", c.subject, err)
			continue
		}
		wantFinding(t, r, c.subject, false)
	}
}

// resign gives an image that was changed a good hash and signature again.
func resign(t *testing.T, file []byte) []byte {
	t.Helper()
	im, err := Parse(file)
	if err != nil {
		t.Fatal(err)
	}
	content := im.content(im.Payload())
	sum := digest(crypto.SHA256, content)
	signature, err := signer(t, "ec256").Sign(rand.Reader, sum, crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	all := im.Unprotected
	all[0].Value, all[2].Value = sum, signature
	again, err := assemble(im.Header, content, im.Payload(), all)
	if err != nil {
		t.Fatal(err)
	}
	return again
}

// need fails where a peer program is missing: a green test has asked it.
func need(t *testing.T, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Fatalf("this test needs %s: %v", program, err)
	}
	return path
}

// What we sign, OpenSSL verifies over the image as it lies in the file.
func TestOpenSSLVerifies(t *testing.T) {
	pss := []string{"dgst", "-sha256", "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:32", "-sigopt", "rsa_mgf1_md:sha256"}
	args := map[string][]string{
		"RSA-2048": pss, "RSA-3072": pss, "P-256": {"dgst", "-sha256"}, "P-384": {"dgst", "-sha384"},
		"Ed25519": {"pkeyutl", "-rawin"}, "Ed25519 pure": {"pkeyutl", "-rawin"},
	}
	for _, w := range ways(t) {
		how, asked := args[w.name]
		if !asked {
			continue
		}
		t.Run(w.name, func(t *testing.T) {
			image, err := Sign([]byte("a program"), full(w.spec), w.key)
			if err != nil {
				t.Fatal(err)
			}
			im, err := Parse(image)
			if err != nil {
				t.Fatal(err)
			}
			signed := image[:im.payloadEnd()+im.ProtectedSize]
			if w.name == "Ed25519" {
				signed = digest(crypto.SHA256, signed)
			}
			dir := t.TempDir()
			put := func(name string, b []byte) string {
				path := filepath.Join(dir, name)
				if err := os.WriteFile(path, b, 0o600); err != nil {
					t.Fatal(err)
				}
				return path
			}
			key, content, signature := put("key", spki(t, w.key.Public())), put("content", signed), put("signature", signatureOf(im))
			if how[0] == "dgst" {
				how = append(how, "-verify", key, "-signature", signature, content)
			} else {
				how = append(how, "-verify", "-pubin", "-inkey", key, "-sigfile", signature, "-in", content)
			}
			if out, err := exec.Command(need(t, "openssl"), how...).CombinedOutput(); err != nil {
				t.Errorf("openssl %s: %v\n%s", strings.Join(how, " "), err, out)
			}
		})
	}
}

func spki(t *testing.T, public crypto.PublicKey) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

// What we encrypt, OpenSSL decrypts: the payload by AES in counter mode, the
// content key by RSA-OAEP.
func TestOpenSSLDecrypts(t *testing.T) {
	payload := []byte("a program of some length, to see more than one block of it")
	w := wrappings(t, 32)[0]
	image, err := Sign(payload, Spec{Encryption: &Encryption{To: w.to, KeySize: 32}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	im, err := Parse(image)
	if err != nil {
		t.Fatal(err)
	}
	openssl := func(in []byte, args ...string) []byte {
		cmd := exec.Command(need(t, "openssl"), args...)
		cmd.Stdin = bytes.NewReader(in)
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("openssl %s: %v", strings.Join(args, " "), err)
		}
		return out
	}
	key := openssl(im.wrappedKeys()[0].Value, "pkeyutl", "-decrypt", "-inkey", "testdata/keys/enc-rsa2048.pem",
		"-pkeyopt", "rsa_padding_mode:oaep", "-pkeyopt", "rsa_oaep_md:sha256")
	plain := openssl(im.Payload(), "enc", "-d", "-aes-256-ctr", "-K", hex.EncodeToString(key), "-iv", strings.Repeat("0", 32))
	if !bytes.Equal(plain, filled(payload, im.Size)) {
		t.Errorf("got %q", plain)
	}
}
