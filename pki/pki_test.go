package pki

import (
	"crypto"
	"sync"
	"testing"

	"github.com/tcpboot/tcpboot/pki/custody"
)

// RSA keys are made once: each takes seconds under the race detector.
var rsaKeys = map[custody.Kind]func() []crypto.Signer{
	custody.RSA2048: sync.OnceValue(func() []crypto.Signer { return twoKeys(custody.RSA2048) }),
	custody.RSA3072: sync.OnceValue(func() []crypto.Signer { return twoKeys(custody.RSA3072) }),
}

func twoKeys(k custody.Kind) (keys []crypto.Signer) {
	for range 2 {
		key, err := custody.Generate(k)
		if err != nil {
			panic(err)
		}
		keys = append(keys, key)
	}
	return keys
}

// testKeys returns a root key and a CA key.
func testKeys(t testing.TB, k custody.Kind) (root, ca crypto.Signer) {
	t.Helper()
	if keys, ok := rsaKeys[k]; ok {
		return keys()[0], keys()[1]
	}
	return testKey(t, k), testKey(t, k)
}

func testKey(t testing.TB, k custody.Kind) crypto.Signer {
	t.Helper()
	key, err := custody.Generate(k)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newTestAuthority(t testing.TB, h Hierarchy, k custody.Kind) *Authority {
	t.Helper()
	root, ca := testKeys(t, k)
	a, err := NewAuthority(h, "lab", root, ca, DefaultTemplates())
	if err != nil {
		t.Fatal(err)
	}
	return a
}
