package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/sigstore/sigstore/pkg/signature"
	"go.step.sm/crypto/kms/apiv1"
	"go.step.sm/crypto/kms/pkcs11"
	"go.step.sm/crypto/kms/uri"
)

// A token is what the handler asks: one key in one token, which is opened for
// each question that needs it.
type token struct {
	key  keyURI
	hash crypto.Hash // unless the question names one
}

// algorithms are the kinds of keys, as sigstore's registry spells them. The
// first is the default.
var algorithms = []struct {
	name string
	step apiv1.SignatureAlgorithm
	bits int
}{
	{"ecdsa-sha2-256-nistp256", apiv1.ECDSAWithSHA256, 0},
	{"ecdsa-sha2-384-nistp384", apiv1.ECDSAWithSHA384, 0},
	{"rsa-sign-pkcs1-3072-sha256", apiv1.SHA256WithRSA, 3072},
}

var hashes = []crypto.Hash{crypto.SHA256, crypto.SHA384, crypto.SHA512}

func (t *token) DefaultAlgorithm() string { return algorithms[0].name }

func (t *token) SupportedAlgorithms() (names []string) {
	for _, a := range algorithms {
		names = append(names, a.name)
	}
	return names
}

// A session is a token that we are logged in to.
type session struct {
	*pkcs11.PKCS11
	pin *pinFile // nil without login
}

// Close logs out, then lets the next process in.
func (s *session) Close() error {
	err := s.PKCS11.Close()
	if s.pin != nil {
		s.pin.Close()
	}
	return err
}

// open logs in to the token. Processes that do so with one PIN take turns: a
// login changes the token, and SoftHSM, for one, fails when it finds a token that
// another process is changing.
func (t *token) open() (*session, error) {
	if err := checkModule(t.key.module); err != nil {
		return nil, err
	}
	options := apiv1.Options{Type: apiv1.PKCS11, URI: t.key.tokenName()}
	if t.key.pinFile == "" {
		p, err := pkcs11.New(context.Background(), options)
		return &session{p, nil}, err
	}
	pin, err := openPIN(t.key.pinFile)
	if err != nil {
		return nil, err
	}
	options.Pin = pin.pin
	p, err := pkcs11.New(context.Background(), options)
	if err != nil {
		pin.Close()
		return nil, err
	}
	return &session{p, pin}, nil
}

// tokenName is what the library below knows the token by.
func (k keyURI) tokenName() string {
	values := url.Values{"module-path": {k.module}}
	for name, value := range map[string]string{"token": k.token, "serial": k.serial, "slot-id": k.slot} {
		if value != "" {
			values.Set(name, value)
		}
	}
	return uri.New(pkcs11.Scheme, values).String()
}

// name is what the library below knows the key by.
func (k keyURI) name() string { return objectName(k.id, k.object) }

func objectName(id []byte, object string) string {
	values := url.Values{}
	if id != nil {
		values.Set("id", hex.EncodeToString(id))
	}
	if object != "" {
		values.Set("object", object)
	}
	return uri.New(pkcs11.Scheme, values).String()
}

// signer is the key, once the token is open.
func (t *token) signer(p *session) (crypto.Signer, error) {
	key, err := p.CreateSigner(&apiv1.CreateSignerRequest{SigningKey: t.key.name()})
	if err != nil {
		return nil, err
	}
	return key, checkKind(key.Public())
}

func checkKind(public crypto.PublicKey) error {
	switch public := public.(type) {
	case *ecdsa.PublicKey:
		if public.Curve == elliptic.P256() || public.Curve == elliptic.P384() {
			return nil
		}
	case *rsa.PublicKey:
		if public.N.BitLen() == 3072 && public.E == 65537 {
			return nil
		}
	}
	return errors.New("the key is not of the kinds P-256, P-384 and RSA with 3072 bits")
}

func (t *token) PublicKey(...signature.PublicKeyOption) (crypto.PublicKey, error) {
	p, err := t.open()
	if err != nil {
		return nil, err
	}
	defer p.Close()
	key, err := t.signer(p)
	if err != nil {
		return nil, err
	}
	return key.Public(), nil
}

// SignMessage signs the digest that an option gives, or else the message's.
func (t *token) SignMessage(message io.Reader, opts ...signature.SignOption) ([]byte, error) {
	digest, hash, err := signature.ComputeDigestForSigning(message, t.hash, hashes, opts...)
	if err != nil {
		return nil, err
	}
	p, err := t.open()
	if err != nil {
		return nil, err
	}
	defer p.Close()
	key, err := t.signer(p)
	if err != nil {
		return nil, err
	}
	return key.Sign(nil, digest, hash)
}

// VerifySignature verifies here, with the public key out of the token.
func (t *token) VerifySignature(sig, message io.Reader, opts ...signature.VerifyOption) error {
	digest, hash, err := signature.ComputeDigestForVerifying(message, t.hash, hashes, opts...)
	if err != nil {
		return err
	}
	raw, err := io.ReadAll(sig)
	if err != nil {
		return err
	}
	public, err := t.PublicKey()
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

// CreateKey makes a key in the token. It refuses a label and an identifier that
// a key there has already: a URI that names either would name two keys.
func (t *token) CreateKey(_ context.Context, algorithm string) (crypto.PublicKey, error) {
	request, err := t.newKey(algorithm)
	if err != nil {
		return nil, err
	}
	p, err := t.open()
	if err != nil {
		return nil, err
	}
	defer p.Close()
	if err := t.checkFree(p); err != nil {
		return nil, err
	}
	made, err := p.CreateKey(request)
	if err != nil {
		return nil, err
	}
	return made.PublicKey, nil
}

func (t *token) checkFree(p *session) error {
	for _, name := range []string{objectName(t.key.id, ""), objectName(nil, t.key.object)} {
		_, err := p.GetPublicKey(&apiv1.GetPublicKeyRequest{Name: name})
		if err == nil {
			return errors.New("the token has a key of that id or object already")
		}
		if !isMissing(err) {
			return err
		}
	}
	return nil
}

// isMissing tells that there is no such key. The library below has a type for
// it, and does not use it everywhere.
func isMissing(err error) bool {
	return errors.Is(err, apiv1.NotFoundError{}) || strings.HasSuffix(err.Error(), " not found")
}

func (t *token) newKey(algorithm string) (*apiv1.CreateKeyRequest, error) {
	if t.key.id == nil || t.key.object == "" {
		return nil, errors.New("a new key wants both an object and an id in its URI")
	}
	for _, a := range algorithms {
		if a.name == algorithm {
			return &apiv1.CreateKeyRequest{Name: t.key.name(), SignatureAlgorithm: a.step, Bits: a.bits}, nil
		}
	}
	return nil, fmt.Errorf("algorithm %.64q: want one of %v", algorithm, t.SupportedAlgorithms())
}

// CryptoSigner is not part of the protocol; the handler's interface has it.
func (t *token) CryptoSigner(context.Context, func(error)) (crypto.Signer, crypto.SignerOpts, error) {
	return nil, nil, errors.New("keys sign through the protocol alone")
}
