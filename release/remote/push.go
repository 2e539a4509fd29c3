package remote

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/registry/remote/errcode"

	"github.com/tcpboot/tcpboot/release"
	"github.com/tcpboot/tcpboot/release/bundle"
)

// ownTag begins the tag that a manifest has of its own.
const ownTag = "tcpboot."

// settleTries is how often an index is written again because somebody else wrote
// it meanwhile.
const settleTries = 30

// putTries is how often a manifest is sent to a registry that denies a blob which
// was sent before it.
const putTries = 5

// ErrBusy says that others wrote the same index again and again.
var ErrBusy = errors.New("others keep writing it")

// A Push is what Repository.Push did.
type Push struct {
	Index    ocispec.Descriptor // what the version's tag names now
	Blobs    int                // that were uploaded
	Bytes    int64              // in them
	Complete bool               // nothing was missing: nothing was written
}

// Push puts what a layout has of one version into the repository, with what is
// attached, and lists it under the tag of the version and, where alias is not
// empty, under that too. What is there already is not sent again.
//
// What the version's tag lists already stays listed, after check has held it
// against the site's keys: Push adds to no index that holds anything else.
func (r *Repository) Push(ctx context.Context, from *bundle.Layout, version string, packed []*bundle.Packed, alias string, check func(*release.Release) error) (*Push, error) {
	p := newPusher(r, from, version, check)
	if err := checkAlias(alias); err != nil {
		return nil, err
	}
	// Before anything is sent: is the tag ours, and is there room for these?
	listed, _, err := p.listed(ctx)
	if err != nil {
		return nil, err
	}
	if _, refused := bundle.Reconcile(listed, packed); len(refused) > 0 {
		return nil, p.taken(refused[0])
	}
	for _, one := range packed {
		p.known[one.Descriptor.Digest] = one
		p.mine = append(p.mine, one)
		if err := p.release(ctx, one); err != nil {
			return nil, err
		}
	}
	index, err := p.settle(ctx) // now the version lists them
	if err == nil && alias != "" {
		err = p.alias(ctx, alias, index)
	}
	if err != nil {
		return nil, err
	}
	p.done.Complete = !p.wrote
	return &p.done, nil
}

// A pusher is one Push.
type pusher struct {
	repo    *Repository
	from    *bundle.Layout
	version string
	check   func(*release.Release) error
	mine    []*bundle.Packed                 // what is pushed
	known   map[digest.Digest]*bundle.Packed // that, and what was read
	done    Push
	wrote   bool
}

func newPusher(r *Repository, from *bundle.Layout, version string, check func(*release.Release) error) *pusher {
	return &pusher{repo: r, from: from, version: version, check: check, known: map[digest.Digest]*bundle.Packed{}}
}

// taken says that the version is there for that hardware, with other images.
func (p *pusher) taken(one *bundle.Packed) error {
	return p.repo.fault(p.version+" for "+one.Release.Manifest.Hardware, bundle.ErrVersionTaken)
}

// release sends a release and what is attached to it.
func (p *pusher) release(ctx context.Context, one *bundle.Packed) error {
	if err := p.manifest(ctx, group(p.version), one.Descriptor, one.Text, one.Layers); err != nil {
		return err
	}
	attached, err := p.from.Attached(ctx, one)
	if err != nil || len(attached) == 0 {
		return err
	}
	of := group(one.Descriptor.Digest.String())
	for _, a := range attached {
		if err := p.manifest(ctx, of, a.Descriptor, a.Text, a.Blobs); err != nil {
			return err
		}
	}
	return p.settleAttached(ctx, one.Descriptor, of)
}

// group begins the own tags of all manifests that belong together.
func group(of string) string {
	sum := sha256.Sum256([]byte(of))
	return ownTag + hex.EncodeToString(sum[:8]) + "."
}

