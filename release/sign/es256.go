package sign

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"encoding/asn1"
	"errors"
	"io"
	"math/big"

	"github.com/sigstore/sigstore/pkg/signature"

	"github.com/tcpboot/tcpboot/release/cose"
)

var errNoKey = errors.New("there is none")

// An es256 is a P-256 key, wherever it lies, as a sigstore signer. sigstore's own
// ECDSA signer takes only keys in memory and never signs deterministically.
type es256 struct {
	private crypto.Signer
	public  cose.Key
}

var _ signature.Signer = es256{}

func newES256(key crypto.Signer) (es256, error) {
	if key == nil {
		return es256{}, errNoKey
	}
	public, err := cose.KeyOf(key.Public())
	return es256{key, public}, err
}

// PublicKey returns the public half; no option means anything here.
func (k es256) PublicKey(...signature.PublicKeyOption) (crypto.PublicKey, error) {
	if k.private == nil {
		return nil, errNoKey
	}
	return k.private.Public(), nil
}

// SignMessage returns a signature in DER over the SHA-256 of message, or over the
// digest that an option gives.
func (k es256) SignMessage(message io.Reader, opts ...signature.SignOption) ([]byte, error) {
	if k.private == nil {
		return nil, errNoKey
	}
	digest, _, err := signature.ComputeDigestForSigning(message, crypto.SHA256, []crypto.Hash{crypto.SHA256}, opts...)
	if err != nil {
		return nil, err
	}
	return k.private.Sign(entropy(k.private, rand.Reader), digest, crypto.SHA256)
}

// entropy is nil for an ECDSA key in memory, which then signs as RFC 6979 has it.
// Other keys need randomness, or bring their own.
func entropy(key crypto.Signer, random io.Reader) io.Reader {
	if _, ok := key.(*ecdsa.PrivateKey); ok {
		return nil
	}
	return random
}

// sign returns r ‖ s over the SHA-256 of message. A key that is elsewhere is shown the
// message, which people may want to read before they sign.
func (k es256) sign(message []byte) ([]byte, error) {
	if k.private == nil {
		return nil, errNoKey
	}
	der, err := crypto.SignMessage(k.private, entropy(k.private, rand.Reader), message, crypto.SHA256)
	if err != nil {
		return nil, err
	}
	return fixed(der)
}

// fixed turns a signature in DER into r ‖ s.
func fixed(der []byte) ([]byte, error) {
	var sig struct{ R, S *big.Int }
	rest, err := asn1.Unmarshal(der, &sig)
	if err != nil || len(rest) > 0 {
		return nil, errors.New("key store answered with what is no ECDSA signature")
	}
	for _, n := range []*big.Int{sig.R, sig.S} {
		if n.Sign() <= 0 || n.BitLen() > 256 {
			return nil, errors.New("key store answered with a signature of another curve")
		}
	}
	return append(sig.R.FillBytes(make([]byte, 32)), sig.S.FillBytes(make([]byte, 32))...), nil
}
