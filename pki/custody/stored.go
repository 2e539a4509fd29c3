package custody

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	_ "crypto/sha256" // crypto.SHA256
	_ "crypto/sha512" // crypto.SHA384
	"errors"
	"fmt"
	"io"
)

// maxAtOnce bounds the helpers that run for one key at a time: small tokens have
// few sessions.
const maxAtOnce = 4

// A stored key signs in its key store.
type stored struct {
	helper *helper
	public crypto.PublicKey
	slots  chan struct{}
}

func newStored(h *helper, public crypto.PublicKey) *stored {
	return &stored{h, public, make(chan struct{}, maxAtOnce)}
}

func (k Keyring) openStored(uri string) (*stored, error) {
	h, err := k.helper(uri)
	if err != nil {
		return nil, err
	}
	public, err := h.publicKey()
	if err != nil {
		return nil, err
	}
	return newStored(h, public), nil
}

// Create makes a key of the kind in the key store that uri names, and opens it.
// It refuses a URI under which there is a key already. The key has proved itself
// by a signature; when that fails, it stays in the store. A key for a file is
// made by Generate and written by Seal.
func (k Keyring) Create(uri string, kind Kind) (crypto.Signer, error) {
	key, err := k.create(uri, kind)
	if err != nil {
		return nil, fmt.Errorf("new key: %w", err)
	}
	return key, nil
}

// Take opens the key that a store has at uri, somebody else's program or a run
// that was cut off having made it, or creates it. Either way it is of the kind and
// has proved itself.
func (k Keyring) Take(uri string, role Role, kind Kind) (crypto.Signer, error) {
	if Store(uri) == "" {
		return nil, fmt.Errorf("key for %s: %w", role, errNoStore)
	}
	key, err := k.openStored(uri)
	if err != nil {
		return k.Create(uri, kind)
	}
	if has, err := KindOf(key.public); err != nil || has != kind {
		return nil, fmt.Errorf("key for %s: the key there is of the kind %s, not %s", role, has, kind)
	}
	if err := key.prove(kind); err != nil {
		return nil, fmt.Errorf("key for %s: %w", role, err)
	}
	return key, nil
}

var errNoStore = errors.New("the URI names no key store")

func (k Keyring) create(uri string, kind Kind) (crypto.Signer, error) {
	if Store(uri) == "" {
		return nil, errNoStore
	}
	if _, known := algorithms[kind]; !known {
		return nil, fmt.Errorf("kind %q: want %s, %s, %s or %s", string(kind), P256, P384, RSA2048, RSA3072)
	}
	h, err := k.helper(uri)
	if err != nil {
		return nil, err
	}
	public, err := h.createKey(kind)
	if err != nil {
		return nil, err
	}
	if made, err := KindOf(public); err != nil || made != kind {
		return nil, h.errorf("made a key of the kind %s, not %s", made, kind)
	}
	key := newStored(h, public)
	return key, key.prove(kind)
}

// prove says why a key cannot do what one of its kind is for.
func (s *stored) prove(kind Kind) error {
	opts := usual(kind)
	digest := opts.HashFunc().New()
	digest.Write([]byte("tcpboot: a new key proves itself"))
	_, err := s.Sign(nil, digest.Sum(nil), opts)
	return err
}

// usual is how keys of the kind sign. Many stores let them sign in no other way.
func usual(kind Kind) crypto.SignerOpts {
	switch kind {
	case P384:
		return crypto.SHA384
	case RSA3072:
		return &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256}
	}
	return crypto.SHA256
}

// Public returns the key that was read when the key was opened.
func (s *stored) Public() crypto.PublicKey { return s.public }

// Sign has digest signed. The key store draws its own randomness.
func (s *stored) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	hash, err := hashOf(digest, opts)
	if err != nil {
		return nil, s.helper.wrap(err)
	}
	salt, err := s.saltOf(hash, opts)
	if err != nil {
		return nil, s.helper.wrap(err)
	}
	signature, err := s.ask(digest, hash, salt)
	if err != nil {
		return nil, err
	}
	if !verifies(s.public, hash, salt, digest, signature) {
		return nil, s.helper.errorf("its signature is not one of the key's")
	}
	return signature, nil
}

// ask asks for a signature when it is this one's turn.
func (s *stored) ask(digest []byte, hash crypto.Hash, salt int) ([]byte, error) {
	s.slots <- struct{}{}
	defer func() { <-s.slots }()
	if salt != 0 {
		return s.helper.signPSS(digest, hash, salt)
	}
	return s.helper.sign(digest, hash)
}

// hashOf says which hash made digest, if the protocol has words for it.
func hashOf(digest []byte, opts crypto.SignerOpts) (crypto.Hash, error) {
	if opts == nil {
		return 0, errors.New("signing without a hash")
	}
	switch hash := opts.HashFunc(); hash {
	case crypto.SHA256, crypto.SHA384, crypto.SHA512:
		if len(digest) != hash.Size() {
			return 0, fmt.Errorf("a digest of %d bytes is none of %v", len(digest), hash)
		}
		return hash, nil
	}
	return 0, errors.New("signing with another hash than SHA-256, SHA-384 and SHA-512")
}

// saltOf is the length of the salt for RSA-PSS, and 0 for all else. "As long as
// fits" is no length that two programs agree on.
func (s *stored) saltOf(hash crypto.Hash, opts crypto.SignerOpts) (int, error) {
	pss, ok := opts.(*rsa.PSSOptions)
	if !ok {
		return 0, nil
	}
	if _, ok := s.public.(*rsa.PublicKey); !ok {
		return 0, errors.New("RSA-PSS of a key that is not RSA")
	}
	switch salt := pss.SaltLength; {
	case salt == rsa.PSSSaltLengthEqualsHash:
		return hash.Size(), nil
	case salt >= 1 && salt <= hash.Size():
		return salt, nil
	}
	return 0, fmt.Errorf("RSA-PSS with a salt of no stated length: want 1 to %d bytes", hash.Size())
}

func verifies(public crypto.PublicKey, hash crypto.Hash, salt int, digest, signature []byte) bool {
	switch public := public.(type) {
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(public, digest, signature)
	case *rsa.PublicKey:
		if salt != 0 {
			return rsa.VerifyPSS(public, hash, digest, signature, &rsa.PSSOptions{SaltLength: salt}) == nil
		}
		return rsa.VerifyPKCS1v15(public, hash, digest, signature) == nil
	}
	return false
}
