package custody

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sigstore/sigstore/pkg/signature/kms/cliplugin/common"
)

const storedURI = "pkcs11:token=lab;object=ca?pin-source=file:/etc/pin"

// newHelper returns a keyring whose helper for pkcs11: is a shell script.
func newHelper(t testing.TB, script string) Keyring {
	t.Helper()
	k := Keyring{Dir: t.TempDir(), Helpers: t.TempDir()}
	writeHelper(t, k, script)
	return k
}

func writeHelper(t testing.TB, k Keyring, script string) {
	t.Helper()
	path := filepath.Join(k.Helpers, "sigstore-kms-pkcs11")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script), 0o700); err != nil {
		t.Fatal(err)
	}
}

// printing is a command that prints an answer.
func printing(t testing.TB, answer common.PluginResp) string {
	t.Helper()
	text, err := json.Marshal(answer)
	if err != nil {
		t.Fatal(err)
	}
	return "printf '%s' '" + string(text) + "'"
}

func showing(t testing.TB, public crypto.PublicKey) string {
	return printing(t, common.PluginResp{PublicKey: &common.PublicKeyResp{PublicKeyPEM: publicPEM(t, public)}})
}

func creating(t testing.TB, public crypto.PublicKey) string {
	return printing(t, common.PluginResp{CreateKey: &common.CreateKeyResp{PublicKeyPEM: publicPEM(t, public)}})
}

func signing(t testing.TB, signature []byte) string {
	return printing(t, common.PluginResp{SignMessage: &common.SignMessageResp{Signature: signature}})
}

func publicPEM(t testing.TB, public crypto.PublicKey) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

// script answers each method with a command of its own.
func script(publicKey, createKey, signMessage string) string {
	return `case "$1 $2" in
"v1 "*'"methodName":"publicKey"'*) ` + publicKey + ` ;;
"v1 "*'"methodName":"createKey"'*) ` + createKey + ` ;;
"v1 "*'"methodName":"signMessage"'*) ` + signMessage + ` ;;
esac
`
}

func signWith(t testing.TB, key crypto.Signer, digest []byte, hash crypto.Hash) []byte {
	t.Helper()
	signature, err := key.Sign(rand.Reader, digest, hash)
	if err != nil {
		t.Fatal(err)
	}
	return signature
}

func TestStoredKeySigns(t *testing.T) {
	short, long := sha256.Sum256([]byte("board")), sha512.Sum384([]byte("board"))
	for name, row := range map[string]struct {
		kind   Kind
		digest []byte
		hash   crypto.Hash
	}{
		"P-256":               {P256, short[:], crypto.SHA256},
		"P-256 and SHA-384":   {P256, long[:], crypto.SHA384},
		"P-384":               {P384, long[:], crypto.SHA384},
		"RSA, by PKCS #1 1.5": {RSA3072, short[:], crypto.SHA256},
	} {
		t.Run(name, func(t *testing.T) {
			real := generate(t, row.kind)
			want := signWith(t, real, row.digest, row.hash)
			k := newHelper(t, script(showing(t, real.Public()), "", signing(t, want)))
			key, err := k.OpenPinned(storedURI, Boards, real.Public())
			if err != nil {
				t.Fatal(err)
			}
			got, err := key.Sign(rand.Reader, row.digest, row.hash)
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("got %x, %v", got, err)
			}
		})
	}
}

// The question is what the protocol has for it.
func TestQuestion(t *testing.T) {
	real := generate(t, P256)
	digest := sha256.Sum256([]byte("board"))
	k := newHelper(t, "")
	said := filepath.Join(k.Dir, "said")
	writeHelper(t, k, `printf '%s\n' "$#" "$1" "$2" >>`+said+"; env >>"+said+"; pwd >>"+said+"; cat >>"+said+"\n"+
		script(showing(t, real.Public()), "", signing(t, signWith(t, real, digest[:], crypto.SHA256))))
	k.Environ = []string{"HOME=/home/op", "SOFTHSM2_CONF=/etc/hsm", "LD_PRELOAD=/tmp/x.so", "AWS_PROFILE=a", "PATHOLOGY=b"}
	key, err := k.Open(storedURI, Boards)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := key.Sign(rand.Reader, digest[:], crypto.SHA256); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(said)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"2\nv1\n{", `"keyResourceID":"token=lab;object=ca?pin-source=file:/etc/pin"`, `"hashFunc":5`, `"ctxDeadline":"20`,
		`"digest":"`, "\nHOME=/home/op\n", "\nSOFTHSM2_CONF=/etc/hsm\n", "\n/\n",
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	for _, none := range []string{"LD_PRELOAD", "AWS_PROFILE", "PATHOLOGY"} {
		if strings.Contains(string(text), none) {
			t.Errorf("the helper was given %s", none)
		}
	}
}

