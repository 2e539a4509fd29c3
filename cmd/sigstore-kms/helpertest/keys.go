package helpertest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"testing"
)

// Generate makes a key for a store that a test plays: p256, p384, rsa2048 or
// rsa3072.
func Generate(t testing.TB, kind string) crypto.Signer {
	t.Helper()
	var key crypto.Signer
	var err error
	switch kind {
	case "p256":
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "p384":
		key, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "rsa2048":
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	case "rsa3072":
		key, err = rsa.GenerateKey(rand.Reader, 3072)
	default:
		t.Errorf("asked for a key of the kind %q", kind)
		key, err = ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	}
	if err != nil {
		t.Error(err)
	}
	return key
}

// PublicDER returns a public key as stores show it.
func PublicDER(t testing.TB, public crypto.PublicKey) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Error(err)
	}
	return der
}
