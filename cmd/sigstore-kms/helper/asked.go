package helper

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"

	"github.com/sigstore/sigstore/pkg/signature"
	"go.step.sm/crypto/kms/apiv1"
)

// An Algorithm is what a new key is made for. With another hash than its own some
// stores do not sign.
type Algorithm struct {
	Name string // as sigstore's registry spells it
	Step apiv1.SignatureAlgorithm
	Bits int // RSA
	Hash crypto.Hash
}

// IsPSS reports whether the key is to sign by RSA-PSS.
func (a Algorithm) IsPSS() bool { return a.Step == apiv1.SHA256WithRSAPSS }

// algorithms are those of new keys. The first is the default.
var algorithms = []Algorithm{
	{"ecdsa-sha2-256-nistp256", apiv1.ECDSAWithSHA256, 0, crypto.SHA256},
	{"ecdsa-sha2-384-nistp384", apiv1.ECDSAWithSHA384, 0, crypto.SHA384},
	{"rsa-sign-pkcs1-2048-sha256", apiv1.SHA256WithRSA, 2048, crypto.SHA256},
	{"rsa-sign-pkcs1-3072-sha256", apiv1.SHA256WithRSA, 3072, crypto.SHA256},
	{"rsa-sign-pss-2048-sha256", apiv1.SHA256WithRSAPSS, 2048, crypto.SHA256},
	{"rsa-sign-pss-3072-sha256", apiv1.SHA256WithRSAPSS, 3072, crypto.SHA256},
}

// Algorithms lists what new keys can be made for.
func Algorithms() []Algorithm { return append([]Algorithm(nil), algorithms...) }

var hashes = []crypto.Hash{crypto.SHA256, crypto.SHA384, crypto.SHA512}

// asked is a key as the protocol's handler knows it.
type asked struct {
	key  Key
	hash crypto.Hash // unless the question names one
}

func (a *asked) DefaultAlgorithm() string { return algorithms[0].Name }

func (a *asked) SupportedAlgorithms() (names []string) {
	for _, a := range algorithms {
		names = append(names, a.Name)
	}
	return names
}

func (a *asked) PublicKey(...signature.PublicKeyOption) (crypto.PublicKey, error) {
	return a.key.Public(context.Background())
}

// SignMessage signs the digest that an option gives, or else the message's.
func (a *asked) SignMessage(message io.Reader, opts ...signature.SignOption) ([]byte, error) {
	digest, hash, err := signature.ComputeDigestForSigning(message, a.hash, hashes, opts...)
	if err != nil {
		return nil, err
	}
	return a.key.Sign(context.Background(), digest, hash)
}

// VerifySignature verifies here, with the public key out of the store.
func (a *asked) VerifySignature(sig, message io.Reader, opts ...signature.VerifyOption) error {
	digest, hash, err := signature.ComputeDigestForVerifying(message, a.hash, hashes, opts...)
	if err != nil {
		return err
	}
	raw, err := io.ReadAll(sig)
	if err != nil {
		return err
	}
	public, err := a.PublicKey()
	if err != nil {
		return err
	}
	if !verifies(public, hash, digest, raw) {
		return errors.New("the signature is not one of the key's")
	}
	return nil
}

func verifies(public crypto.PublicKey, hash crypto.Hash, digest, sig []byte) bool {
	switch public := public.(type) {
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(public, digest, sig)
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(public, hash, digest, sig) == nil
	}
	return false
}

func (a *asked) CreateKey(ctx context.Context, name string) (crypto.PublicKey, error) {
	for _, algorithm := range algorithms {
		if algorithm.Name == name {
			return a.key.Create(ctx, algorithm)
		}
	}
	return nil, fmt.Errorf("algorithm %.64q: want one of %v", name, a.SupportedAlgorithms())
}

// CryptoSigner is not part of the protocol; the handler's interface has it.
func (a *asked) CryptoSigner(context.Context, func(error)) (crypto.Signer, crypto.SignerOpts, error) {
	return nil, nil, errors.New("keys sign through the protocol alone")
}
