package bundle

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/release"
)

// Releases returns every release of the layout, restated ones included, in the
// order of the index: Manifest, Signed and Digest, without images and chunk
// lists. Each blob's digest is compared as it is read; the signature is not
// checked. What cannot be read is left out and named in the error, which joins
// all of them; the rest is returned beside it, so that one rotten release does
// not keep a server from the others.
func (l *Layout) Releases(ctx context.Context) ([]*release.Release, error) {
	var all []*release.Release
	var errs []error
	for a, err := range l.artifacts(ctx) {
		var r *release.Release
		if err == nil {
			r, err = l.state(a)
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		all = append(all, r)
	}
	return all, errors.Join(errs...)
}

// Load returns the release whose signed manifest has the digest d, with its
// images and chunk lists, all compared with their digests; the signature is not
// checked. Where there is none the error is fs.ErrNotExist.
func (l *Layout) Load(ctx context.Context, d fleet.Digest) (*release.Release, error) {
	var errs []error
	for a, err := range l.artifacts(ctx) {
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if statement(a) == d {
			return l.load(ctx, a)
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if len(errs) > 0 {
		return nil, fmt.Errorf("release %s is not among those that can be read: %w", d, errors.Join(errs...))
	}
	return nil, fmt.Errorf("release %s: %w", d, fs.ErrNotExist)
}

func (l *Layout) load(ctx context.Context, a ocispec.Manifest) (*release.Release, error) {
	r, err := l.state(a)
	if err != nil {
		return nil, err
	}
	r.Images, r.Chunks = make(map[string][]byte), make(map[string][]byte)
	for _, c := range r.Manifest.Components() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if r.Images[c.Name], err = l.readPart(c.Digest, c.Size); err != nil {
			return nil, fmt.Errorf("component %s: %w", c.Name, err)
		}
		if r.Chunks[c.Name], err = l.readPart(c.Chunks, chunkListSize(c)); err != nil {
			return nil, fmt.Errorf("chunks of %s: %w", c.Name, err)
		}
	}
	return r, nil
}

// state reads the signed manifest that a packs.
func (l *Layout) state(a ocispec.Manifest) (*release.Release, error) {
	d := statement(a)
	signed, err := l.readBlob(d, release.MaxSigned)
	if err != nil {
		return nil, fmt.Errorf("signed manifest: %w", err)
	}
	return stated(a, signed)
}

// stated is what the signed manifest that a packs says.
func stated(a ocispec.Manifest, signed []byte) (*release.Release, error) {
	r, err := release.Parse(signed)
	if err == nil {
		err = agrees(a, r.Manifest)
	}
	if key, noted := a.Annotations[AnnotationAppKey]; err == nil && noted {
		r.AppKey, err = fleet.ParseDigest(key)
	}
	if err != nil {
		return nil, fmt.Errorf("release %s: %w", statement(a), err)
	}
	return r, nil
}

// artifacts yields the image manifests of releases that the index lists, each
// once, and an error for each that cannot be read.
func (l *Layout) artifacts(ctx context.Context) iter.Seq2[ocispec.Manifest, error] {
	return func(yield func(ocispec.Manifest, error) bool) {
		ix, err := l.readIndex()
		if err != nil {
			yield(ocispec.Manifest{}, fmt.Errorf("releases: %w", err))
			return
		}
		seen := make(map[fleet.Digest]bool)
		for _, e := range ix.Manifests {
			if ctx.Err() != nil {
				yield(ocispec.Manifest{}, ctx.Err())
				return
			}
			if seen[digestOf(e)] || foreign(e) {
				continue
			}
			seen[digestOf(e)] = true
			if a, ours, err := l.readArtifact(e); (ours || err != nil) && !yield(a, err) {
				return
			}
		}
	}
}

// foreign reports whether an entry says that it is no release. One copied from
// a registry may not say what it is: its manifest does.
func foreign(e ocispec.Descriptor) bool {
	return e.MediaType != ocispec.MediaTypeImageManifest || e.ArtifactType != "" && e.ArtifactType != ArtifactType
}

func (l *Layout) readArtifact(e ocispec.Descriptor) (ocispec.Manifest, bool, error) {
	text, err := l.readBlob(digestOf(e), maxManifest)
	if err != nil {
		return ocispec.Manifest{}, false, fmt.Errorf("releases: entry %q: %w", e.Annotations[ocispec.AnnotationRefName], err)
	}
	a, ours, err := parseArtifact(text)
	if err != nil {
		return ocispec.Manifest{}, false, fmt.Errorf("releases: manifest %s: %w", e.Digest, err)
	}
	return a, ours, nil
}
