package detached

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
)

// ErrElsewhere says that a signature is still to be made: see Ledger.Wanted.
var ErrElsewhere = errors.New("the key is elsewhere")

// maxMessage bounds the messages that go out beside their digests: an image is none
// that anybody reads.
const maxMessage = 64 << 10

// A Ledger holds the signatures of one release. The zero Ledger has none.
type Ledger struct {
	made   map[string]Made
	wanted []asked
}

// A Made is a signature, and the digest that it is over.
type Made struct {
	Digest    []byte `json:"digest"`
	Signature []byte `json:"signature"`
}

// An asked is a signature that was asked for and is not there.
type asked struct {
	Wanted
	public crypto.PublicKey
}

// NewLedger returns a ledger with signatures that were made before: see Made.
func NewLedger(made map[string]Made) *Ledger { return &Ledger{made: made} }

// Made returns all signatures that were made, by name.
func (l *Ledger) Made() map[string]Made { return l.made }

// Wanted lists the signatures that were asked for in vain since the last Attach, in
// the order in which they were asked for.
func (l *Ledger) Wanted() (all []Wanted) {
	for _, a := range l.wanted {
		all = append(all, a.Wanted)
	}
	return all
}

// Attach takes in signatures, by the names of their files, and returns the names of
// those that were wanted. One that is wrong is refused, and with it all.
func (l *Ledger) Attach(files map[string][]byte) (names []string, err error) {
	taken := map[string]Made{}
	for _, a := range l.wanted {
		signature, there := files[a.SignatureFile()]
		if !there {
			continue
		}
		if err := a.Scheme.verify(a.public, a.digest, signature); err != nil {
			return nil, fmt.Errorf("%s: %w: %s, key %s, digest %s", a.SignatureFile(), err, a.Scheme, a.Key, a.Digest)
		}
		taken[a.Name] = Made{a.digest, signature}
		names = append(names, a.Name)
	}
	for name, m := range taken {
		l.keep(name, m)
	}
	l.wanted = nil
	return names, nil
}

func (l *Ledger) keep(name string, m Made) {
	if l.made == nil {
		l.made = map[string]Made{}
	}
	l.made[name] = m
}

// A Key is a key of the site, and what it is to sign, once.
type Key struct {
	Name   string // of the files
	What   string // is signed, for people
	Key    string // as the site calls it
	Public crypto.PublicKey
	Here   crypto.Signer // nil: it is elsewhere

	// Message is what the digest will be of, where who asks does not say.
	Message []byte
}

// Signer returns k as a signer whose signatures are in l. Where k is not here and l
// has none the error is ErrElsewhere, and it is Wanted.
func (l *Ledger) Signer(k Key) crypto.Signer { return signer{l, k} }

type signer struct {
	ledger *Ledger
	key    Key
}

var _ crypto.MessageSigner = signer{}

func (s signer) Public() crypto.PublicKey { return s.key.Public }

// Sign returns the signature over digest that was made, or makes it.
func (s signer) Sign(random io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	k := s.key
	if m, there := s.ledger.made[k.Name]; there && bytes.Equal(m.Digest, digest) {
		return bytes.Clone(m.Signature), nil // whoever asked may turn its bytes round
	}
	if k.Here == nil {
		return nil, s.want(digest, opts)
	}
	if _, ok := k.Here.(*ecdsa.PrivateKey); ok {
		random = nil // by RFC 6979: the same statement is the same bytes
	}
	signature, err := k.Here.Sign(random, digest, opts)
	if err == nil {
		s.ledger.keep(k.Name, Made{bytes.Clone(digest), bytes.Clone(signature)})
	}
	return signature, err
}

// SignMessage is Sign for who has the message at hand, which then goes out as well.
func (s signer) SignMessage(random io.Reader, message []byte, opts crypto.SignerOpts) ([]byte, error) {
	h := opts.HashFunc().New()
	h.Write(message)
	s.key.Message = message
	return s.Sign(random, h.Sum(nil), opts)
}

func (s signer) want(digest []byte, opts crypto.SignerOpts) error {
	k := s.key
	scheme, err := schemeOf(k.Public, digest, opts)
	if err != nil {
		return fmt.Errorf("key %s: %w", k.Key, err)
	}
	der, err := x509.MarshalPKIXPublicKey(k.Public)
	if err != nil {
		return fmt.Errorf("key %s: %w", k.Key, err)
	}
	id := sha256.Sum256(der)
	w := Wanted{
		Name: k.Name, What: k.What, Key: k.Key, KeyID: hex.EncodeToString(id[:]),
		Scheme: scheme, Digest: hex.EncodeToString(digest), digest: bytes.Clone(digest),
	}
	if len(k.Message) <= maxMessage {
		w.message = k.Message
	}
	same := func(a asked) bool { return a.Name == w.Name }
	s.ledger.wanted = append(slices.DeleteFunc(s.ledger.wanted, same), asked{w, k.Public})
	return fmt.Errorf("%s: key %s: %w", k.What, k.Key, ErrElsewhere)
}
