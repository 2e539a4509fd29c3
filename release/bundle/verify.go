package bundle

import (
	"context"
	"fmt"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/tcpboot/tcpboot/pki/fleet"
)

// A Problem is one fault of a layout at rest. Err is fs.ErrNotExist for a blob
// that is missing and ErrCorrupt for one whose bytes are others.
type Problem struct {
	Release string // its name; the digest of its image manifest where it has none
	Title   string // the part of the release
	Blob    fleet.Digest
	Err     error
}

func (p Problem) String() string { return fmt.Sprintf("%s: %s: %v", p.Release, p.Title, p.Err) }

// Verify reads every blob that the index names, whatever was proved before, and
// returns what is wrong with them, in the order of the index; nothing when all
// is well. The error says why it could not look. Signatures are not checked.
func (l *Layout) Verify(ctx context.Context) ([]Problem, error) {
	ix, err := l.readIndex()
	if err != nil {
		return nil, fmt.Errorf("verify releases: %w", err)
	}
	v := verifier{layout: l, seen: make(map[claim]error)}
	for _, e := range ix.Manifests {
		if err := v.entry(ctx, e); err != nil {
			return nil, fmt.Errorf("verify releases: %w", err)
		}
	}
	return v.problems, nil
}

// A verifier walks a layout and reads each blob once.
type verifier struct {
	layout   *Layout
	seen     map[claim]error
	problems []Problem
}

// A claim is what a descriptor says of a blob.
type claim struct {
	digest fleet.Digest
	size   int64
}

// entry looks at e and at what it packs; it fails only when ctx ends.
func (v *verifier) entry(ctx context.Context, e ocispec.Descriptor) error {
	name := e.Annotations[ocispec.AnnotationRefName]
	if name == "" {
		name = string(e.Digest)
	}
	if !v.blob(name, "image manifest", e) || foreign(e) {
		return ctx.Err()
	}
	a, ours, err := v.layout.readArtifact(e)
	if err != nil {
		v.report(name, "image manifest", digestOf(e), err)
	}
	if err != nil || !ours {
		return ctx.Err()
	}
	whole := v.blob(name, "configuration", a.Config)
	for _, d := range a.Layers {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		whole = v.blob(name, d.Annotations[ocispec.AnnotationTitle], d) && whole
	}
	if _, err := v.layout.state(a); err != nil && whole {
		v.report(name, "signed manifest", statement(a), err)
	}
	return nil
}

// blob reports whether what d describes is there, and whole.
func (v *verifier) blob(name, title string, d ocispec.Descriptor) bool {
	claim := claim{digestOf(d), d.Size}
	err, known := v.seen[claim]
	if !known {
		err = v.layout.checkBlob(claim.digest, claim.size)
		v.seen[claim] = err
	}
	if err != nil {
		v.report(name, title, claim.digest, err)
	}
	return err == nil
}

func (v *verifier) report(name, title string, d fleet.Digest, err error) {
	v.problems = append(v.problems, Problem{name, title, d, err})
}
