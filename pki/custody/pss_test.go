package custody

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sigstore/sigstore/pkg/signature/kms/cliplugin/common"
)

// pssScript answers for the public key, and in our own mode with a command.
func pssScript(t *testing.T, public crypto.PublicKey, signPSS string) string {
	return script(showing(t, public), "", "echo '{\"errorMessage\":\"asked without PSS\"}'") + `case "$1 $2" in
"tcpboot-v1 "*'"methodName":"signPSS"'*) ` + signPSS + ` ;;
esac
`
}

func signingPSS(t *testing.T, signature []byte) string {
	t.Helper()
	text, err := json.Marshal(pssAnswer{ProtocolVersion: pssVersion, SignPSS: &common.SignMessageResp{Signature: signature}})
	check(t, err)
	return "printf '%s' '" + string(text) + "'"
}

func TestStoredKeySignsPSS(t *testing.T) {
	short, long := sha256.Sum256([]byte("image")), sha512.Sum384([]byte("image"))
	keys := map[Kind]crypto.Signer{RSA2048: generate(t, RSA2048), RSA3072: generate(t, RSA3072)}
	for name, row := range map[string]struct {
		kind   Kind
		digest []byte
		opts   rsa.PSSOptions
		says   string
	}{
		"RSA-3072":          {RSA3072, short[:], rsa.PSSOptions{SaltLength: 32, Hash: crypto.SHA256}, `"hashFunc":5,"saltLength":32}`},
		"RSA-2048":          {RSA2048, short[:], rsa.PSSOptions{SaltLength: 32, Hash: crypto.SHA256}, `"hashFunc":5,"saltLength":32}`},
		"a salt like the…":  {RSA3072, long[:], rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA384}, `"hashFunc":6,"saltLength":48}`},
		"with another salt": {RSA3072, short[:], rsa.PSSOptions{SaltLength: 20, Hash: crypto.SHA256}, `"hashFunc":5,"saltLength":20}`},
	} {
		t.Run(name, func(t *testing.T) {
			real := keys[row.kind]
			want, err := real.Sign(rand.Reader, row.digest, &row.opts)
			check(t, err)
			k := newHelper(t, "")
			said := filepath.Join(k.Dir, "said")
			writeHelper(t, k, `printf '%s\n' "$2" >`+said+"\n"+pssScript(t, real.Public(), signingPSS(t, want)))
			key, err := k.OpenPinned(storedURI, App, real.Public())
			check(t, err)
			got, err := key.Sign(rand.Reader, row.digest, &row.opts)
			if err != nil || !slices.Equal(got, want) {
				t.Fatalf("got %x, %v", got, err)
			}
			text, err := os.ReadFile(said)
			check(t, err)
			for _, want := range []string{
				`"protocolVersion":"tcpboot-v1"`, `"keyResourceID":"token=lab;object=ca?pin-source=file:/etc/pin"`, `"ctxDeadline":"20`,
				`"methodName":"signPSS","signPSS":{"digest":"` + base64.StdEncoding.EncodeToString(row.digest) + `",` + row.says,
			} {
				if !strings.Contains(string(text), want) {
					t.Errorf("no %q in\n%s", want, text)
				}
			}
		})
	}
}