// A store on the network gets what says who asks, and no other store's secrets.
func TestEnvironment(t *testing.T) {
	all := []string{"HOME=/home/op", "VAULT_TOKEN=a", "AWS_SECRET_ACCESS_KEY=b", "AZURE_CLIENT_SECRET=c", "SOFTHSM2_CONF=d", "HTTPS_PROXY=e", "PGPASSWORD=f"}
	for scheme, want := range map[string]string{
		"vault": "HOME=/home/op VAULT_TOKEN=a HTTPS_PROXY=e",
		"aws":   "HOME=/home/op AWS_SECRET_ACCESS_KEY=b HTTPS_PROXY=e",
		"azure": "HOME=/home/op AZURE_CLIENT_SECRET=c HTTPS_PROXY=e",
		"gcp":   "HOME=/home/op HTTPS_PROXY=e",
		"tpm":   "HOME=/home/op",
		"other": "HOME=/home/op",
	} {
		if got := strings.Join(environFor(scheme, all), " "); got != want {
			t.Errorf("%s: %s, want %s", scheme, got, want)
		}
	}
}

// What a helper may do instead of answering, when the key is opened.
func TestHostileHelper(t *testing.T) {
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	good := showing(t, generate(t, P256).Public())
	for name, row := range map[string]struct{ does, want string }{
		"nothing":                  {"", "not an answer"},
		"garbage":                  {"echo Segmentation fault", "not an answer"},
		"an empty answer":          {"echo '{}'", "without a public key"},
		"null":                     {"echo null", "without a public key"},
		"two answers":              {good + ";" + good, "not an answer"},
		"much":                     {"while echo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; do :; done", "answers more than it should"},
		"much, and will not stop":  {"trap '' PIPE; while :; do echo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa 2>/dev/null; done", "answers more than it should"},
		"much talk":                {"i=0; while [ $i -lt 3000 ]; do echo aaaa >&2; i=$((i+1)); done; exit 3", "exit status 3: it says: aaaa"},
		"an answer, then it fails": {good + "; exit 3", "exit status 3"},
		"fails":                    {"echo 'no library' >&2; exit 127", "exit status 127: it says: no library"},
		"an error":                 {`echo '{"errorMessage":"no such token"}'; exit 1`, "no such token"},
		"an error, and all well":   {`echo '{"errorMessage":"no such token"}'`, "no such token"},
		"a colourful error":        {printing(t, common.PluginResp{ErrorMessage: "\x1b[31mno\n\nsuch\a token"}), "[31mno such token"},
		"kills itself":             {"kill -9 $$", "signal: killed"},
		"a key that is none":       {`echo '{"publicKey":{"publicKeyPEM":"AAAA"}}'`, "one PEM block"},
		"a private key":            {printing(t, common.PluginResp{PublicKey: &common.PublicKeyResp{PublicKeyPEM: opensslKey}}), "one PEM block"},
		"a small key":              {showing(t, small.Public()), "1024 bits"},
	} {
		t.Run(name, func(t *testing.T) {
			key, err := newHelper(t, script(row.does, "", "")).Open(storedURI, Boards)
			if err == nil || key != nil || !strings.Contains(err.Error(), row.want) {
				t.Fatalf("got %v, want an error with %q", err, row.want)
			}
			if len(err.Error()) > 600 || strings.ContainsAny(err.Error(), "\n\x1b\x07") {
				t.Errorf("unfit for a terminal: %q", err)
			}
		})
	}
}

