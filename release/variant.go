package release

import (
	"crypto/ecdsa"
	"fmt"
	"slices"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/release/espimage"
	"github.com/tcpboot/tcpboot/release/sitedoc"
)

// A loader that checks images in software trusts one app key, the one that it was
// signed with, and looks at signature block 0 alone. While boards with loaders of
// two generations are in use, a release has a variant for each: the same program,
// version, counter and sequences, signed with another key. Each is a statement of
// its own. Nothing that is signed says for which loaders it is (Release.AppKey is
// where it is written down), so whoever takes it for one proves it by the image:
// see Verify.

// takes reports whether a loader takes what r's app key signed. The loaders of 2017
// check nothing; of what is not known, that is not said; and its successor is not for
// a loader to judge.
func takes(l fleet.Loader, r *Release) bool {
	return l.Level == 0 || l.Key == fleet.Digest{} || r.AppKey == fleet.Digest{} || l.Key == r.AppKey || r.Manifest.Kind == sitedoc.Loader
}

// Variants returns all variants of the statement r, itself among them.
func (c *Catalog) Variants(r *Release) (all []*Release) {
	for _, v := range c.byName[r.name()] {
		if r.variant(v) {
			all = append(all, v)
		}
	}
	return all
}

// variant reports whether v is r, or differs from it in nothing but the app key and
// what follows from that.
func (r *Release) variant(v *Release) bool {
	if r.Digest == v.Digest {
		return true
	}
	a, b := r.Manifest, v.Manifest
	if r.AppKey == v.AppKey || a.Image.Size != b.Image.Size {
		return false
	}
	a.Image, b.Image = Component{}, Component{}
	x, errX := a.payload()
	y, errY := b.payload()
	return errX == nil && errY == nil && slices.Equal(x, y)
}

// payload is the encoding of a manifest whose image does not matter.
func (m Manifest) payload() ([]byte, error) {
	one := fleet.Digest{1}
	m.Image = Component{Name: AppComponent, Size: 1, Digest: one, ChunkSize: DefaultChunk, Chunks: one}
	return m.Encode()
}

// variant returns the variant of r that the device's loader takes, or why there is
// none.
func (p *picker) variant(r *Release) (v *Release, reason string) {
	if takes(p.device.Loader, r) {
		return r, ""
	}
	for _, v := range p.catalog.Variants(r) {
		if takes(p.device.Loader, v) {
			return v, ""
		}
	}
	return nil, fmt.Sprintf("is signed with app key %.16s, the board's loader trusts %.16s", r.AppKey.Hex(), p.device.Loader.Key.Hex())
}

// Installable says why a loader can install no variant of r; "" when it can.
func (c *Catalog) Installable(r *Release, have fleet.Loader) (reason string) {
	p := picker{catalog: c, device: fleet.Device{Loader: have}}
	v, reason := p.variant(r)
	if reason != "" {
		return reason
	}
	return p.installable(&v.Manifest)
}

// Untrusted says why a loader trusts no variant of r; "" when it does.
func (c *Catalog) Untrusted(r *Release, have fleet.Loader) (reason string) {
	p := picker{catalog: c, device: fleet.Device{Loader: have}}
	_, reason = p.variant(r)
	return reason
}

// narrowed is t for an image that r's app key has signed, where that is written down.
func (t Trust) narrowed(r *Release) (Trust, error) {
	if r.AppKey == (fleet.Digest{}) || len(t.App) == 0 {
		return t, nil
	}
	if !slices.Contains(t.App, r.AppKey) {
		return t, badImage(fmt.Errorf("app key %v is %w", r.AppKey, OtherKey))
	}
	t.first = r.AppKey
	t.AppV1 = slices.DeleteFunc(slices.Clone(t.AppV1), func(k *ecdsa.PublicKey) bool {
		d, err := espimage.KeyDigest(k)
		return err != nil || d != r.AppKey
	})
	return t, nil
}
