package bundle

import (
	"context"
	"errors"
	"testing"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/release"
)

// variantOf is r as another app key would have signed it.
func variantOf(t *testing.T, r *release.Release, key string) *release.Release {
	t.Helper()
	v := *r
	v.Images, v.Chunks = map[string][]byte{}, map[string][]byte{}
	v.Manifest.Image = component(&v, "app", "image by "+key)
	v.Manifest.Others = nil
	for _, c := range r.Manifest.Others {
		v.Manifest.Others = append(v.Manifest.Others, c)
		v.Images[c.Name], v.Chunks[c.Name] = r.Images[c.Name], r.Chunks[c.Name]
	}
	v.AppKey = fleet.Sum([]byte(key))
	return resign(t, &v)
}

// TestVariants: a release and its variants come to be together. The name is the
// first one's, also after all of them were stated again.
func TestVariants(t *testing.T) {
	ctx := context.Background()
	l := newLayout(t)
	first := cut(t, "1.0", 1, "mcu")
	first.AppKey = fleet.Sum([]byte("new"))
	old, older := variantOf(t, first, "old"), variantOf(t, first, "older")
	if err := l.StoreVariants(ctx, Whole{Release: first}, Whole{Release: old}, Whole{Release: older}); err != nil {
		t.Fatal(err)
	}
	checkLayout(t, l, first, old, older)
	again, err := l.Load(ctx, old.Digest)
	if err != nil || again.AppKey != old.AppKey {
		t.Errorf("app key %v, %v", again.AppKey, err)
	}
	packed, err := l.Packed(ctx, "1.0", "")
	if err != nil || len(packed) != 3 {
		t.Errorf("%d packed, %v", len(packed), err)
	}
	ix, err := l.readIndex()
	holder, held := named(ix, RefName("1.0", "esp32"))
	if a, _, errRead := l.readArtifact(holder); err != nil || errRead != nil || !held || statement(a) != first.Digest {
		t.Errorf("the name is that of %v: %v, %v", holder.Digest, err, errRead)
	}
	elsewhere := newLayout(t)
	if listed, refused := Reconcile(nil, packed); len(listed) != 3 || len(refused) != 0 {
		t.Errorf("%d to be listed, %d refused", len(listed), len(refused))
	}
	for _, p := range packed {
		if err := elsewhere.learn(ctx, p, func(*release.Release) error { return nil }); err != nil {
			t.Error(err)
		}
	}
	if all, err := elsewhere.Releases(ctx); err != nil || len(all) != 3 {
		t.Errorf("%d learned, %v", len(all), err)
	}

	// Not a variant: nobody says by which key, or something else differs.
	stranger := variantOf(t, first, "x")
	stranger.AppKey = fleet.Digest{}
	other := variantOf(t, cut(t, "1.0", 1), "y")
	for name, r := range map[string]*release.Release{"no app key": stranger, "no mcu": other} {
		if err := l.Store(ctx, r); !errors.Is(err, ErrVersionTaken) {
			t.Errorf("%s: %v", name, err)
		}
	}
	checkLayout(t, l, first, old, older)
}