// What a helper may give for a signature.
func TestHostileSignature(t *testing.T) {
	real, other := generate(t, P256), generate(t, P256)
	digest, another := sha256.Sum256([]byte("board")), sha256.Sum256([]byte("another"))
	for name, row := range map[string]struct{ does, want string }{
		"another key's":     {signing(t, signWith(t, other, digest[:], crypto.SHA256)), "not one of the key's"},
		"of something else": {signing(t, signWith(t, real, another[:], crypto.SHA256)), "not one of the key's"},
		"garbage":           {signing(t, []byte("signed")), "not one of the key's"},
		"an empty one":      {`echo '{"signMessage":{"signature":""}}'`, "without a signature"},
		"none":              {`echo '{"signMessage":null}'`, "without a signature"},
		"a key":             {showing(t, real.Public()), "without a signature"},
		"good, but fails":   {signing(t, signWith(t, real, digest[:], crypto.SHA256)) + "; exit 1", "exit status 1"},
	} {
		t.Run(name, func(t *testing.T) {
			key, err := newHelper(t, script(showing(t, real.Public()), "", row.does)).Open(storedURI, Boards)
			if err != nil {
				t.Fatal(err)
			}
			signature, err := key.Sign(rand.Reader, digest[:], crypto.SHA256)
			if err == nil || signature != nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("got %x, %v; want an error with %q", signature, err, row.want)
			}
		})
	}
}

// The token was exchanged: another key, with valid signatures of its own.
func TestPinnedKey(t *testing.T) {
	real, other := generate(t, P256), generate(t, P256)
	k := newHelper(t, script(showing(t, other.Public()), "", ""))
	if key, err := k.OpenPinned(storedURI, Boards, real.Public()); err == nil || key != nil || !strings.Contains(err.Error(), "another key") {
		t.Errorf("got %v", err)
	}
	files := newKeyring(t)
	if key, err := files.OpenPinned("keys/app.pem", App, real.Public()); err == nil || key != nil || !strings.Contains(err.Error(), "another key") {
		t.Errorf("from a file: got %v", err)
	}
}

// A helper that does not come back is killed with all that it started: the pipe
// that its child holds is closed when the child is gone.
func TestSlowHelperIsKilled(t *testing.T) {
	k := newHelper(t, "")
	pipe := filepath.Join(k.Dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	writeHelper(t, k, "exec 3>"+pipe+"; sleep 600 & echo started >&3; wait")
	told := make(chan string)
	go func() {
		text, _ := os.ReadFile(pipe) // until every writer is gone
		told <- string(text)
	}()
	k.Timeout = 2 * time.Second
	if _, err := k.Open(storedURI, Boards); err == nil || !strings.Contains(err.Error(), "no answer within 2s") {
		t.Errorf("got %v", err)
	}
	if got := <-told; got != "started\n" {
		t.Errorf("the helper wrote %q", got)
	}
}

// A helper that leaves a process behind, which holds on to its output.
func TestLeftoversAreKilled(t *testing.T) {
	k := newHelper(t, "")
	pipe := filepath.Join(k.Dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	writeHelper(t, k, "exec 3>"+pipe+"; sleep 600 & "+showing(t, generate(t, P256).Public()))
	gone := make(chan struct{})
	go func() {
		os.ReadFile(pipe)
		close(gone)
	}()
	if _, err := k.Open(storedURI, Boards); err == nil || !strings.Contains(err.Error(), "left something running") {
		t.Errorf("got %v", err)
	}
	<-gone
}

func TestWhereHelpersLie(t *testing.T) {
	good := script(showing(t, generate(t, P256).Public()), "", "")
	for name, row := range map[string]struct {
		spoil func(t *testing.T, k *Keyring, path string)
		want  string
	}{
		"right":                 {func(*testing.T, *Keyring, string) {}, ""},
		"written by its group":  {chmod(0o720, false), "others than its owner can write to it"},
		"written by all":        {chmod(0o702, false), "others than its owner can write to it"},
		"folder of its group":   {chmod(0o770, true), "others than its owner can write to it"},
		"folder of all":         {chmod(0o707, true), "others than its owner can write to it"},
		"folder like tmp":       {chmod(0o777|fs.ModeSticky, true), "others than its owner can write to it"},
		"not to be run":         {chmod(0o600, false), "permission denied"},
		"a relative folder":     {func(_ *testing.T, k *Keyring, _ string) { k.Helpers = "bin" }, "absolute path"},
		"the folder here":       {func(_ *testing.T, k *Keyring, _ string) { k.Helpers = "." }, "absolute path"},
		"another folder":        {func(t *testing.T, k *Keyring, _ string) { k.Helpers = t.TempDir() }, "its helper, sigstore-kms-pkcs11, is not in"},
		"a link":                {linked, "not a regular file"},
		"a folder":              {folder, "not a regular file"},
		"a folder above of all": {below, "others than its owner can write to it"},
		"through a link":        {throughLink, ""},
	} {
		t.Run(name, func(t *testing.T) {
			k := newHelper(t, good)
			row.spoil(t, &k, filepath.Join(k.Helpers, "sigstore-kms-pkcs11"))
			_, err := k.Open(storedURI, Boards)
			if (err == nil) != (row.want == "") || err != nil && !strings.Contains(err.Error(), row.want) {
				t.Errorf("got %v, want %q", err, row.want)
			}
		})
	}
}

// A program on PATH, or in the working folder, is nobody's helper.
func TestHelperOnPATH(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "sigstore-kms-on-path-alone")
	check(t, os.WriteFile(path, []byte("#!/bin/sh\necho >"+dir+"/ran\n"), 0o700))
	t.Setenv("PATH", dir)
	t.Chdir(dir)
	_, err := Keyring{Environ: os.Environ()}.Open("on-path-alone:ca", Boards)
	if err == nil || !strings.Contains(err.Error(), "is not in ") || !strings.Contains(err.Error(), " or /usr/lib/tcpboot") {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "ran")); err == nil {
		t.Error("it was run")
	}
}

