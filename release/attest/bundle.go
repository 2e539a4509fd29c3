package attest

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/sigstore/sigstore/pkg/signature/options"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/release/cose"
	"github.com/tcpboot/tcpboot/release/sign"
)

// BundleType is the media type of a bundle.
const BundleType = "application/vnd.dev.sigstore.bundle.v0.3+json"

// MaxBundle bounds a bundle, in bytes: an SBOM of MaxSBOM in base64, and the rest.
const MaxBundle = 4 << 20

const (
	payloadType = "application/vnd.in-toto+json"
	sha256Name  = "SHA2_256"
)

// bundleFile is a bundle as it is written.
type bundleFile struct {
	MediaType string            `json:"mediaType"`
	Material  material          `json:"verificationMaterial"`
	Message   *messageSignature `json:"messageSignature,omitempty"`
	Envelope  *envelope         `json:"dsseEnvelope,omitempty"`
}

type material struct {
	PublicKey publicKey `json:"publicKey"`
}

type publicKey struct {
	Hint string `json:"hint"`
}

type messageSignature struct {
	Digest    messageDigest `json:"messageDigest"`
	Signature []byte        `json:"signature"`
}

type messageDigest struct {
	Algorithm string `json:"algorithm"`
	Digest    []byte `json:"digest"`
}

type envelope struct {
	Payload     []byte              `json:"payload"`
	PayloadType string              `json:"payloadType"`
	Signatures  []envelopeSignature `json:"signatures"`
}

type envelopeSignature struct {
	Sig []byte `json:"sig"`
}

// A Draft is a bundle that waits for its signature.
type Draft struct {
	// Digest is the SHA-256 that is to be signed, with ECDSA on P-256.
	Digest fleet.Digest
	// Message is what has that digest: a file as it is, or the envelope of a
	// statement.
	Message []byte

	payload []byte // of an envelope; nil for a file
}

// OfFile drafts the bundle of a file. It refuses what a release key must not sign
// as it is, because it could be something else that the key signs.
func OfFile(file []byte) (Draft, error) { return OfStated(file, fleet.Sum(file)) }

// OfStated is OfFile for a file whose digest is known.
func OfStated(file []byte, sum fleet.Digest) (Draft, error) {
	if len(file) == 0 || file[0] != imageMagic && file[0] != signedMagic {
		return Draft{}, errors.New("is neither an image nor a signed manifest: a release key signs no other files")
	}
	return Draft{Digest: sum, Message: file}, nil
}

// How files begin that are signed as they are: an ESP32 image, and a COSE_Sign1.
const (
	imageMagic  = 0xe9
	signedMagic = 0xd2
)

// OfStatement drafts the bundle of a statement.
func OfStatement(s Statement) (Draft, error) {
	payload, err := s.encode()
	if err != nil {
		return Draft{}, err
	}
	message := preAuthentication(payload)
	return Draft{fleet.Sum(message), message, payload}, nil
}

// preAuthentication is what is signed of an envelope: DSSE's PAE.
func preAuthentication(payload []byte) []byte {
	return fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(payloadType), payloadType, len(payload), payload)
}

// Sign returns the bundle, signed by key.
func (d Draft) Sign(key sign.Release) ([]byte, error) {
	der, err := key.Message().SignMessage(nil, options.WithDigest(d.Digest[:]))
	if err != nil {
		return nil, fmt.Errorf("sign bundle: %w", err)
	}
	return d.Complete(key.Key(), der)
}

// Complete returns the bundle with a signature that was made elsewhere: DER, over
// d.Digest. It refuses one that is not by key.
func (d Draft) Complete(key cose.Key, der []byte) ([]byte, error) {
	f := bundleFile{MediaType: BundleType, Material: material{publicKey{hint(key)}}}
	if d.payload != nil {
		f.Envelope = &envelope{d.payload, payloadType, []envelopeSignature{{der}}}
	} else {
		f.Message = &messageSignature{messageDigest{sha256Name, d.Digest[:]}, der}
	}
	text, err := json.Marshal(f)
	if err != nil {
		return nil, err
	}
	b, err := ReadBundle(text)
	if err == nil {
		err = b.Verify(key)
	}
	return text, err
}

