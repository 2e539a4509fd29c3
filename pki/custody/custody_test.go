package custody

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	_ "embed"
	"errors"
	"os/exec"
	"strings"
	"testing"
)

func generate(t testing.TB, k Kind) crypto.Signer {
	t.Helper()
	key, err := Generate(k)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func seal(t testing.TB, key crypto.Signer, passphrase string) []byte {
	t.Helper()
	text, err := Seal(key, []byte(passphrase))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// sealed returns a key of the kind k and how Seal writes it under "open sesame",
// made once: 600,000 iterations take a second under the race detector.
func sealed(t testing.TB, k Kind) (crypto.Signer, []byte) {
	t.Helper()
	if _, ok := sealedKeys[k]; !ok {
		key := generate(t, k)
		sealedKeys[k] = sealedKey{key, seal(t, key, "open sesame")}
	}
	return sealedKeys[k].key, sealedKeys[k].text
}

type sealedKey struct {
	key  crypto.Signer
	text []byte
}

var sealedKeys = make(map[Kind]sealedKey)

// opensslKey is a P-256 key as OpenSSL seals it under "open sesame": 2,048
// iterations, so that it opens quickly under the race detector too.
//
//go:embed testdata/openssl-p256.pem
var opensslKey []byte

// openssl runs the program on input and returns what it prints.
func openssl(t testing.TB, input []byte, args ...string) []byte {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Fatal("openssl is needed to judge key files: ", err)
	}
	var out, talk bytes.Buffer
	cmd := exec.Command("openssl", args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(input), &out, &talk
	if err := cmd.Run(); err != nil {
		t.Fatalf("openssl %s: %v\n%s", strings.Join(args, " "), err, talk.Bytes())
	}
	return out.Bytes()
}

func samePublic(t *testing.T, got, want crypto.Signer) {
	t.Helper()
	type comparable interface{ Equal(crypto.PublicKey) bool }
	if !got.Public().(comparable).Equal(want.Public()) {
		t.Errorf("another key came out: %v, want %v", got.Public(), want.Public())
	}
}

func TestSealAndUnseal(t *testing.T) {
	for _, kind := range []Kind{P256, P384, RSA2048, RSA3072} {
		t.Run(string(kind), func(t *testing.T) {
			key, text := sealed(t, kind)
			if got, err := KindOf(key.Public()); err != nil || got != kind {
				t.Errorf("KindOf = %v, %v, want %v", got, err, kind)
			}
			again, err := Unseal(text, []byte("open sesame"))
			if err != nil {
				t.Fatal(err)
			}
			samePublic(t, again, key)
			if _, err := Unseal(text, []byte("open sesam")); !errors.Is(err, ErrPassphrase) {
				t.Errorf("wrong passphrase: %v, want ErrPassphrase", err)
			}
		})
	}
}

// The encryption that pemutil uses unless told otherwise derives its key with
// one MD5; it shows as a DEK-Info header.
func TestSealedIsPBES2(t *testing.T) {
	_, text := sealed(t, P256)
	if !bytes.HasPrefix(text, []byte("-----BEGIN ENCRYPTED PRIVATE KEY-----\nM")) || bytes.Contains(text, []byte("DEK-Info")) {
		t.Errorf("not PKCS#8:\n%s", text)
	}
	dump := string(openssl(t, text, "asn1parse"))
	for _, want := range []string{"PBES2", "PBKDF2", "hmacWithSHA256", "aes-256-cbc", ":0927C0"} {
		if !strings.Contains(dump, want) {
			t.Errorf("no %s in\n%s", want, dump)
		}
	}
}

func TestOpenSSLOpensWhatWeSeal(t *testing.T) {
	for _, kind := range []Kind{P256, P384, RSA3072} {
		t.Run(string(kind), func(t *testing.T) {
			_, text := sealed(t, kind)
			openssl(t, text, "pkey", "-passin", "pass:open sesame", "-check", "-noout")
		})
	}
}

func TestWeOpenWhatOpenSSLSeals(t *testing.T) {
	for name, args := range map[string][]string{
		"P-256, AES-256":    {"genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-aes256"},
		"P-384, AES-128":    {"genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384", "-aes128"},
		"RSA-3072, AES-256": {"genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:3072", "-aes256"},
	} {
		t.Run(name, func(t *testing.T) {
			text := openssl(t, nil, append(args, "-pass", "pass:open sesame")...)
			if _, err := Unseal(text, []byte("open sesame")); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestSealRefuses(t *testing.T) {
	_, ed, _ := ed25519.GenerateKey(rand.Reader)
	p521, _ := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	small, _ := rsa.GenerateKey(rand.Reader, 1024)
	for name, row := range map[string]struct {
		key        crypto.Signer
		passphrase string
	}{
		"an empty passphrase": {generate(t, P256), ""},
		"Ed25519":             {ed, "x"},
		"P-521":               {p521, "x"},
		"RSA-1024":            {small, "x"},
	} {
		if text, err := Seal(row.key, []byte(row.passphrase)); err == nil || text != nil {
			t.Errorf("%s: sealed", name)
		}
	}
}

func TestGenerateRefusesAnUnknownKind(t *testing.T) {
	if _, err := Generate("rsa1024"); err == nil || !strings.Contains(err.Error(), "rsa1024") {
		t.Errorf("got %v, want an error that names the kind", err)
	}
}

// ESP32 chips check RSA-PSS with a salt of 32 bytes, so an opened key must
// honour the options of its signer interface.
func TestRSASignsPSS(t *testing.T) {
	_, text := sealed(t, RSA3072)
	key, err := Unseal(text, []byte("open sesame"))
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256([]byte("image"))
	options := &rsa.PSSOptions{SaltLength: 32, Hash: crypto.SHA256}
	signature, err := key.Sign(rand.Reader, digest[:], options)
	if err != nil {
		t.Fatal(err)
	}
	if err := rsa.VerifyPSS(key.Public().(*rsa.PublicKey), crypto.SHA256, digest[:], signature, options); err != nil {
		t.Error(err)
	}
}