// manifest sends a manifest under its own tag, after what it is made of.
func (p *pusher) manifest(ctx context.Context, group string, d ocispec.Descriptor, text []byte, blobs []ocispec.Descriptor) error {
	tag := group + d.Digest.Encoded()
	there, err := p.repo.repo.Resolve(ctx, tag)
	if err == nil && there.Digest == d.Digest {
		return nil // and so its blobs are
	}
	if err = p.repo.fault(tag, err); err != nil && !errors.Is(err, ErrNotThere) {
		return err
	}
	for _, b := range blobs {
		if err := p.blob(ctx, b); err != nil {
			return err
		}
	}
	return p.put(ctx, tag, d, text)
}

// blob sends a blob, unless the registry has it.
func (p *pusher) blob(ctx context.Context, d ocispec.Descriptor) error {
	there, err := p.repo.repo.Blobs().Exists(ctx, d)
	if err != nil {
		return p.repo.fault(d.Digest.String(), err)
	}
	if there {
		return nil
	}
	body, err := p.from.Open(ctx, d)
	if err != nil {
		return err
	}
	defer body.Close()
	data, err := io.ReadAll(io.LimitReader(body, d.Size)) // in memory, so that it can be sent again
	if err != nil {
		return err
	}
	if err := p.repo.repo.Blobs().Push(ctx, d, bytes.NewReader(data)); err != nil {
		return p.repo.fault(d.Digest.String(), err)
	}
	p.wrote = true
	p.done.Blobs++
	p.done.Bytes += d.Size
	return nil
}

// put sends a manifest under a tag. A registry may deny for a moment what it has:
// one that keeps files writes a link anew when somebody else sends the same blob,
// and for that moment the link is empty.
func (p *pusher) put(ctx context.Context, tag string, d ocispec.Descriptor, text []byte) (err error) {
	p.wrote = true
	d.Annotations = nil // what a list says of it
	for range putTries {
		err = p.repo.repo.Manifests().PushReference(ctx, d, bytes.NewReader(text), tag)
		if !denies(err) {
			break
		}
	}
	return p.repo.fault(tag, err)
}

// denies reports whether a registry says that it does not have what a manifest
// is made of.
func denies(err error) bool {
	answer := new(errcode.ErrorResponse)
	return errors.As(err, &answer) && slices.ContainsFunc(answer.Errors, func(e errcode.Error) bool {
		return e.Code == errcode.ErrorCodeManifestBlobUnknown || e.Code == errcode.ErrorCodeBlobUnknown
	})
}

// settle writes the version's index until it lists every manifest that has a tag
// of its own, and returns it.
func (p *pusher) settle(ctx context.Context) (ocispec.Descriptor, error) {
	for range settleTries {
		all, there, err := p.listed(ctx)
		if err != nil {
			return ocispec.Descriptor{}, err
		}
		tagged, err := p.tagged(ctx)
		if err != nil {
			return ocispec.Descriptor{}, err
		}
		all, refused := bundle.Reconcile(all, tagged)
		for _, one := range p.mine {
			if slices.Contains(refused, one) {
				return ocispec.Descriptor{}, p.taken(one) // somebody was quicker
			}
		}
		text, err := bundle.PackIndex(p.version, all)
		if err != nil {
			return ocispec.Descriptor{}, err
		}
		p.done.Index = ocispec.Descriptor{MediaType: ocispec.MediaTypeImageIndex, ArtifactType: bundle.IndexType,
			Digest: digest.FromBytes(text), Size: int64(len(text))}
		if there == p.done.Index.Digest {
			return p.done.Index, nil
		}
		if err := p.put(ctx, p.version, p.done.Index, text); err != nil {
			return ocispec.Descriptor{}, err
		}
	}
	return ocispec.Descriptor{}, p.repo.fault(p.version, ErrBusy)
}

// listed reads what the version's tag lists now, and the digest of that list.
func (p *pusher) listed(ctx context.Context) ([]*bundle.Packed, digest.Digest, error) {
	d, text, err := p.repo.Resolve(ctx, p.version, maxMetadata)
	if errors.Is(err, ErrNotThere) {
		return nil, "", nil
	}
	if err != nil {
		return nil, "", err
	}
	version, entries, err := bundle.ParseIndex(text)
	if err == nil && version != p.version {
		err = fmt.Errorf("it lists version %.80q", version)
	}
	if err != nil {
		return nil, "", p.repo.fault("tag "+p.version, err)
	}
	all, err := p.read(ctx, entries)
	return all, d.Digest, err
}

