package remote

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"unicode"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/errdef"
	oras "oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/errcode"
)

// Bounds on what is listed.
const (
	maxPages    = 1000
	maxMetadata = 4 << 20 // bytes of one answer
	maxListed   = 4096    // referrers of one manifest
)

var (
	// ErrNotThere says that the registry has no such tag, manifest or repository.
	ErrNotThere = errors.New("is not there")
	// ErrDenied says that the registry wants other credentials, or any.
	ErrDenied = errors.New("the registry refuses access")
)

// Options say how a registry is spoken to.
type Options struct {
	PlainHTTP  bool                // without TLS
	Credential auth.CredentialFunc // nil: anonymously
	TLS        *tls.Config         // nil: the system's roots
	Proxy      func(*http.Request) (*url.URL, error)
	Moved      func(bytes int) // is told of every byte, both ways, as it moves; may be nil
}

// A Repository is one repository of a registry. It is a bundle.Source.
type Repository struct {
	at   Reference
	repo *oras.Repository
}

// Open names a repository; it asks for nothing yet.
func Open(at Reference, o Options) (*Repository, error) {
	repo, err := oras.NewRepository(at.Host + "/" + at.Path)
	if err != nil {
		return nil, err
	}
	repo.Client = newClient(repo.Reference.Host(), o)
	repo.PlainHTTP = o.PlainHTTP
	repo.TagListMaxPages, repo.ReferrerListMaxPages = maxPages, maxPages
	repo.MaxMetadataBytes = maxMetadata
	repo.SkipReferrersGC = true // an older index is nobody's to delete while others write
	return &Repository{at, repo}, nil
}

// Resolve is bundle.Source: what a tag or a digest names.
func (r *Repository) Resolve(ctx context.Context, reference string, limit int64) (ocispec.Descriptor, []byte, error) {
	d, body, err := r.repo.Manifests().FetchReference(ctx, reference)
	if err != nil {
		return ocispec.Descriptor{}, nil, r.fault(reference, err)
	}
	defer body.Close()
	if d.Size > limit {
		return ocispec.Descriptor{}, nil, r.fault(reference, fmt.Errorf("%d bytes, want at most %d", d.Size, limit))
	}
	text, err := io.ReadAll(io.LimitReader(body, limit+1))
	if err != nil {
		return ocispec.Descriptor{}, nil, r.fault(reference, err)
	}
	return d, text, nil
}

// Open is bundle.Source: a manifest or a blob.
func (r *Repository) Open(ctx context.Context, d ocispec.Descriptor) (io.ReadCloser, error) {
	body, err := r.repo.Fetch(ctx, d)
	if err != nil {
		return nil, r.fault(d.Digest.String(), err)
	}
	return body, nil
}

// Referrers is bundle.Source: the manifests whose subject is d.
func (r *Repository) Referrers(ctx context.Context, d ocispec.Descriptor) (all []ocispec.Descriptor, err error) {
	err = r.repo.Referrers(ctx, d, "", func(page []ocispec.Descriptor) error {
		all = append(all, page...)
		if len(all) > maxListed {
			return fmt.Errorf("more than %d referrers", maxListed)
		}
		return nil
	})
	return all, r.fault(d.Digest.String(), err)
}

// own lists the manifests of a group that have a tag of their own. What else
// looks like such a tag is passed over.
func (r *Repository) own(ctx context.Context, group string) (all []digest.Digest, err error) {
	err = r.repo.Tags(ctx, "", func(page []string) error {
		for _, tag := range page {
			hex, ok := strings.CutPrefix(tag, group)
			if d := digest.NewDigestFromEncoded(digest.SHA256, hex); ok && d.Validate() == nil {
				all = append(all, d)
			}
		}
		if len(all) > maxListed {
			return fmt.Errorf("more than %d tags", maxListed)
		}
		return nil
	})
	if err = r.fault("tags", err); errors.Is(err, ErrNotThere) {
		return nil, nil // nothing was pushed yet
	}
	return all, err
}

// A fault is an error of the registry's, in words that cannot steer a terminal.
type fault struct {
	what string
	err  error
}

func (f *fault) Error() string { return f.what + ": " + printable(f.err.Error()) }

func (f *fault) Unwrap() error { return f.err }

// fault says which repository, and what of it, an error is about.
func (r *Repository) fault(what string, err error) error {
	if err == nil {
		return nil
	}
	if e := new(fault); errors.As(err, &e) {
		return err
	}
	answer := new(errcode.ErrorResponse)
	switch {
	case errors.Is(err, errdef.ErrNotFound), errors.As(err, &answer) && answer.StatusCode == http.StatusNotFound:
		return &fault{r.at.repository() + ": " + what, ErrNotThere}
	case errors.Is(err, auth.ErrBasicCredentialNotFound),
		errors.As(err, &answer) && (answer.StatusCode == http.StatusUnauthorized || answer.StatusCode == http.StatusForbidden):
		err = fmt.Errorf("%w: %w", ErrDenied, err)
	}
	return &fault{r.at.repository() + ": " + what, err}
}

// repository is r without its Name.
func (r Reference) repository() string { return Reference{Host: r.Host, Path: r.Path}.String() }

// maxSaid is how much of what a registry says is repeated, in bytes.
const maxSaid = 500

func printable(s string) string {
	if len(s) > maxSaid {
		s = s[:maxSaid] + "…"
	}
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
}
