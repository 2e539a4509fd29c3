package bundle

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/tcpboot/tcpboot/release/sign"
)

// How cosign signs an image: a sigstore bundle, whose envelope holds an in-toto
// statement about the image manifest, attached to that manifest.
const (
	bundleType    = "application/vnd.dev.sigstore.bundle.v0.3+json"
	payloadType   = "application/vnd.in-toto+json"
	statementType = "https://in-toto.io/Statement/v1"
	predicateType = "https://sigstore.dev/cosign/sign/v1"
)

type inTotoStatement struct {
	Type          string          `json:"_type"`
	Subject       []inTotoSubject `json:"subject"`
	PredicateType string          `json:"predicateType"`
	Predicate     struct{}        `json:"predicate"`
}

type inTotoSubject struct {
	Name   string            `json:"name"`
	Digest map[string]string `json:"digest"`
}

type sigstoreBundle struct {
	MediaType    string               `json:"mediaType"`
	Verification verificationMaterial `json:"verificationMaterial"`
	Envelope     envelope             `json:"dsseEnvelope"`
}

type verificationMaterial struct {
	PublicKey struct {
		Hint string `json:"hint"`
	} `json:"publicKey"`
}

type envelope struct {
	Payload     []byte              `json:"payload"`
	PayloadType string              `json:"payloadType"`
	Signatures  []envelopeSignature `json:"signatures"`
}

type envelopeSignature struct {
	Sig []byte `json:"sig"`
}

// Sign attaches to a release of the layout the signature that `cosign verify --key`
// looks for, made with the release key. What boards and Verify go by is the signed
// manifest; this is for people who know cosign. A signature that this key has made
// before is not made again: with a key in memory it is the same, with others not.
func (l *Layout) Sign(ctx context.Context, p *Packed, key sign.Release) error {
	hint, err := keyHint(key)
	if err != nil {
		return err
	}
	signed, err := l.signedBy(ctx, p, hint)
	if err != nil || signed {
		return err
	}
	b, err := cosignBundle(p, key, hint)
	if err != nil {
		return err
	}
	signature, err := packAttached(p, bundleType, b, map[string]string{
		"dev.sigstore.bundle.content":       "dsse-envelope",
		"dev.sigstore.bundle.predicateType": predicateType,
	})
	if err != nil {
		return err
	}
	return l.storeAll(ctx, []*parcel{signature})
}

// keyHint names a key as cosign does.
func keyHint(key sign.Release) (string, error) {
	pub, err := key.Key().Public()
	if err != nil {
		return "", err
	}
	der, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(der)
	return base64.StdEncoding.EncodeToString(sum[:]), nil
}

// signedBy reports whether a bundle of that key is attached to p.
func (l *Layout) signedBy(ctx context.Context, p *Packed, hint string) (bool, error) {
	attached, err := l.Attached(ctx, p)
	if err != nil {
		return false, err
	}
	for _, a := range attached {
		if a.Descriptor.ArtifactType != bundleType || len(a.Blobs) != 2 {
			continue
		}
		text, err := readFrom(ctx, l, a.Blobs[1], maxAttachedBlob)
		if err != nil {
			return false, err
		}
		var b sigstoreBundle
		if json.Unmarshal(text, &b) == nil && b.Verification.PublicKey.Hint == hint {
			return true, nil
		}
	}
	return false, nil
}

func cosignBundle(p *Packed, key sign.Release, hint string) ([]byte, error) {
	m := p.Release.Manifest
	payload, err := json.Marshal(inTotoStatement{
		Type:          statementType,
		Subject:       []inTotoSubject{{RefName(m.Version, m.Hardware), map[string]string{"sha256": p.Descriptor.Digest.Encoded()}}},
		PredicateType: predicateType,
	})
	if err != nil {
		return nil, err
	}
	sig, err := key.Message().SignMessage(bytes.NewReader(preAuthentication(payload)))
	if err != nil {
		return nil, fmt.Errorf("sign for cosign: %w", err)
	}
	b := sigstoreBundle{MediaType: bundleType, Envelope: envelope{payload, payloadType, []envelopeSignature{{sig}}}}
	b.Verification.PublicKey.Hint = hint
	return json.Marshal(b)
}

// preAuthentication is what is signed of an envelope: DSSE's PAE.
func preAuthentication(payload []byte) []byte {
	return fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(payloadType), payloadType, len(payload), payload)
}

// packAttached packs one blob as attached to p.
func packAttached(p *Packed, kind string, data []byte, annotations map[string]string) (*parcel, error) {
	content := blobOf(kind, data)
	subject := ocispec.Descriptor{MediaType: p.Descriptor.MediaType, Digest: p.Descriptor.Digest, Size: p.Descriptor.Size}
	text, err := json.Marshal(ocispec.Manifest{
		Versioned:    specs.Versioned{SchemaVersion: 2},
		MediaType:    ocispec.MediaTypeImageManifest,
		ArtifactType: kind,
		Config:       ocispec.DescriptorEmptyJSON,
		Layers:       []ocispec.Descriptor{{MediaType: kind, Digest: digest.Digest(content.digest.String()), Size: content.size}},
		Subject:      &subject,
		Annotations:  annotations,
	})
	if err != nil {
		return nil, err
	}
	manifest := blobOf("image manifest", text)
	return &parcel{
		entry: ocispec.Descriptor{MediaType: ocispec.MediaTypeImageManifest, ArtifactType: kind, Digest: digest.Digest(manifest.digest.String()), Size: manifest.size},
		blobs: []blob{content, blobOf("configuration", ocispec.DescriptorEmptyJSON.Data), manifest},
	}, nil
}
