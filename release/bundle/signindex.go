package bundle

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/tcpboot/tcpboot/release/attest"
	"github.com/tcpboot/tcpboot/release/sign"
)

// SignIndex returns the signature that `cosign verify --key` looks for at the tag of
// a version: that of the index d, which lists what there is of it. It holds until
// somebody adds to the version. Where one by key is among files, which are attached
// to the index, there is nothing to return.
func SignIndex(version string, d ocispec.Descriptor, files []Attachment, key sign.Release) ([]Attachment, error) {
	draft, err := attest.OfStatement(attest.Statement{
		Subjects:      []attest.Subject{{Name: version, Digest: digestOf(d)}},
		PredicateType: attest.Signed, Predicate: json.RawMessage("{}"),
	})
	if err != nil {
		return nil, err
	}
	return SignDrafts(unsigned([]Draft{{draft, signedFile}}, files, key.Key().ID()), key)
}

// AttachedTo packs a as it lies in a registry, attached to subject; its blobs are
// opened from what is returned beside it.
func (a Attachment) AttachedTo(subject ocispec.Descriptor) (*Attached, Opener, error) {
	p, err := a.pack(subject)
	if err != nil {
		return nil, nil, err
	}
	blobs := memory{}
	for _, b := range p.blobs {
		blobs[b.digest.String()] = b.data
	}
	one, _, err := parseAttached(p.entry, blobs[string(p.entry.Digest)], subject)
	return one, blobs, err
}

// memory is an Opener that has a few blobs: digest → bytes.
type memory map[string][]byte

func (m memory) Open(_ context.Context, d ocispec.Descriptor) (io.ReadCloser, error) {
	data, there := m[string(d.Digest)]
	if !there {
		return nil, fmt.Errorf("blob %s: %w", d.Digest, fs.ErrNotExist)
	}
	return io.NopCloser(bytes.NewReader(data)), nil
}
