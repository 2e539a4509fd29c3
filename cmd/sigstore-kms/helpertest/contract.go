package helpertest

import (
	"bytes"
	"crypto"
	_ "crypto/sha256" // crypto.SHA256
	_ "crypto/sha512" // crypto.SHA384
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/sigstore/sigstore/pkg/signature"

	"github.com/tcpboot/tcpboot/cmd/sigstore-kms/helper"
)

// A Contract is what is true of a helper's keys.
type Contract struct {
	Asker
	Key func(algorithm string) string // names the one key of each algorithm

	Lacks   []string // algorithms that the store has not
	OneWay  bool     // a key signs by what it was made for alone
	AnySalt bool     // PSS may have another salt than one as long as the digest
}

// Check makes a key of each algorithm, and has OpenSSL verify what it signs.
func (c Contract) Check(t *testing.T) {
	for _, a := range helper.Algorithms() {
		t.Run(a.Name, func(t *testing.T) {
			if _, err := signature.ParseSignatureAlgorithmFlag(a.Name); err != nil {
				t.Errorf("sigstore does not know this algorithm: %v", err)
			}
			key := c.Key(a.Name)
			if missing := c.Public(t, key); missing.ErrorMessage == "" {
				t.Error("a key that was not made has a public half")
			}
			made := c.Create(t, key, a.Name)
			if slices.Contains(c.Lacks, a.Name) {
				if made.ErrorMessage == "" {
					t.Error("made a key that the store cannot have")
				}
				return
			}
			if made.ErrorMessage != "" {
				t.Fatal(made.ErrorMessage)
			}
			again := c.Public(t, key)
			if again.ErrorMessage != "" || !bytes.Equal(again.PublicKey.PublicKeyPEM, made.CreateKey.PublicKeyPEM) {
				t.Fatalf("the public key reads otherwise: %+v", again)
			}
			if twice := c.Create(t, key, a.Name); !strings.Contains(twice.ErrorMessage, "already") {
				t.Errorf("made a second key of one name: %q", twice.ErrorMessage)
			}
			c.signs(t, key, a)
		})
	}
}

// CheckKey is Check for a store that makes no keys: of one that is there.
func (c Contract) CheckKey(t *testing.T, key, algorithm string) {
	for _, a := range helper.Algorithms() {
		if a.Name == algorithm {
			c.signs(t, key, a)
		}
	}
}

func (c Contract) signs(t *testing.T, key string, a helper.Algorithm) {
	public := c.Public(t, key)
	if public.ErrorMessage != "" {
		t.Fatal(public.ErrorMessage)
	}
	j := newJudge(t, public.PublicKey.PublicKeyPEM)
	c.plain(t, j, key, a)
	c.pss(t, j, key, a)
}

const message = "the first board"

func digestOf(hash crypto.Hash) []byte {
	h := hash.New()
	h.Write([]byte(message))
	return h.Sum(nil)
}

// plain signs by ECDSA and PKCS #1 v1.5.
func (c Contract) plain(t *testing.T, j judge, key string, a helper.Algorithm) {
	digest := digestOf(a.Hash)
	for how, given := range map[string][]byte{"by digest": digest, "by message": nil} {
		answer := c.Sign(t, key, message, given, a.Hash)
		if c.OneWay && a.IsPSS() {
			if answer.ErrorMessage == "" {
				t.Errorf("%s: a key for PSS signed in another way", how)
			}
			continue
		}
		if answer.ErrorMessage != "" {
			t.Fatalf("%s: %s", how, answer.ErrorMessage)
		}
		j.verify(t, a.Hash, answer.SignMessage.Signature)
		if v := c.Verify(t, key, message, a.Hash, answer.SignMessage.Signature); v.ErrorMessage != "" {
			t.Errorf("%s: the helper's own verification: %s", how, v.ErrorMessage)
		}
		if v := c.Verify(t, key, "another board", a.Hash, answer.SignMessage.Signature); v.ErrorMessage == "" {
			t.Errorf("%s: verified for another message", how)
		}
	}
	for name, row := range map[string]struct {
		digest []byte
		hash   crypto.Hash
	}{
		"a short digest": {digest[:31], a.Hash},
		"another hash's": {digest, crypto.SHA512},
		"SHA-1":          {digest[:20], crypto.SHA1},
		"no hash":        {digest, 0},
	} {
		if answer := c.Sign(t, key, "", row.digest, row.hash); answer.ErrorMessage == "" {
			t.Errorf("%s: signed", name)
		}
	}
}

// pss signs by RSA-PSS.
func (c Contract) pss(t *testing.T, j judge, key string, a helper.Algorithm) {
	digest := digestOf(crypto.SHA256)
	for _, salt := range []int{32, 20} {
		answer := c.SignPSS(t, key, digest, crypto.SHA256, salt)
		if a.Bits == 0 || c.OneWay && !a.IsPSS() || salt != 32 && !c.AnySalt {
			if answer.ErrorMessage == "" {
				t.Errorf("a salt of %d bytes: signed", salt)
			}
			continue
		}
		if answer.ErrorMessage != "" {
			t.Fatalf("a salt of %d bytes: %s", salt, answer.ErrorMessage)
		}
		j.verify(t, crypto.SHA256, answer.SignPSS.Signature, "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:"+strconv.Itoa(salt))
	}
	for name, row := range map[string]struct {
		digest []byte
		hash   crypto.Hash
		salt   int
	}{
		"a short digest": {digest[:31], crypto.SHA256, 32},
		"SHA-1":          {digest[:20], crypto.SHA1, 20},
		"no hash":        {digest, 0, 32},
		"no salt":        {digest, crypto.SHA256, 0},
		"a long salt":    {digest, crypto.SHA256, 33},
	} {
		if answer := c.SignPSS(t, key, row.digest, row.hash, row.salt); answer.ErrorMessage == "" {
			t.Errorf("%s: signed", name)
		}
	}
}

// A judge is OpenSSL with a public key and the message.
type judge struct{ public, message, sig string }

func newJudge(t *testing.T, public []byte) judge {
	dir := t.TempDir()
	j := judge{filepath.Join(dir, "public.pem"), filepath.Join(dir, "message"), filepath.Join(dir, "sig")}
	WriteFile(t, j.public, string(public), 0o600)
	WriteFile(t, j.message, message, 0o600)
	return j
}

func (j judge) verify(t *testing.T, hash crypto.Hash, sig []byte, options ...string) {
	t.Helper()
	name := map[crypto.Hash]string{crypto.SHA256: "-sha256", crypto.SHA384: "-sha384"}[hash]
	WriteFile(t, j.sig, string(sig), 0o600)
	Run(t, "openssl", "openssl", append(append([]string{"dgst", name, "-verify", j.public, "-signature", j.sig}, options...), j.message)...)
}
