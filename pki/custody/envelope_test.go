package custody

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"strings"
	"testing"

	"go.step.sm/crypto/pemutil"
)

// pemBlock wraps DER as a key file.
func pemBlock(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: encryptedType, Bytes: der})
}

// forge returns a sealed key with its envelope changed.
func forge(t *testing.T, text []byte, change func(*envelope)) []byte {
	t.Helper()
	block, _ := pem.Decode(text)
	var e envelope
	if _, err := asn1.Unmarshal(block.Bytes, &e); err != nil {
		t.Fatal(err)
	}
	change(&e)
	der, err := asn1.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	return pemBlock(der)
}

func TestUnsealRefusesAHostileEnvelope(t *testing.T) {
	for name, row := range map[string]struct {
		change func(*envelope)
		want   string
	}{
		"an hour of iterations": {func(e *envelope) { e.Algorithm.Parameters.KDF.Parameters.Iterations = 1 << 31 }, "2147483648 iterations"},
		"no iterations":         {func(e *envelope) { e.Algorithm.Parameters.KDF.Parameters.Iterations = 0 }, "0 iterations"},
		"fewer than none":       {func(e *envelope) { e.Algorithm.Parameters.KDF.Parameters.Iterations = -1 }, "-1 iterations"},
		"no salt":               {func(e *envelope) { e.Algorithm.Parameters.KDF.Parameters.Salt = nil }, "a salt of 0 bytes"},
		"much salt":             {func(e *envelope) { e.Algorithm.Parameters.KDF.Parameters.Salt = make([]byte, 65) }, "a salt of 65 bytes"},
		"a short IV":            {func(e *envelope) { e.Algorithm.Parameters.Cipher.IV = make([]byte, 8) }, "an IV of 8 bytes"},
		"half a block":          {func(e *envelope) { e.Ciphertext = e.Ciphertext[:8] }, "8 encrypted bytes"},
		"no ciphertext":         {func(e *envelope) { e.Ciphertext = nil }, "0 encrypted bytes"},
		"DES":                   {func(e *envelope) { e.Algorithm.Parameters.Cipher.ID = asn1.ObjectIdentifier{1, 3, 14, 3, 2, 7} }, "neither AES-128-CBC"},
		"PBES1":                 {func(e *envelope) { e.Algorithm.ID = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 3} }, "not encrypted by PBES2"},
		"scrypt": {func(e *envelope) {
			e.Algorithm.Parameters.KDF.ID = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11591, 4, 11}
		}, "not stretched by PBKDF2"},
		"SHA-1": {func(e *envelope) {
			e.Algorithm.Parameters.KDF.Parameters.PRF.Algorithm = asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 7}
		}, "not stretched by PBKDF2"},
	} {
		t.Run(name, func(t *testing.T) {
			key, err := Unseal(forge(t, opensslKey, row.change), []byte("open sesame"))
			if err == nil || key != nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("got %v, want an error with %q", err, row.want)
			}
		})
	}
	if _, err := Unseal(forge(t, opensslKey, func(*envelope) {}), []byte("open sesame")); err != nil {
		t.Errorf("unchanged: %v", err)
	}
}

func TestUnsealRefusesOtherFiles(t *testing.T) {
	key := generate(t, P256)
	plain, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	legacy, err := pemutil.Serialize(key, pemutil.WithPassword([]byte("x")))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(opensslKey)
	for name, row := range map[string]struct {
		text []byte
		want string
	}{
		"nothing":                   {nil, "no PEM block"},
		"DER":                       {block.Bytes, "no PEM block"},
		"a key not encrypted":       {pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: plain}), `not "ENCRYPTED PRIVATE KEY"`},
		"the encryption of old":     {pem.EncodeToMemory(legacy), "not in PKCS#8"},
		"two keys":                  {append(bytes.Clone(opensslKey), opensslKey...), "more after the PEM block"},
		"no DER":                    {pemBlock([]byte("x")), "not PKCS#8"},
		"bytes after the key":       {pemBlock(append(bytes.Clone(block.Bytes), 0)), "not PKCS#8"},
		"a length not the shortest": {pemBlock(append([]byte{0x30, 0x82, 0x00}, block.Bytes[2:]...)), "not PKCS#8"},
		"too long":                  {bytes.Repeat([]byte("\n"), maxFile+1), "longer than"},
	} {
		t.Run(name, func(t *testing.T) {
			key, err := Unseal(row.text, []byte("x"))
			if err == nil || key != nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("got %v, want an error with %q", err, row.want)
			}
		})
	}
}

// A damaged key cannot be told from a wrong passphrase.
func TestUnsealADamagedKey(t *testing.T) {
	damaged := forge(t, opensslKey, func(e *envelope) { e.Ciphertext[0] ^= 1 })
	if _, err := Unseal(damaged, []byte("open sesame")); !errors.Is(err, ErrPassphrase) {
		t.Errorf("got %v, want ErrPassphrase", err)
	}
}

func TestUnsealRefusesAKeyOfNoKind(t *testing.T) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := pemutil.Serialize(key, pemutil.WithPKCS8(true), pemutil.WithPassword([]byte("x")))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Unseal(pem.EncodeToMemory(block), []byte("x")); !errors.Is(err, errKind) {
		t.Errorf("got %v, want %v", err, errKind)
	}
}

// FuzzUnseal looks for envelopes that pass the check and then bring pemutil
// down. It does without those that only take long.
func FuzzUnseal(f *testing.F) {
	block, _ := pem.Decode(opensslKey)
	der := block.Bytes
	f.Add(der)
	f.Add(der[:len(der)-1])
	f.Add([]byte{0x30, 0})
	f.Fuzz(func(t *testing.T, der []byte) {
		var e envelope
		if _, err := asn1.Unmarshal(der, &e); err == nil && e.Algorithm.Parameters.KDF.Parameters.Iterations > 10_000 {
			return
		}
		if key, err := Unseal(pemBlock(der), []byte("y")); err == nil {
			t.Errorf("a key of type %T came out", key)
		}
	})
}