func chmod(mode fs.FileMode, folder bool) func(*testing.T, *Keyring, string) {
	return func(t *testing.T, _ *Keyring, path string) {
		if folder {
			path = filepath.Dir(path)
		}
		check(t, os.Chmod(path, mode))
	}
}

func linked(t *testing.T, _ *Keyring, path string) {
	check(t, os.Rename(path, path+"-real"))
	check(t, os.Symlink(path+"-real", path))
}

func folder(t *testing.T, _ *Keyring, path string) {
	check(t, os.Remove(path))
	check(t, os.Mkdir(path, 0o700))
}

func below(t *testing.T, k *Keyring, path string) {
	dir := filepath.Join(k.Helpers, "bin")
	check(t, os.Mkdir(dir, 0o700))
	check(t, os.Rename(path, filepath.Join(dir, filepath.Base(path))))
	check(t, os.Chmod(k.Helpers, 0o777))
	k.Helpers = dir
}

func throughLink(t *testing.T, k *Keyring, _ string) {
	link := filepath.Join(k.Dir, "helpers")
	check(t, os.Symlink(k.Helpers, link))
	k.Helpers = link
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// someFile is what the owner check looks at.
type someFile struct {
	fs.FileInfo
	mode fs.FileMode
	sys  any
}

func (f someFile) Mode() fs.FileMode { return f.mode }
func (f someFile) Sys() any          { return f.sys }

func TestCheckOwner(t *testing.T) {
	for name, row := range map[string]struct {
		mode fs.FileMode
		sys  any
		uid  int
		want string
	}{
		"mine":             {0o755, &syscall.Stat_t{Uid: 1000}, 1000, ""},
		"root's":           {0o755, &syscall.Stat_t{}, 1000, ""},
		"another's":        {0o755, &syscall.Stat_t{Uid: 1001}, 1000, "owned by uid 1001"},
		"a user's to root": {0o755, &syscall.Stat_t{Uid: 1001}, 0, "owned by uid 1001"},
		"its group's":      {0o775, &syscall.Stat_t{}, 1000, "others than its owner"},
		"nobody's":         {0o755, nil, 1000, "cannot be told"},
	} {
		err := checkOwner("helper", someFile{mode: row.mode, sys: row.sys}, row.uid)
		if (err == nil) != (row.want == "") || err != nil && !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: %v, want %q", name, err, row.want)
		}
	}
}

