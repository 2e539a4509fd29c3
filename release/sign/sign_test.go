package sign

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/sigstore/sigstore/pkg/signature/options"

	"github.com/tcpboot/tcpboot/pki/custody"
	"github.com/tcpboot/tcpboot/release/cose"
)

func generate(t *testing.T, kind custody.Kind) crypto.Signer {
	t.Helper()
	key, err := custody.Generate(kind)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// A store stands for a key outside of memory: a crypto.Signer of another type.
type store struct {
	crypto.Signer
	answer func(der []byte) []byte
}

func (s store) Sign(r io.Reader, digest []byte, o crypto.SignerOpts) ([]byte, error) {
	if r == nil {
		return nil, errors.New("a token needs randomness")
	}
	der, err := s.Signer.Sign(r, digest, o)
	if err == nil && s.answer != nil {
		der = s.answer(der)
	}
	return der, err
}

func TestSignManifest(t *testing.T) {
	key := generate(t, custody.P256)
	for name, signer := range map[string]crypto.Signer{"in memory": key, "in a store": store{Signer: key}} {
		k, err := NewRelease(signer)
		if err != nil {
			t.Fatal(err)
		}
		doc, err := cose.Sign1("a/b", []byte("statement"), cose.Signer{Key: k.Key(), Sign: k.SignManifest})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		m, err := cose.Read("a/b", doc)
		if err == nil {
			err = m.Verify(1, k.Key())
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestDeterministic: the same statement by the same key is the same bytes.
func TestDeterministic(t *testing.T) {
	root, err := NewRoot(generate(t, custody.P256))
	if err != nil {
		t.Fatal(err)
	}
	a, errA := root.SignSite([]byte("statement"))
	b, errB := root.SignSite([]byte("statement"))
	c, errC := root.SignSite([]byte("Statement"))
	if err := errors.Join(errA, errB, errC); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a, b) {
		t.Error("two signatures of one message differ")
	}
	if bytes.Equal(a, c) {
		t.Error("two messages have one signature")
	}
}

// TestAppSigns: an ECDSA key in memory signs alike each time; RSA as PSS does not,
// and verifies.
func TestAppSigns(t *testing.T) {
	ec, err := NewApp(generate(t, custody.P384))
	if err != nil {
		t.Fatal(err)
	}
	digest := sha512.Sum384([]byte("image"))
	a, errA := ec.Sign(rand.Reader, digest[:], crypto.SHA384)
	b, errB := ec.Sign(rand.Reader, digest[:], crypto.SHA384)
	if err := errors.Join(errA, errB); err != nil || !bytes.Equal(a, b) {
		t.Errorf("two signatures of one image differ, %v", err)
	}
	pss, err := NewApp(generate(t, custody.RSA3072))
	if err != nil {
		t.Fatal(err)
	}
	opts := &rsa.PSSOptions{SaltLength: 32, Hash: crypto.SHA384}
	sig, err := pss.Sign(rand.Reader, digest[:], opts)
	if err != nil {
		t.Fatal(err)
	}
	if err := rsa.VerifyPSS(pss.Public().(*rsa.PublicKey), crypto.SHA384, digest[:], sig, opts); err != nil {
		t.Error(err)
	}
}

// TestSigstoreVerifies: a sigstore verifier takes what the message signer makes.
func TestSigstoreVerifies(t *testing.T) {
	k, err := NewRelease(generate(t, custody.P256))
	if err != nil {
		t.Fatal(err)
	}
	der, err := k.Message().SignMessage(strings.NewReader("bundle"))
	if err != nil {
		t.Fatal(err)
	}
	pub, err := k.Message().PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	peer, err := signature.LoadVerifier(pub, crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	ours, err := Verifier(k.Key())
	if err != nil {
		t.Fatal(err)
	}
	for name, v := range map[string]signature.Verifier{"loaded": peer, "ours": ours} {
		if err := v.VerifySignature(bytes.NewReader(der), strings.NewReader("bundle")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if v.VerifySignature(bytes.NewReader(der), strings.NewReader("bundlE")) == nil {
			t.Errorf("%s: verifies another message", name)
		}
	}
}

func TestKeysOfOtherKinds(t *testing.T) {
	for _, kind := range []custody.Kind{custody.P384, custody.RSA3072} {
		key := generate(t, kind)
		if _, err := NewRoot(key); err == nil {
			t.Errorf("%s became a root", kind)
		}
		if _, err := NewRelease(key); err == nil {
			t.Errorf("%s became a release key", kind)
		}
		if _, err := NewApp(key); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
	}
	// RSA-2048 is for certificates alone.
	key := generate(t, custody.RSA2048)
	_, root := NewRoot(key)
	_, release := NewRelease(key)
	if _, app := NewApp(key); root == nil || release == nil || app == nil {
		t.Errorf("%s: root %v, release %v, app %v", custody.RSA2048, root, release, app)
	}
}

// TestNoKey: nothing signs without a key.
func TestNoKey(t *testing.T) {
	_, errRoot := NewRoot(nil)
	_, errRelease := NewRelease(nil)
	_, errApp := NewApp(nil)
	_, errZeroRoot := Root{}.SignSite(nil)
	_, errZeroRelease := Release{}.SignManifest(nil)
	_, errZeroApp := App{}.Sign(rand.Reader, make([]byte, 32), crypto.SHA256)
	_, errZeroPublic := Release{}.Message().PublicKey()
	for i, err := range []error{errRoot, errRelease, errApp, errZeroRoot, errZeroRelease, errZeroApp, errZeroPublic} {
		if !errors.Is(err, errNoKey) {
			t.Errorf("row %d: got %v", i, err)
		}
	}
}

// TestStoreAnswersRubbish: what a store answers is looked at before it is used.
func TestStoreAnswersRubbish(t *testing.T) {
	key := generate(t, custody.P256)
	big257 := new(big.Int).Lsh(big.NewInt(1), 256)
	for name, answer := range map[string]func([]byte) []byte{
		"nothing":     func([]byte) []byte { return nil },
		"raw":         func([]byte) []byte { return make([]byte, 64) },
		"trailing":    func(der []byte) []byte { return append(der, 0) },
		"zero":        func([]byte) []byte { return der(big.NewInt(0), big.NewInt(1)) },
		"negative":    func([]byte) []byte { return der(big.NewInt(1), big.NewInt(-1)) },
		"other curve": func([]byte) []byte { return der(big.NewInt(1), big257) },
	} {
		k, err := NewRelease(store{key, answer})
		if err != nil {
			t.Fatal(err)
		}
		if b, err := k.SignManifest([]byte("statement")); err == nil {
			t.Errorf("%s: signed %x", name, b)
		}
	}
}

func der(r, s *big.Int) []byte {
	b, err := asn1.Marshal(struct{ R, S *big.Int }{r, s})
	if err != nil {
		panic(err)
	}
	return b
}

func TestParseKey(t *testing.T) {
	k, err := NewRelease(generate(t, custody.P256))
	if err != nil {
		t.Fatal(err)
	}
	text, err := MarshalKey(k.Key())
	if err != nil {
		t.Fatal(err)
	}
	if got, err := ParseKey(text); err != nil || got != k.Key() {
		t.Errorf("got %v, %v", got, err)
	}
	if got, err := ParseKeys(bytes.Repeat(text, 3)); err != nil || len(got) != 3 || got[2] != k.Key() {
		t.Errorf("three: got %v, %v", got, err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other, err := x509.MarshalPKIXPublicKey(p384.Public())
	if err != nil {
		t.Fatal(err)
	}
	good := text
	for name, text := range map[string][]byte{
		"empty":    nil,
		"no PEM":   []byte("key"),
		"too long": append(text, make([]byte, MaxPublicPEM)...),
		"P-384":    pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: other}),
		"rubbish":  pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: []byte{1}}),
	} {
		if _, err := ParseKey(text); err == nil {
			t.Errorf("%s: taken", name)
		}
		if _, err := ParseKeys(text); err == nil {
			t.Errorf("%s: taken as several", name)
		}
		if keys, err := ParseKeys(slices.Concat(good, text)); bytes.Contains(text, []byte("BEGIN")) && err == nil {
			t.Errorf("%s: %d are taken", name, len(keys))
		}
	}
	if _, err := MarshalKey(cose.Key{}); err == nil {
		t.Error("the zero key was written")
	}
	if _, err := Verifier(cose.Key{}); err == nil {
		t.Error("the zero key verifies")
	}
}

// TestPrehashed: a sigstore caller may hand over the digest alone.
func TestPrehashed(t *testing.T) {
	k, err := NewRelease(generate(t, custody.P256))
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256([]byte("bundle"))
	a, errA := k.Message().SignMessage(nil, options.WithDigest(digest[:]))
	b, errB := k.Message().SignMessage(strings.NewReader("bundle"))
	if err := errors.Join(errA, errB); err != nil || !bytes.Equal(a, b) {
		t.Errorf("%x and %x, %v", a, b, err)
	}
}
