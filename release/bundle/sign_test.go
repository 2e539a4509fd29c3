package bundle

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"testing"

	"github.com/tcpboot/tcpboot/release"
	"github.com/tcpboot/tcpboot/release/cose"
	"github.com/tcpboot/tcpboot/release/sign"
)

// signed signs m with a key that is always the same, as keys in memory do: the
// same manifest gives the same bytes.
func signed(t testing.TB, m release.Manifest) []byte {
	t.Helper()
	k := releaseKey(t)
	payload, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	b, err := cose.Sign1(release.Type, payload, cose.Signer{Key: k.Key(), Sign: k.SignManifest})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func releaseKey(t testing.TB) sign.Release { return keyOf(t, 1) }

// otherKey is a release key of somebody else.
func otherKey(t testing.TB) sign.Release { return keyOf(t, 2) }

func keyOf(t testing.TB, n byte) sign.Release {
	t.Helper()
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), bytes.Repeat([]byte{n}, 32))
	if err != nil {
		t.Fatal(err)
	}
	k, err := sign.NewRelease(key)
	if err != nil {
		t.Fatal(err)
	}
	return k
}
