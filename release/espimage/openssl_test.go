package espimage

import (
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/tcpboot/tcpboot/pki/fleet"
)

// need fails where a peer program is missing: a green test has asked it.
func need(t *testing.T, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Fatalf("this test needs %s: %v", program, err)
	}
	return path
}

// What we sign, OpenSSL verifies over the signed part of the file as it is.
func TestOpenSSLVerifies(t *testing.T) {
	for _, c := range []struct {
		name string
		chip fleet.Chip
		key  string
		args []string
		take func(block []byte) []byte
	}{
		{"RSA-3072", "esp32s3", "rsa3072-a",
			[]string{"-sha256", "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:32", "-sigopt", "rsa_mgf1_md:sha256"},
			func(b []byte) []byte { s := slices.Clone(b[812:1196]); slices.Reverse(s); return s }},
		{"P-256", "esp32c2", "p256-b", []string{"-sha256"},
			func(b []byte) []byte { return der(t, number(b[101:133]), number(b[133:165])) }},
		{"P-384", "esp32c5", "p384-a", []string{"-sha384"},
			func(b []byte) []byte { return der(t, number(b[149:197]), number(b[197:245])) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			key := signer(t, c.key)
			signed, err := Sign(standIn(c.chip), key)
			if err != nil {
				t.Fatal(err)
			}
			s := len(signed) - sectorSize
			opensslVerify(t, key.Public(), signed[:s], c.take(signed[s:]), c.args...)
		})
	}
	t.Run("V1", func(t *testing.T) {
		key := signer(t, "v1-a")
		signed, err := SignV1(standIn("esp32"), hardware{Signer: key})
		if err != nil {
			t.Fatal(err)
		}
		n := len(signed) - sizeV1
		r, s := new(big.Int).SetBytes(signed[n+4:n+36]), new(big.Int).SetBytes(signed[n+36:])
		opensslVerify(t, key.Public(), signed[:n], der(t, r, s), "-sha256")
	})
}

func opensslVerify(t *testing.T, pub crypto.PublicKey, content, sig []byte, args ...string) {
	t.Helper()
	spki, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, data := range map[string][]byte{
		"content": content, "sig": sig,
		"pub.pem": pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki}),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	args = append(append([]string{"dgst"}, args...), "-verify", "pub.pem", "-signature", "sig", "content")
	cmd := exec.Command(need(t, "openssl"), args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("openssl: %v\n%s", err, out)
	}
}

func der(t *testing.T, r, s *big.Int) []byte {
	t.Helper()
	b, err := asn1.Marshal(struct{ R, S *big.Int }{r, s})
	if err != nil {
		t.Fatal(err)
	}
	return b
}
