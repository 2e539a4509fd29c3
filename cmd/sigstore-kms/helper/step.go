package helper

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"

	"go.step.sm/crypto/kms/apiv1"
)

// A StepKey is a Key in a store that go.step.sm/crypto/kms knows.
type StepKey struct {
	// Connect opens the store; it is closed after each question.
	Connect func(context.Context) (apiv1.KeyManager, error)

	Name    string // of the key, as that package knows it
	NewName string // of a key that is to be made; "" for the same

	// Missing says that an error means that there is no such key.
	Missing func(error) bool

	// HashSalt says that the store's PSS has a salt as long as the digest, and
	// no other.
	HashSalt bool
}

func (k StepKey) Public(ctx context.Context) (crypto.PublicKey, error) {
	var public crypto.PublicKey
	err := k.use(ctx, func(signer crypto.Signer) error {
		public = signer.Public()
		return nil
	})
	return public, err
}

func (k StepKey) Sign(ctx context.Context, digest []byte, opts crypto.SignerOpts) (signature []byte, err error) {
	if k.HashSalt {
		if err := SaltIsHash(opts); err != nil {
			return nil, err
		}
	}
	err = k.use(ctx, func(signer crypto.Signer) error {
		if err := CheckOptions(signer.Public(), opts); err != nil {
			return err
		}
		signature, err = signer.Sign(rand.Reader, digest, opts) // a YubiKey has its salt made here
		return err
	})
	return signature, err
}

// use opens the store and the key for one act.
func (k StepKey) use(ctx context.Context, act func(crypto.Signer) error) error {
	store, err := k.Connect(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	signer, err := store.CreateSigner(&apiv1.CreateSignerRequest{SigningKey: k.Name})
	if err != nil {
		return err
	}
	if err := CheckKind(signer.Public()); err != nil {
		return err
	}
	return act(signer)
}

// ErrThere says that a new key would take the place of another.
var ErrThere = errors.New("the key store has a key of that name already")

func (k StepKey) Create(ctx context.Context, a Algorithm) (crypto.PublicKey, error) {
	store, err := k.Connect(ctx)
	if err != nil {
		return nil, err
	}
	defer store.Close()
	if _, err := store.GetPublicKey(&apiv1.GetPublicKeyRequest{Name: k.Name}); err == nil {
		return nil, ErrThere
	} else if !k.Missing(err) {
		return nil, err
	}
	name := k.NewName
	if name == "" {
		name = k.Name
	}
	made, err := store.CreateKey(&apiv1.CreateKeyRequest{Name: name, SignatureAlgorithm: a.Step, Bits: a.Bits})
	if err != nil {
		return nil, err
	}
	return made.PublicKey, nil
}

// CheckKind refuses a key that nothing here checks the signatures of.
func CheckKind(public crypto.PublicKey) error {
	switch public := public.(type) {
	case *ecdsa.PublicKey:
		if public.Curve == elliptic.P256() || public.Curve == elliptic.P384() {
			return nil
		}
	case *rsa.PublicKey:
		if bits := public.N.BitLen(); (bits == 2048 || bits == 3072) && public.E == 65537 {
			return nil
		}
	}
	return errors.New("the key is not of the kinds P-256, P-384 and RSA with 2048 or 3072 bits")
}

// CheckOptions refuses PSS of a key that is not RSA: some stores would sign all
// the same, in another way.
func CheckOptions(public crypto.PublicKey, opts crypto.SignerOpts) error {
	_, pss := opts.(*rsa.PSSOptions)
	if _, ok := public.(*rsa.PublicKey); pss && !ok {
		return errors.New("RSA-PSS of a key that is not RSA")
	}
	return nil
}
