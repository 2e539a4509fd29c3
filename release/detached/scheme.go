package detached

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"errors"
	"fmt"

	"github.com/tcpboot/tcpboot/pki/custody"
)

// A Scheme is how a digest is signed.
type Scheme string

// The schemes.
const (
	P256    Scheme = "ecdsa-p256-sha256"
	P384    Scheme = "ecdsa-p384-sha384"
	RSA2048 Scheme = "rsa2048-pss-sha256"
	RSA3072 Scheme = "rsa3072-pss-sha256"
)

const saltLength = 32

// schemes says by which hash digests are made, how openssl calls it, and whether RSA
// signs them.
var schemes = map[Scheme]struct {
	hash crypto.Hash
	name string
	pss  bool
}{
	P256:    {crypto.SHA256, "sha256", false},
	P384:    {crypto.SHA384, "sha384", false},
	RSA2048: {crypto.SHA256, "sha256", true},
	RSA3072: {crypto.SHA256, "sha256", true},
}

var ofKind = map[custody.Kind]Scheme{custody.P256: P256, custody.P384: P384, custody.RSA2048: RSA2048, custody.RSA3072: RSA3072}

// schemeOf is how a key with that public half is asked to sign a digest.
func schemeOf(public crypto.PublicKey, digest []byte, opts crypto.SignerOpts) (Scheme, error) {
	kind, err := custody.KindOf(public)
	if err != nil {
		return "", err
	}
	s := ofKind[kind]
	if want := schemes[s].hash; opts.HashFunc() != want || len(digest) != want.Size() {
		return "", fmt.Errorf("a digest of %d bytes by %v: %s keys that are elsewhere sign by %v", len(digest), opts.HashFunc(), kind, want)
	}
	if pss, ok := opts.(*rsa.PSSOptions); schemes[s].pss && (!ok || pss.SaltLength != saltLength) {
		return "", errors.New("an RSA key that is elsewhere signs by PSS with a salt of 32 bytes")
	}
	return s, nil
}

var errSignature = errors.New("is not a signature by that key over that digest")

// verify says why signature is none by public over digest.
func (s Scheme) verify(public crypto.PublicKey, digest, signature []byte) error {
	good := false
	switch k := public.(type) {
	case *ecdsa.PublicKey:
		good = ecdsa.VerifyASN1(k, digest, signature)
	case *rsa.PublicKey:
		good = rsa.VerifyPSS(k, schemes[s].hash, digest, signature, &rsa.PSSOptions{SaltLength: saltLength}) == nil
	}
	if !good {
		return errSignature
	}
	return nil
}
