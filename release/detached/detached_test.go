package detached

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tcpboot/tcpboot/pki/custody"
)

func generate(t testing.TB, kind custody.Kind) crypto.Signer {
	t.Helper()
	key, err := custody.Generate(kind)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

var pss = &rsa.PSSOptions{SaltLength: 32, Hash: crypto.SHA256}

// how says how each kind of key is asked to sign.
var how = map[custody.Kind]crypto.SignerOpts{
	custody.P256: crypto.SHA256, custody.P384: crypto.SHA384, custody.RSA2048: pss, custody.RSA3072: pss,
}

// ask asks a key that is elsewhere for a signature, which is not there.
func ask(t testing.TB, l *Ledger, name string, public crypto.PublicKey, opts crypto.SignerOpts, message string) crypto.Signer {
	t.Helper()
	s := l.Signer(Key{Name: name, What: "a test", Key: "k", Public: public})
	if _, err := crypto.SignMessage(s, rand.Reader, []byte(message), opts); !errors.Is(err, ErrElsewhere) {
		t.Fatalf("got %v, want ErrElsewhere", err)
	}
	return s
}

// TestOpenSSL signs with the commands of the README, and no key of ours.
func TestOpenSSL(t *testing.T) {
	for kind, opts := range how {
		t.Run(string(kind), func(t *testing.T) {
			key, l := generate(t, kind), new(Ledger)
			s := ask(t, l, "one", key.Public(), opts, "a message")
			dir := t.TempDir()
			keyFile(t, filepath.Join(dir, "key.pem"), key)
			files, err := Job{Site: "lab", Version: "1", Hardware: "door", Wanted: l.Wanted()}.Files("out")
			if err != nil {
				t.Fatal(err)
			}
			if string(files["one.message"]) != "a message" {
				t.Errorf("message is %q", files["one.message"])
			}
			for name, text := range files {
				if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			shell(t, dir, strings.ReplaceAll(command(t, files["README"]), "KEY.pem", "key.pem"))
			signature, err := os.ReadFile(filepath.Join(dir, "one.sig"))
			if err != nil {
				t.Fatal(err)
			}
			if names, err := l.Attach(map[string][]byte{"one.sig": signature}); err != nil || !slices.Equal(names, []string{"one"}) {
				t.Fatalf("attached %v, %v", names, err)
			}
			if again, err := crypto.SignMessage(s, rand.Reader, []byte("a message"), opts); err != nil || !bytes.Equal(again, signature) {
				t.Errorf("got %x, %v", again, err)
			}
			ask(t, l, "one", key.Public(), opts, "another message")
		})
	}
}

func keyFile(t *testing.T, path string, key crypto.Signer) {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

func command(t *testing.T, readme []byte) string {
	t.Helper()
	for line := range strings.Lines(string(readme)) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "openssl pkeyutl") {
			return line
		}
	}
	t.Fatalf("no command in\n%s", readme)
	return ""
}

func shell(t *testing.T, dir, line string) {
	t.Helper()
	cmd := exec.Command("sh", "-ec", line)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", line, err, out)
	}
}

func TestAttachRefuses(t *testing.T) {
	key, other := generate(t, custody.P256), generate(t, custody.P256)
	l := new(Ledger)
	ask(t, l, "one", key.Public(), crypto.SHA256, "one")
	ask(t, l, "two", key.Public(), crypto.SHA256, "two")
	sign := func(k crypto.Signer, message string) []byte {
		digest := sha256.Sum256([]byte(message))
		sig, err := k.Sign(rand.Reader, digest[:], crypto.SHA256)
		if err != nil {
			t.Fatal(err)
		}
		return sig
	}
	good := sign(key, "one")
	for name, bad := range map[string][]byte{
		"another key": sign(other, "two"), "another message": good, "nothing": nil, "rubbish": []byte("signature"),
		"followed by more": append(sign(key, "two"), 0),
	} {
		if _, err := l.Attach(map[string][]byte{"one.sig": good, "two.sig": bad}); !errors.Is(err, errSignature) {
			t.Errorf("%s: %v", name, err)
		}
		if len(l.Made()) != 0 || len(l.Wanted()) != 2 {
			t.Fatalf("%s: it took something all the same", name)
		}
	}
	names, err := l.Attach(map[string][]byte{"one.sig": good, "three.sig": good, "../two.sig": good})
	if err != nil || !slices.Equal(names, []string{"one"}) {
		t.Errorf("attached %v, %v", names, err)
	}
}

// TestMadeOnce: who asks again gets the signature that was made, also in another run.
func TestMadeOnce(t *testing.T) {
	key := generate(t, custody.RSA3072)
	digest := sha256.Sum256([]byte("image"))
	first := NewLedger(nil)
	one, err := first.Signer(Key{Name: "image", Public: key.Public(), Here: key}).Sign(rand.Reader, digest[:], pss)
	if err != nil {
		t.Fatal(err)
	}
	kept := bytes.Clone(one)
	slices.Reverse(one) // as who stores it may
	text, err := json.Marshal(first.Made())
	if err != nil {
		t.Fatal(err)
	}
	var made map[string]Made
	if err := json.Unmarshal(text, &made); err != nil {
		t.Fatal(err)
	}
	again, err := NewLedger(made).Signer(Key{Name: "image", Public: key.Public()}).Sign(rand.Reader, digest[:], pss)
	if err != nil || !bytes.Equal(again, kept) {
		t.Errorf("another signature, %v", err)
	}
}

// TestDeterministic: a P-256 key in memory signs as it does without a ledger.
func TestDeterministic(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256([]byte("manifest"))
	want, err := key.Sign(nil, digest[:], crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	got, err := new(Ledger).Signer(Key{Name: "m", Public: key.Public(), Here: key}).Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("got %x, %v", got, err)
	}
}

// TestNobodyCanSign refuses at once what a README could not ask for.
func TestNobodyCanSign(t *testing.T) {
	key := generate(t, custody.RSA3072)
	s := new(Ledger).Signer(Key{Name: "one", Public: key.Public()})
	digest := make([]byte, 32)
	for name, opts := range map[string]crypto.SignerOpts{
		"PKCS #1 v1.5": crypto.SHA256, "another salt": &rsa.PSSOptions{SaltLength: 20, Hash: crypto.SHA256}, "another hash": crypto.SHA384,
	} {
		if _, err := s.Sign(rand.Reader, digest, opts); err == nil || errors.Is(err, ErrElsewhere) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestLongMessagesStayHere(t *testing.T) {
	key, l := generate(t, custody.P256), new(Ledger)
	ask(t, l, "image", key.Public(), crypto.SHA256, strings.Repeat("x", maxMessage+1))
	files, err := Job{Wanted: l.Wanted()}.Files("out")
	if err != nil || files["image.message"] != nil || len(files["image.digest"]) != 32 {
		t.Errorf("%v, %d bytes of message", err, len(files["image.message"]))
	}
}

func FuzzReadJob(f *testing.F) {
	f.Add([]byte(`{"site":"lab","version":"1.4.0","hardware":"esp32","signatures":[{"name":"manifest"}]}`))
	f.Add([]byte(`{`))
	f.Fuzz(func(t *testing.T, text []byte) {
		j, err := ReadJob(text)
		if err != nil {
			return
		}
		if _, err := j.Files("out"); err != nil {
			t.Error(err)
		}
	})
}
