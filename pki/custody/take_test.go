package custody

import (
	"crypto"
	"crypto/sha256"
	"strings"
	"testing"
)

// A key that is there is taken when it is of the kind and signs; where there is
// none, one is made.
func TestTake(t *testing.T) {
	real, other := generate(t, P256), generate(t, P384)
	proof := sha256.Sum256([]byte("tcpboot: a new key proves itself"))
	proves := signing(t, signWith(t, real, proof[:], crypto.SHA256))
	const missing = `echo '{"errorMessage":"no such key"}'; exit 1`
	for name, row := range map[string]struct{ uri, script, want string }{
		"there":           {storedURI, script(showing(t, real.Public()), "", proves), ""},
		"not there":       {storedURI, script(missing, creating(t, real.Public()), proves), ""},
		"of another kind": {storedURI, script(showing(t, other.Public()), creating(t, real.Public()), proves), "the key there is of the kind p384, not p256"},
		"without its…":    {storedURI, script(showing(t, real.Public()), creating(t, real.Public()), "exit 1"), "exit status 1"},
		"neither":         {storedURI, script(missing, `echo '{"errorMessage":"may not"}'`, ""), "may not"},
		"in a file":       {"keys/ca.pem", "", "no key store"},
	} {
		key, err := newHelper(t, row.script).Take(row.uri, Boards, P256)
		if (err == nil) != (row.want == "") || (err == nil) != (key != nil) || err != nil && !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: got %v, want %q", name, err, row.want)
		}
		if err == nil {
			samePublic(t, key, real)
		}
	}
}
