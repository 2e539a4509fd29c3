package main

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/tcpboot/tcpboot/cmd/sigstore-kms/helpertest"
)

const testToken = "hvs.4321"

// A vault is a transit engine with keys of its own. It holds requests to what
// Vault's documentation has for them.
type vault struct {
	*testing.T
	keys map[string]crypto.Signer
}

// newVault starts a server, and says so in the environment.
func newVault(t *testing.T) vault {
	t.Helper()
	v := vault{t, map[string]crypto.Signer{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/transit/keys/{name}", v.read)
	mux.HandleFunc("PUT /v1/transit/keys/{name}", v.create)
	mux.HandleFunc("PUT /v1/transit/sign/{name}/{hash}", v.sign)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { refuse(w, http.StatusNotFound, "no handler for route") })
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Vault-Token") != testToken {
			refuse(w, http.StatusForbidden, "permission denied")
			return
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	t.Setenv("VAULT_ADDR", server.URL)
	t.Setenv("VAULT_TOKEN", testToken)
	return v
}

func refuse(w http.ResponseWriter, status int, why string) {
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]any{"errors": []string{why}})
}

func answer(w http.ResponseWriter, data map[string]any) {
	json.NewEncoder(w).Encode(map[string]any{"data": data})
}

func (v vault) read(w http.ResponseWriter, r *http.Request) {
	key := v.keys[r.PathValue("name")]
	if key == nil {
		refuse(w, http.StatusNotFound, "")
		return
	}
	block := &pem.Block{Type: "PUBLIC KEY", Bytes: helpertest.PublicDER(v, key.Public())}
	answer(w, map[string]any{"latest_version": 2, "keys": map[string]any{"1": map[string]any{"public_key": string(pem.EncodeToMemory(block))}}})
}

// create answers like Vault also for a key that is there, and leaves it as it is.
func (v vault) create(w http.ResponseWriter, r *http.Request) {
	var request struct{ Type string }
	v.decode(r, &request)
	if name := r.PathValue("name"); v.keys[name] == nil {
		v.keys[name] = helpertest.Generate(v, map[string]string{
			"ecdsa-p256": "p256", "ecdsa-p384": "p384", "rsa-2048": "rsa2048", "rsa-3072": "rsa3072",
		}[request.Type])
	}
	w.WriteHeader(http.StatusNoContent)
}

func (v vault) decode(r *http.Request, request any) {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(request); err != nil {
		v.Errorf("%s: %v", r.URL, err)
	}
}

func (v vault) sign(w http.ResponseWriter, r *http.Request) {
	var request struct {
		Input     []byte
		Prehashed bool
		Version   int    `json:"key_version"`
		Encoding  string `json:"marshaling_algorithm"`
		Algorithm string `json:"signature_algorithm"`
		Salt      string `json:"salt_length"`
	}
	v.decode(r, &request)
	hash := map[string]crypto.Hash{"sha2-256": crypto.SHA256, "sha2-384": crypto.SHA384, "sha2-512": crypto.SHA512}[r.PathValue("hash")]
	if !request.Prehashed || request.Version != 1 || request.Encoding != "asn1" || len(request.Input) != hash.Size() {
		v.Errorf("%s: %+v", r.URL, request)
	}
	var opts crypto.SignerOpts = hash
	if request.Algorithm == "pss" {
		salt, err := strconv.Atoi(request.Salt)
		if err != nil {
			v.Error(err)
		}
		opts = &rsa.PSSOptions{Hash: hash, SaltLength: salt}
	}
	sig, err := v.keys[r.PathValue("name")].Sign(rand.Reader, request.Input, opts)
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	answer(w, map[string]any{"signature": fmt.Sprintf("vault:v%d:%s", request.Version, base64.StdEncoding.EncodeToString(sig))})
}

var asker = helpertest.Asker{Program: program, Secret: "4321"}

func TestVault(t *testing.T) {
	newVault(t)
	helpertest.Contract{Asker: asker, Key: func(algorithm string) string { return "name=" + algorithm }, AnySalt: true}.Check(t)
}

func TestToken(t *testing.T) {
	newVault(t)
	const algorithm = "ecdsa-sha2-256-nistp256"
	if made := asker.Create(t, "name=app", algorithm); made.ErrorMessage != "" {
		t.Fatal(made.ErrorMessage)
	}
	t.Setenv("VAULT_TOKEN", "hvs.9999")
	if read := asker.Public(t, "name=app"); !strings.Contains(read.ErrorMessage, "permission denied") {
		t.Errorf("with another token: %q", read.ErrorMessage)
	}
	file := filepath.Join(t.TempDir(), "token")
	helpertest.WriteFile(t, file, testToken+"\n", 0o600)
	if read := asker.Public(t, "name=app?token-source=file:"+file); read.ErrorMessage != "" {
		t.Error(read.ErrorMessage)
	}
	helpertest.WriteFile(t, file+"2", testToken+"\n", 0o644)
	if read := asker.Public(t, "name=app?token-source=file:"+file+"2"); !strings.Contains(read.ErrorMessage, "others can read it") {
		t.Errorf("in a file for all: %q", read.ErrorMessage)
	}
}

func TestRefuses(t *testing.T) {
	newVault(t)
	for name, row := range map[string]struct{ key, want string }{
		"no name":         {"mount=transit", "name: want"},
		"a path":          {"name=../app", "name: want"},
		"a mount by …":    {"name=app;mount=../sys", "mount: want"},
		"version 0":       {"name=app;version=0", "version: want"},
		"another version": {"name=app;version=2", "a new key has version 1"},
		"a token":         {"name=app;token=4321", "want attributes"},
		"a token's file":  {"name=app?token-source=4321", "token-source: want"},
		"another engine":  {"name=app;mount=elsewhere", "no handler for route"},
		"no token's file": {"name=app?token-source=file:/nowhere", "token-source: open /nowhere"},
	} {
		if made := asker.Create(t, row.key, "ecdsa-sha2-256-nistp256"); !strings.Contains(made.ErrorMessage, row.want) {
			t.Errorf("%s: %q, want %q", name, made.ErrorMessage, row.want)
		}
	}
}

// The token is not shown to the network.
func TestAddresses(t *testing.T) {
	for address, good := range map[string]bool{
		"https://vault.example:8200": true, "http://127.0.0.1:8200": true, "http://localhost:8200": true, "http://[::1]:8200": true,
		"http://vault.example:8200": false, "http://192.0.2.1:8200": false, "http://127.0.0.1.example": false, "": false,
	} {
		if err := checkAddress(address); (err == nil) != good {
			t.Errorf("%q: %v", address, err)
		}
	}
}

func TestWithTcpboot(t *testing.T) {
	newVault(t)
	if made := asker.Create(t, "name=app", "rsa-sign-pss-3072-sha256"); made.ErrorMessage != "" {
		t.Fatal(made.ErrorMessage)
	}
	helpertest.SignsImage(t, "vault:name=app")
}
