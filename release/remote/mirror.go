package remote

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/release"
	"github.com/tcpboot/tcpboot/release/bundle"
)

// maxTags bounds the tags of a repository.
const maxTags = 200_000

// Mirror lists in a layout what the repository has and the layout has not, without
// images. It costs one request where nothing is new. What cannot be read, or what
// check refuses, is left out and named in the error, beside which the rest is
// there.
//
// What Push put there is found; what other tools put there has no tag of its own,
// and is not.
func (r *Repository) Mirror(ctx context.Context, into *bundle.Layout, check func(*release.Release) error) error {
	versions, err := r.versions(ctx)
	if err != nil {
		return err
	}
	known, err := into.Lists()
	if err != nil {
		return err
	}
	var errs []error
	for _, v := range versions {
		if slices.ContainsFunc(v.manifests, func(d digest.Digest) bool { return !known[d] }) {
			errs = append(errs, into.Learn(ctx, r, v.name, check))
		}
	}
	return errors.Join(errs...)
}

// Finish lists under the tag of a version what a Push left that was cut off
// before it did so.
func (r *Repository) Finish(ctx context.Context, version string, check func(*release.Release) error) error {
	own, err := r.own(ctx, group(version))
	if err != nil || len(own) == 0 {
		return err
	}
	_, err = newPusher(r, nil, version, check).settle(ctx)
	return err
}

// A version is a tag, and the manifests of its group.
type version struct {
	name      string
	manifests []digest.Digest
}

// versions lists the versions that there are, in the order of their names.
func (r *Repository) versions(ctx context.Context) (all []version, err error) {
	groups := map[string][]digest.Digest{}
	seen := 0
	err = r.repo.Tags(ctx, "", func(page []string) error {
		if seen += len(page); seen > maxTags {
			return fmt.Errorf("more than %d tags", maxTags)
		}
		for _, tag := range page {
			if i := strings.LastIndex(tag, ".") + 1; strings.HasPrefix(tag, ownTag) {
				groups[tag[:i]] = append(groups[tag[:i]], digest.NewDigestFromEncoded(digest.SHA256, tag[i:]))
			} else if fleet.CheckName("version", tag) == nil {
				all = append(all, version{name: tag})
			}
		}
		return nil
	})
	if errors.Is(r.fault("tags", err), ErrNotThere) {
		return nil, nil // nothing was pushed yet
	}
	for i, v := range all {
		all[i].manifests = groups[group(v.name)]
	}
	slices.SortFunc(all, func(a, b version) int { return strings.Compare(a.name, b.name) })
	return all, r.fault("tags", err)
}