// tagged reads the manifests of the version that have a tag of their own.
func (p *pusher) tagged(ctx context.Context) ([]*bundle.Packed, error) {
	own, err := p.repo.own(ctx, group(p.version))
	if err != nil {
		return nil, err
	}
	var entries []ocispec.Descriptor
	for _, d := range own {
		e := ocispec.Descriptor{Digest: d}
		if p.known[d] == nil {
			if e, err = p.resolve(ctx, d); err != nil {
				return nil, err
			}
		}
		entries = append(entries, e)
	}
	return p.read(ctx, entries)
}

// resolve finds a manifest that has a tag of its own, by its digest: a registry
// may list a tag before it knows what it names, but not before it has that.
func (p *pusher) resolve(ctx context.Context, d digest.Digest) (ocispec.Descriptor, error) {
	there, err := p.repo.repo.Resolve(ctx, d.String())
	return there, p.repo.fault(d.String(), err)
}

// read reads releases that others have put there, each once, and checks that they
// are ours.
func (p *pusher) read(ctx context.Context, entries []ocispec.Descriptor) (all []*bundle.Packed, err error) {
	for _, e := range entries {
		one := p.known[e.Digest]
		if one == nil {
			if one, err = bundle.ReadPacked(ctx, p.repo, e); err == nil {
				err = p.admits(one.Release)
			}
			if err != nil {
				return nil, p.repo.fault("version "+p.version+" lists "+e.Digest.String(), err)
			}
			p.known[e.Digest] = one
		}
		all = append(all, one)
	}
	return all, nil
}

// admits checks a release that somebody else put there.
func (p *pusher) admits(r *release.Release) error {
	if got := r.Manifest.Version; got != p.version {
		return fmt.Errorf("it is of version %s", got)
	}
	return p.check(r)
}

// settleAttached sends manifests again until the registry lists every one that
// has a tag of its own as attached to subject. Where the client keeps that list,
// two of them may have written it at once.
func (p *pusher) settleAttached(ctx context.Context, subject ocispec.Descriptor, group string) error {
	for range settleTries {
		own, err := p.repo.own(ctx, group)
		if err != nil {
			return err
		}
		listed, err := p.repo.Referrers(ctx, subject)
		if err != nil {
			return err
		}
		missing := slices.DeleteFunc(own, func(d digest.Digest) bool {
			return slices.ContainsFunc(listed, func(l ocispec.Descriptor) bool { return l.Digest == d })
		})
		if len(missing) == 0 {
			return nil
		}
		for _, m := range missing {
			d, text, err := p.repo.Resolve(ctx, m.String(), maxMetadata)
			if err != nil {
				return err
			}
			if err := p.put(ctx, group+m.Encoded(), d, text); err != nil {
				return err
			}
		}
	}
	return p.repo.fault("what is attached to "+subject.Digest.String(), ErrBusy)
}

// checkAlias refuses a tag that has a meaning of its own here.
func checkAlias(tag string) error {
	if strings.HasPrefix(tag, ownTag) || strings.HasPrefix(tag, "sha256-") {
		return fmt.Errorf("tag %s: tags that begin with %s or sha256- are not to be given by hand", tag, ownTag)
	}
	return nil
}

// alias moves one more tag to the index. It takes it from nothing but the index
// of another version, which keeps the tag of its own name.
func (p *pusher) alias(ctx context.Context, tag string, index ocispec.Descriptor) error {
	if tag == p.version {
		return nil
	}
	d, text, err := p.repo.Resolve(ctx, tag, maxMetadata)
	if err == nil && d.Digest == index.Digest {
		return nil
	}
	if err == nil {
		version, _, err := bundle.ParseIndex(text)
		if err == nil && version == tag {
			err = errors.New("is the name of another version")
		}
		if err != nil {
			return p.repo.fault("tag "+tag, err)
		}
	} else if !errors.Is(err, ErrNotThere) {
		return err
	}
	p.wrote = true
	return p.repo.fault("tag "+tag, p.repo.repo.Tag(ctx, index, tag))
}
