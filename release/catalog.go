package release

import (
	"bytes"
	"slices"

	"github.com/tcpboot/tcpboot/pki/fleet"
)

// A Catalog holds all releases of a site. It does not change, so that any number
// of requests may read it while a newer one is made. The zero Catalog is empty.
type Catalog struct {
	all      []*Release
	byDigest map[fleet.Digest]*Release
	byName   map[name][]*Release
}

// A name is what people call a release. Several statements may share it: the
// same bytes on another channel, or variants signed for older loaders.
type name struct{ hardware, version string }

func (r *Release) name() name { return name{r.Manifest.Hardware, r.Manifest.Version} }

// NewCatalog returns a catalog of releases, which the caller has verified and
// no longer changes. Of two with one digest it keeps the first.
func NewCatalog(releases ...*Release) *Catalog {
	c := &Catalog{byDigest: map[fleet.Digest]*Release{}, byName: map[name][]*Release{}}
	for _, r := range releases {
		if c.byDigest[r.Digest] != nil {
			continue
		}
		n := r.name()
		c.all = append(c.all, r)
		c.byDigest[r.Digest] = r
		c.byName[n] = append(c.byName[n], r)
	}
	slices.SortFunc(c.all, func(a, b *Release) int { return bytes.Compare(a.Digest[:], b.Digest[:]) })
	return c
}

// Release returns the release whose signed manifest has the digest d.
func (c *Catalog) Release(d fleet.Digest) (r *Release, ok bool) {
	r, ok = c.byDigest[d]
	return r, ok
}

// Find returns every statement of that version for that hardware.
func (c *Catalog) Find(hardware, version string) []*Release {
	return slices.Clone(c.byName[name{hardware, version}])
}

// Statements returns the digests of what boards may have been given for an offer, and
// so report of: the manifest that it names, and every other statement of the same
// version for its channel. They state the same program: by other app keys, or by
// another release key or at another place in the channel, when it was stated again.
func (c *Catalog) Statements(o fleet.Offer) []fleet.Digest {
	all := []fleet.Digest{o.Manifest}
	for _, r := range c.byName[name{o.Hardware, o.Version}] {
		if r.Digest != o.Manifest && r.Manifest.Sequences[o.Channel] != 0 {
			all = append(all, r.Digest)
		}
	}
	return all
}

// Highest returns the release with the highest counter that boards may have seen on
// a channel, where last is the highest sequence that was published there; nil when
// there is none. A release that was cut and never published counts as seen, if one
// with a higher sequence was.
func (c *Catalog) Highest(hardware, channel string, last uint64) (highest *Release) {
	for _, r := range c.all {
		sequence := r.Manifest.Sequences[channel]
		if r.Manifest.Hardware != hardware || sequence == 0 || sequence > last {
			continue
		}
		if highest == nil || r.Manifest.Counter.Compare(highest.Manifest.Counter) > 0 {
			highest = r
		}
	}
	return highest
}

// All returns every release, in the order of their digests.
func (c *Catalog) All() []*Release { return slices.Clone(c.all) }