// hint names a key as cosign does.
func hint(k cose.Key) string {
	id := k.ID()
	return base64.StdEncoding.EncodeToString(id[:])
}

// A Bundle is one that has been read. What it says counts when Verify has returned
// nil.
type Bundle struct {
	Key       cose.KeyID   // whose signature it claims to be
	Digest    fleet.Digest // what is signed
	Statement *Statement   // nil for the bundle of a file

	signature []byte
}

// ReadBundle reads a bundle that names a key, in the one form that it has, spaces
// apart.
func ReadBundle(text []byte) (*Bundle, error) {
	if len(text) > MaxBundle {
		return nil, fmt.Errorf("bundle: %d bytes, more than %d", len(text), MaxBundle)
	}
	var f bundleFile
	if err := json.Unmarshal(text, &f); err != nil {
		return nil, fmt.Errorf("bundle: %v", err)
	}
	again, err := json.Marshal(f)
	if err != nil {
		return nil, fmt.Errorf("bundle: %v", err)
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, text); err != nil {
		return nil, fmt.Errorf("bundle: %v", err)
	}
	// Whatever else stands there (a certificate, a log entry, a field twice) is
	// nothing that this reader would look at, so it must not be there.
	if !bytes.Equal(again, compact.Bytes()) {
		return nil, errors.New("bundle: is not one signature by a key, and nothing else")
	}
	b, err := f.read()
	if err != nil {
		return nil, fmt.Errorf("bundle: %w", err)
	}
	return b, nil
}

func (f *bundleFile) read() (b *Bundle, err error) {
	if f.MediaType != BundleType {
		return nil, fmt.Errorf("media type %.80q, want %s", f.MediaType, BundleType)
	}
	b = new(Bundle)
	id, err := base64.StdEncoding.Strict().DecodeString(f.Material.PublicKey.Hint)
	if err != nil || copy(b.Key[:], id) != len(b.Key) || len(id) != len(b.Key) {
		return nil, fmt.Errorf("hint %.80q is not the base64 of a key's SHA-256", f.Material.PublicKey.Hint)
	}
	switch {
	case (f.Message == nil) == (f.Envelope == nil):
		return nil, errors.New("want a message signature or an envelope, and not both")
	case f.Message != nil:
		return b, b.file(f.Message)
	}
	return b, b.envelope(f.Envelope)
}

func (b *Bundle) file(m *messageSignature) error {
	if m.Digest.Algorithm != sha256Name || len(m.Digest.Digest) != sha256.Size {
		return fmt.Errorf("%d bytes of digest by %.20q, want 32 by %s", len(m.Digest.Digest), m.Digest.Algorithm, sha256Name)
	}
	b.Digest, b.signature = fleet.Digest(m.Digest.Digest), m.Signature
	return nil
}

func (b *Bundle) envelope(e *envelope) (err error) {
	if e.PayloadType != payloadType || len(e.Signatures) != 1 {
		return fmt.Errorf("%d signatures of an envelope of %.80q, want 1 of %s", len(e.Signatures), e.PayloadType, payloadType)
	}
	b.Digest, b.signature = fleet.Sum(preAuthentication(e.Payload)), e.Signatures[0].Sig
	b.Statement, err = readStatement(e.Payload)
	return err
}

// Verify returns nil if the signature is one of key's over what b shows.
func (b *Bundle) Verify(key cose.Key) error {
	if key.ID() != b.Key {
		return fmt.Errorf("bundle: by key %v, want %v: %w", b.Key, key.ID(), cose.Untrusted)
	}
	v, err := sign.Verifier(key)
	if err != nil {
		return err
	}
	if err := v.VerifySignature(bytes.NewReader(b.signature), strings.NewReader(""), options.WithDigest(b.Digest[:])); err != nil {
		return fmt.Errorf("bundle: not a signature by key %v: %w", b.Key, cose.Forged)
	}
	return nil
}
