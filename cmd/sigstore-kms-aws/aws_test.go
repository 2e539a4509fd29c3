package main

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tcpboot/tcpboot/cmd/sigstore-kms/helpertest"
)

// A service is AWS KMS with keys of its own. It holds requests to what AWS's
// documentation has for them.
type service struct {
	*testing.T
	keys map[string]crypto.Signer
	spec map[crypto.Signer]string
}

// newService starts a server, and says so in the environment.
func newService(t *testing.T) *service {
	t.Helper()
	s := &service{t, map[string]crypto.Signer{}, map[crypto.Signer]string{}}
	calls := map[string]func(request) any{
		"GetPublicKey": s.getPublicKey, "Sign": s.sign, "CreateKey": s.createKey, "CreateAlias": s.createAlias,
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.Header.Get("Authorization"), "Credential=AKIATEST/") || !strings.Contains(r.Header.Get("Authorization"), "/eu-west-1/kms/") {
			t.Errorf("asked by %q", r.Header.Get("Authorization"))
		}
		call := calls[strings.TrimPrefix(r.Header.Get("X-Amz-Target"), "TrentService.")]
		var q request
		d := json.NewDecoder(r.Body)
		d.DisallowUnknownFields()
		if err := d.Decode(&q); err != nil || call == nil {
			t.Errorf("%s: %v", r.Header.Get("X-Amz-Target"), err)
		}
		answer := call(q)
		if why, refused := answer.(refusal); refused {
			w.WriteHeader(http.StatusBadRequest)
			answer = map[string]string{"__type": string(why), "message": "refused"}
		}
		json.NewEncoder(w).Encode(answer)
	}))
	t.Cleanup(server.Close)
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL_KMS": server.URL, "AWS_ACCESS_KEY_ID": "AKIATEST", "AWS_SECRET_ACCESS_KEY": "secret4321",
		"AWS_REGION": "eu-west-1", "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
	} {
		t.Setenv(name, value)
	}
	return s
}

type request struct {
	KeyID                          string `json:"KeyId"`
	KeySpec, KeyUsage, Description string
	AliasName, TargetKeyID         string
	Message                        []byte
	MessageType, SigningAlgorithm  string
}

type refusal string

func (s *service) getPublicKey(q request) any {
	key := s.keys[q.KeyID]
	if key == nil {
		return refusal("NotFoundException")
	}
	return map[string]any{"KeyId": q.KeyID, "PublicKey": helpertest.PublicDER(s, key.Public())}
}

func (s *service) createKey(q request) any {
	if q.KeyUsage != "SIGN_VERIFY" {
		s.Errorf("a key for %s", q.KeyUsage)
	}
	key := helpertest.Generate(s, map[string]string{
		"ECC_NIST_P256": "p256", "ECC_NIST_P384": "p384", "RSA_2048": "rsa2048", "RSA_3072": "rsa3072",
	}[q.KeySpec])
	id := fmt.Sprintf("1234abcd-%012d", len(s.spec))
	s.keys[id], s.spec[key] = key, q.KeySpec
	return map[string]any{"KeyMetadata": map[string]any{"KeyId": id}}
}

func (s *service) createAlias(q request) any {
	if s.keys[q.AliasName] != nil {
		return refusal("AlreadyExistsException")
	}
	s.keys[q.AliasName] = s.keys[q.TargetKeyID]
	return map[string]any{}
}

// algorithms are those that keys of a kind have.
var algorithms = map[string]map[string]crypto.SignerOpts{
	"ECC_NIST_P256": {"ECDSA_SHA_256": crypto.SHA256},
	"ECC_NIST_P384": {"ECDSA_SHA_384": crypto.SHA384},
	"RSA_2048":      ofRSA, "RSA_3072": ofRSA,
}

var ofRSA = map[string]crypto.SignerOpts{
	"RSASSA_PKCS1_V1_5_SHA_256": crypto.SHA256,
	"RSASSA_PKCS1_V1_5_SHA_384": crypto.SHA384,
	"RSASSA_PKCS1_V1_5_SHA_512": crypto.SHA512,
	"RSASSA_PSS_SHA_256":        &rsa.PSSOptions{Hash: crypto.SHA256, SaltLength: rsa.PSSSaltLengthEqualsHash},
	"RSASSA_PSS_SHA_384":        &rsa.PSSOptions{Hash: crypto.SHA384, SaltLength: rsa.PSSSaltLengthEqualsHash},
	"RSASSA_PSS_SHA_512":        &rsa.PSSOptions{Hash: crypto.SHA512, SaltLength: rsa.PSSSaltLengthEqualsHash},
}

func (s *service) sign(q request) any {
	if q.MessageType != "DIGEST" {
		s.Errorf("signs a %s", q.MessageType)
	}
	key := s.keys[q.KeyID]
	opts, ok := algorithms[s.spec[key]][q.SigningAlgorithm]
	if !ok || len(q.Message) != opts.HashFunc().Size() {
		return refusal("ValidationException")
	}
	sig, err := key.Sign(rand.Reader, q.Message, opts)
	if err != nil {
		s.Error(err)
	}
	return map[string]any{"KeyId": q.KeyID, "Signature": sig, "SigningAlgorithm": q.SigningAlgorithm}
}

var asker = helpertest.Asker{Program: program, Secret: "4321"}

func TestAWS(t *testing.T) {
	newService(t)
	helpertest.Contract{Asker: asker, Key: func(algorithm string) string { return "key-id=alias/" + algorithm }}.Check(t)
}

// Names keep their capitals, and a key has several.
func TestNames(t *testing.T) {
	s := newService(t)
	made := asker.Create(t, "key-id=alias/Site/App", "ecdsa-sha2-256-nistp256")
	if made.ErrorMessage != "" || s.keys["alias/Site/App"] == nil {
		t.Fatalf("%+v", made)
	}
	const arn = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-000000000000"
	s.keys[arn] = s.keys["alias/Site/App"]
	for _, name := range []string{"key-id=1234abcd-000000000000", "key-id=" + arn} {
		if read := asker.Public(t, name); read.ErrorMessage != "" {
			t.Errorf("%s: %s", name, read.ErrorMessage)
		}
	}
}

func TestRefuses(t *testing.T) {
	s := newService(t)
	s.keys["alias/odd"] = helpertest.Generate(t, "p256")
	for name, row := range map[string]struct{ key, want string }{
		"no name":             {"region=eu-west-1", "key-id: want"},
		"a secret":            {"key-id=alias/app;secret-access-key=4321", "want attributes"},
		"credentials by name": {"key-id=alias/app?credentials-file=4321", "credentials-file: want"},
		"a new key's name":    {"key-id=1234abcd", "want key-id=alias/NAME"},
		"one that is there":   {"key-id=alias/odd", "already"},
		"no such profile":     {"key-id=alias/app?profile=nobody", "nobody"},
		"no such file":        {"key-id=alias/app?profile=nobody&credentials-file=" + filepath.Join(t.TempDir(), "none"), "nobody"},
	} {
		if made := asker.Create(t, row.key, "ecdsa-sha2-256-nistp256"); !strings.Contains(made.ErrorMessage, row.want) {
			t.Errorf("%s: %q, want %q", name, made.ErrorMessage, row.want)
		}
	}
}

func TestWithTcpboot(t *testing.T) {
	newService(t)
	if made := asker.Create(t, "key-id=alias/app", "rsa-sign-pss-3072-sha256"); made.ErrorMessage != "" {
		t.Fatal(made.ErrorMessage)
	}
	helpertest.SignsImage(t, "aws:key-id=alias/app")
}