// What a helper may give for a signature with PSS, or say when it knows none.
func TestHostileSignaturePSS(t *testing.T) {
	real, other := generate(t, RSA2048), generate(t, RSA2048)
	digest, another := sha256.Sum256([]byte("image")), sha256.Sum256([]byte("another"))
	opts := &rsa.PSSOptions{SaltLength: 32, Hash: crypto.SHA256}
	pss := func(key crypto.Signer, digest []byte, opts crypto.SignerOpts) string {
		signature, err := key.Sign(rand.Reader, digest, opts)
		check(t, err)
		return signingPSS(t, signature)
	}
	const unknown = "does not know the mode tcpboot-v1, which RSA-PSS takes"
	for name, row := range map[string]struct{ does, want string }{
		"another key's":          {pss(other, digest[:], opts), "not one of the key's"},
		"of something else":      {pss(real, another[:], opts), "not one of the key's"},
		"with another salt":      {pss(real, digest[:], &rsa.PSSOptions{SaltLength: 20, Hash: crypto.SHA256}), "not one of the key's"},
		"of PKCS #1 v1.5":        {pss(real, digest[:], crypto.SHA256), "not one of the key's"},
		"garbage":                {signingPSS(t, []byte("signed")), "not one of the key's"},
		"an empty one":           {signingPSS(t, nil), "without a signature"},
		"none":                   {`echo '{"protocolVersion":"tcpboot-v1"}'`, "without a signature"},
		"good, but fails":        {pss(real, digest[:], opts) + "; exit 1", "exit status 1"},
		"an error":               {`echo '{"protocolVersion":"tcpboot-v1","errorMessage":"no such key"}'; exit 1`, "sigstore-kms-pkcs11: no such key"},
		"two answers":            {`echo '{}{}'`, "not an answer"},
		"much":                   {"while echo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; do :; done", "answers more than it should"},
		"of helpers of old":      {`echo '{"errorMessage":"protocol \"tcpboot-v1\": this helper speaks v1"}'; exit 1`, unknown + `: it says: protocol "tcpboot-v1": this helper speaks v1`},
		"of another version":     {`echo '{"protocolVersion":"tcpboot-v2","signPSS":{"signature":"AAAA"}}'`, unknown},
		"as if it were asked v1": {signing(t, signWith(t, real, digest[:], crypto.SHA256)), unknown},
		"nothing but a usage":    {"echo 'usage: v1 JSON' >&2; exit 2", "in the mode tcpboot-v1: sigstore-kms-pkcs11: exit status 2: it says: usage: v1 JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			key, err := newHelper(t, pssScript(t, real.Public(), row.does)).Open(storedURI, App)
			check(t, err)
			signature, err := key.Sign(rand.Reader, digest[:], opts)
			if err == nil || signature != nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("got %x, %v; want an error with %q", signature, err, row.want)
			}
		})
	}
}

func TestRefusesToSignPSS(t *testing.T) {
	key, err := newHelper(t, pssScript(t, generate(t, RSA2048).Public(), "")).Open(storedURI, App)
	check(t, err)
	digest := make([]byte, 32)
	for name, row := range map[string]struct {
		digest []byte
		opts   rsa.PSSOptions
		want   string
	}{
		"a salt as it comes": {digest, rsa.PSSOptions{Hash: crypto.SHA256}, "no stated length"},
		"a long salt":        {digest, rsa.PSSOptions{SaltLength: 33, Hash: crypto.SHA256}, "no stated length"},
		"a negative salt":    {digest, rsa.PSSOptions{SaltLength: -2, Hash: crypto.SHA256}, "no stated length"},
		"a short digest":     {digest[:31], rsa.PSSOptions{SaltLength: 32, Hash: crypto.SHA256}, "a digest of 31 bytes"},
		"no hash":            {digest, rsa.PSSOptions{SaltLength: 32}, "another hash"},
	} {
		signature, err := key.Sign(rand.Reader, row.digest, &row.opts)
		if err == nil || signature != nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: %v, want %q", name, err, row.want)
		}
	}
}

// A new key for images proves itself the way that images are signed.
func TestCreateForImages(t *testing.T) {
	real := generate(t, RSA3072)
	proof := sha256.Sum256([]byte("tcpboot: a new key proves itself"))
	signature, err := real.Sign(rand.Reader, proof[:], &rsa.PSSOptions{SaltLength: 32, Hash: crypto.SHA256})
	check(t, err)
	made := script("", creating(t, real.Public()), signing(t, signWith(t, real, proof[:], crypto.SHA256)))
	key, err := newHelper(t, made+`case "$1" in tcpboot-v1) `+signingPSS(t, signature)+" ;; esac\n").Create(storedURI, RSA3072)
	check(t, err)
	samePublic(t, key, real)
	_, err = newHelper(t, made+`case "$1" in tcpboot-v1) echo '{"errorMessage":"unsupported method"}' ;; esac`+"\n").Create(storedURI, RSA3072)
	if err == nil || !strings.Contains(err.Error(), "does not know the mode tcpboot-v1") {
		t.Errorf("of a helper without the mode: %v", err)
	}
}

func FuzzAnswerPSS(f *testing.F) {
	f.Add([]byte(`{"protocolVersion":"tcpboot-v1","signPSS":{"signature":"AAAA"}}`))
	f.Add([]byte(`{"protocolVersion":"tcpboot-v1","errorMessage":"no"}`))
	f.Add([]byte(`{"errorMessage":"unsupported method"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var answer pssAnswer
		if json.Unmarshal(text, &answer) != nil {
			return
		}
		signature, err := (&helper{path: "helper"}).signatureOf(answer, nil)
		if (err == nil) != (len(signature) > 0) {
			t.Errorf("%q: %x, %v", text, signature, err)
		}
		if err != nil && strings.ContainsAny(err.Error(), "\n\x1b") {
			t.Errorf("unfit for a terminal: %q", err)
		}
	})
}
