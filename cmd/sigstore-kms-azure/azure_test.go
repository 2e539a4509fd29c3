package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/tcpboot/tcpboot/cmd/sigstore-kms/helpertest"
)

const (
	tenant   = "11111111-2222-3333-4444-555555555555"
	login    = "https://login.microsoftonline.com/" + tenant
	testCall = "Bearer the-token"
)

// A vault is Azure with keys of its own: where one logs in, and a Key Vault. It
// holds requests to what Azure's documentation has for them.
type vault struct {
	*testing.T
	sync.Mutex
	keys map[string]crypto.Signer
}

func newVault(t *testing.T) *vault {
	t.Helper()
	v := &vault{T: t, keys: map[string]crypto.Signer{}}
	cloud = v
	return v
}

func (v *vault) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	switch {
	case r.Host == "login.microsoftonline.com":
		v.login(w, r)
	case r.Host != "site.vault.azure.net":
		v.Errorf("asked %s", r.Host)
	case r.Header.Get("Authorization") != testCall:
		w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer authorization=%q, resource="https://vault.azure.net"`, login))
		w.WriteHeader(http.StatusUnauthorized)
	default:
		v.call(w, r)
	}
}

// login answers for the endpoints of OpenID Connect.
func (v *vault) login(w http.ResponseWriter, r *http.Request) {
	switch {
	case strings.HasSuffix(r.URL.Path, "/discovery/instance"):
		answer(w, map[string]any{"tenant_discovery_endpoint": login + "/v2.0/.well-known/openid-configuration", "metadata": []any{}})
	case strings.HasSuffix(r.URL.Path, "/openid-configuration"):
		answer(w, map[string]any{"token_endpoint": login + "/oauth2/v2.0/token", "authorization_endpoint": login + "/oauth2/v2.0/authorize", "issuer": login + "/v2.0"})
	case strings.HasSuffix(r.URL.Path, "/token"):
		if r.FormValue("client_id") != "tcpboot" || r.FormValue("client_secret") != "secret4321" || !strings.Contains(r.FormValue("scope"), "https://vault.azure.net/.default") {
			v.Errorf("logs in by %v", r.Form)
		}
		answer(w, map[string]any{"token_type": "Bearer", "expires_in": 3600, "access_token": strings.TrimPrefix(testCall, "Bearer ")})
	default:
		v.Errorf("asked %s", r.URL)
	}
}

func answer(w http.ResponseWriter, body any) { json.NewEncoder(w).Encode(body) }

func refuse(w http.ResponseWriter, status int, code string) {
	w.WriteHeader(status)
	answer(w, map[string]any{"error": map[string]string{"code": code, "message": code}})
}

const testVersion = "0123456789abcdef0123456789abcdef"

// call takes /keys/NAME/VERSION/WHAT, of which the last two may each be missing.
func (v *vault) call(w http.ResponseWriter, r *http.Request) {
	v.Lock()
	defer v.Unlock()
	path := append(strings.Split(r.URL.Path, "/"), "", "")
	name, version, what := path[2], path[3], path[4]
	if version == "sign" {
		version, what = "", version
	}
	key := v.keys[name]
	switch {
	case version == "create":
		v.keys[name] = v.create(r) // Azure gives a key that is there another version
		answer(w, v.show(name))
	case key == nil || version != "" && version != testVersion:
		refuse(w, http.StatusNotFound, "KeyNotFound")
	case what == "sign":
		v.sign(w, r, key)
	default:
		answer(w, v.show(name))
	}
}

func (v *vault) create(r *http.Request) crypto.Signer {
	var q struct {
		Kty, Crv string
		KeySize  int      `json:"key_size"`
		KeyOps   []string `json:"key_ops"`
	}
	if err := json.NewDecoder(r.Body).Decode(&q); err != nil || strings.Join(q.KeyOps, " ") != "sign verify" {
		v.Errorf("%+v, %v", q, err)
	}
	kinds := map[string]string{"EC P-256 0": "p256", "EC P-384 0": "p384", "RSA  2048": "rsa2048", "RSA  3072": "rsa3072", "RSA-HSM  3072": "rsa3072"}
	return helpertest.Generate(v, kinds[fmt.Sprintf("%s %s %d", q.Kty, q.Crv, q.KeySize)])
}

func (v *vault) show(name string) any {
	key := map[string]any{"kid": "https://site.vault.azure.net/keys/" + name + "/" + testVersion}
	text := base64.RawURLEncoding.EncodeToString
	switch public := v.keys[name].Public().(type) {
	case *ecdsa.PublicKey:
		point, err := public.Bytes()
		if err != nil {
			v.Error(err)
		}
		half := len(point) / 2
		key["kty"], key["crv"] = "EC", public.Params().Name
		key["x"], key["y"] = text(point[1:1+half]), text(point[1+half:])
	case *rsa.PublicKey:
		key["kty"], key["n"], key["e"] = "RSA", text(public.N.Bytes()), text(big.NewInt(int64(public.E)).Bytes())
	}
	return map[string]any{"key": key, "attributes": map[string]any{"enabled": true}}
}

// algorithms are those that keys have, by the length of an ECDSA number or 0.
var algorithms = map[string]struct {
	opts crypto.SignerOpts
	size int
}{
	"ES256": {crypto.SHA256, 32},
	"ES384": {crypto.SHA384, 48},
	"RS256": {crypto.SHA256, 0},
	"PS256": {&rsa.PSSOptions{Hash: crypto.SHA256, SaltLength: rsa.PSSSaltLengthEqualsHash}, 0},
}

func (v *vault) sign(w http.ResponseWriter, r *http.Request, key crypto.Signer) {
	var q struct{ Alg, Value string }
	if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
		v.Error(err)
	}
	digest, err := base64.RawURLEncoding.DecodeString(q.Value)
	a, ok := algorithms[q.Alg]
	size := 0
	if public, ec := key.Public().(*ecdsa.PublicKey); ec {
		size = public.Params().BitSize / 8
	}
	if err != nil || !ok || a.size != size || len(digest) != a.opts.HashFunc().Size() {
		refuse(w, http.StatusBadRequest, "BadParameter")
		return
	}
	sig, err := key.Sign(rand.Reader, digest, a.opts)
	if err == nil && size > 0 {
		sig, err = bothHalves(sig, size)
	}
	if err != nil {
		v.Error(err)
	}
	answer(w, map[string]any{"kid": "https://site.vault.azure.net/keys/a/" + testVersion, "value": base64.RawURLEncoding.EncodeToString(sig)})
}

// bothHalves turns a signature in DER into r ‖ s.
func bothHalves(der []byte, size int) ([]byte, error) {
	var sig struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &sig); err != nil {
		return nil, err
	}
	return append(sig.R.FillBytes(make([]byte, size)), sig.S.FillBytes(make([]byte, size))...), nil
}

var asker = helpertest.Asker{Program: program, Secret: "4321"}

func TestAzure(t *testing.T) {
	newVault(t)
	helpertest.Contract{Asker: asker, Key: func(algorithm string) string { return "vault=site;name=" + algorithm }}.Check(t)
}

func TestVersions(t *testing.T) {
	newVault(t)
	made := asker.Create(t, "vault=site;name=app?hsm=true", "rsa-sign-pss-3072-sha256")
	if made.ErrorMessage != "" {
		t.Fatal(made.ErrorMessage)
	}
	if read := asker.Public(t, "vault=site;name=app;version="+testVersion+"?environment=public"); read.ErrorMessage != "" {
		t.Error(read.ErrorMessage)
	}
	if read := asker.Public(t, "vault=site;name=app;version=0123"); !strings.Contains(read.ErrorMessage, "KeyNotFound") {
		t.Errorf("of another version: %q", read.ErrorMessage)
	}
}

func TestRefuses(t *testing.T) {
	newVault(t)
	for name, row := range map[string]struct{ key, want string }{
		"no vault":            {"name=app", "vault: want"},
		"a host for a vault":  {"vault=evil.example/;name=app", "vault: want"},
		"no name":             {"vault=site", "name: want"},
		"a path for a name":   {"vault=site;name=..%2Fapp", "name: want"},
		"a version in words":  {"vault=site;name=app;version=newest", "version: want"},
		"an unknown cloud":    {"vault=site;name=app?environment=moon", "environment: want"},
		"hsm in other words":  {"vault=site;name=app?hsm=yes", "hsm: want"},
		"a secret":            {"vault=site;name=app?client-secret=4321", "want attributes"},
		"a new key's version": {"vault=site;name=app;version=0123", "is given its version by Azure"},
	} {
		if made := asker.Create(t, row.key, "ecdsa-sha2-256-nistp256"); !strings.Contains(made.ErrorMessage, row.want) {
			t.Errorf("%s: %q, want %q", name, made.ErrorMessage, row.want)
		}
	}
}

func TestWithTcpboot(t *testing.T) {
	newVault(t)
	if made := asker.Create(t, "vault=site;name=app", "rsa-sign-pss-3072-sha256"); made.ErrorMessage != "" {
		t.Fatal(made.ErrorMessage)
	}
	helpertest.SignsImage(t, "azure:vault=site;name=app")
}