func TestCreate(t *testing.T) {
	real, other := generate(t, P256), generate(t, P384)
	proof := sha256.Sum256([]byte("tcpboot: a new key proves itself"))
	proves := signing(t, signWith(t, real, proof[:], crypto.SHA256))
	for name, row := range map[string]struct {
		uri    string
		kind   Kind
		script string
		want   string
	}{
		"good":                {storedURI, P256, script("", creating(t, real.Public()), proves), ""},
		"there already":       {storedURI, P256, script("", `echo '{"errorMessage":"the token has such a key"}'; exit 1`, ""), "has such a key"},
		"of another kind":     {storedURI, P256, script("", creating(t, other.Public()), ""), "made a key of the kind p384, not p256"},
		"without its private": {storedURI, P256, script("", creating(t, real.Public()), "exit 1"), "exit status 1"},
		"with another's":      {storedURI, P256, script("", creating(t, generate(t, P256).Public()), proves), "not one of the key's"},
		"no key":              {storedURI, P256, script("", "echo '{}'", ""), "without a public key"},
		"an unknown kind":     {storedURI, "ed25519", "", `kind "ed25519"`},
		"in a file":           {"keys/ca.pem", P256, "", "no key store"},
		"with a PIN":          {"pkcs11:token=lab;object=ca?pin-value=4321", P256, "", "a PIN or password"},
	} {
		t.Run(name, func(t *testing.T) {
			key, err := newHelper(t, row.script).Create(row.uri, row.kind)
			if (err == nil) != (row.want == "") || (err == nil) != (key != nil) || err != nil && !strings.Contains(err.Error(), row.want) {
				t.Fatalf("got %v, want %q", err, row.want)
			}
			if err == nil {
				samePublic(t, key, real)
			}
		})
	}
}

// The question for a new key names the algorithm as sigstore does.
func TestCreateNamesTheAlgorithm(t *testing.T) {
	for kind, want := range map[Kind]string{
		P256: "ecdsa-sha2-256-nistp256", P384: "ecdsa-sha2-384-nistp384",
		RSA2048: "rsa-sign-pkcs1-2048-sha256", RSA3072: "rsa-sign-pss-3072-sha256",
	} {
		k := newHelper(t, `case "$2" in *'"createKey":{"algorithm":"`+want+`"}'*) echo '{"errorMessage":"as expected"}' ;; esac`)
		if _, err := k.Create(storedURI, kind); err == nil || !strings.HasSuffix(err.Error(), "as expected") {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

func TestStoredKeyRefusesToSign(t *testing.T) {
	real := generate(t, P256)
	key, err := newHelper(t, script(showing(t, real.Public()), "", "echo '{\"errorMessage\":\"was asked\"}'")).Open(storedURI, App)
	if err != nil {
		t.Fatal(err)
	}
	digest := make([]byte, 32)
	for name, row := range map[string]struct {
		digest []byte
		opts   crypto.SignerOpts
		want   string
	}{
		"PSS":            {digest, &rsa.PSSOptions{SaltLength: 32, Hash: crypto.SHA256}, "a key that is not RSA"},
		"a short digest": {digest[:31], crypto.SHA256, "a digest of 31 bytes"},
		"SHA-1":          {digest[:20], crypto.SHA1, "another hash"},
		"no hash":        {digest, crypto.Hash(0), "another hash"},
		"no options":     {digest, nil, "without a hash"},
	} {
		signature, err := key.Sign(rand.Reader, row.digest, row.opts)
		if err == nil || signature != nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: %v, want %q", name, err, row.want)
		}
	}
}

// Tokens have few sessions: of many signatures at once, four are at work.
func TestFewHelpersAtOnce(t *testing.T) {
	real := generate(t, P256)
	key, err := newHelper(t, script(showing(t, real.Public()), "", "")).Open(storedURI, Boards)
	if err != nil {
		t.Fatal(err)
	}
	s := key.(*stored)
	for range maxAtOnce {
		s.slots <- struct{}{}
	}
	done := make(chan error)
	go func() {
		_, err := key.Sign(rand.Reader, make([]byte, 32), crypto.SHA256)
		done <- err
	}()
	select {
	case err := <-done:
		t.Errorf("did not wait for its turn: %v", err)
	default:
	}
	<-s.slots
	if err := <-done; err == nil {
		t.Error("signed by nobody")
	}
}

func FuzzAnswer(f *testing.F) {
	f.Add([]byte(`{"publicKey":{"publicKeyPEM":"LS0tLS1CRUdJTg=="}}`))
	f.Add([]byte(`{"errorMessage":"no"}`))
	f.Add(publicPEM(f, generate(f, P256).Public()))
	f.Fuzz(func(t *testing.T, text []byte) {
		var answer common.PluginResp
		if json.Unmarshal(text, &answer) == nil && answer.PublicKey != nil {
			text = answer.PublicKey.PublicKeyPEM
		}
		public, err := parsePublic(text)
		if err != nil {
			return
		}
		if _, err := KindOf(public); err != nil {
			t.Errorf("%q gives a key of no kind", text)
		}
	})
}
