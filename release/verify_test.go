package release

import (
	"bytes"
	"crypto/ecdsa"
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/release/cose"
	"github.com/tcpboot/tcpboot/release/espimage"
	"github.com/tcpboot/tcpboot/release/sign"
	"github.com/tcpboot/tcpboot/release/sitedoc"
)

// swapped returns r with another image in the place of its own.
func swapped(r *Release, image []byte) *Release {
	c := *r
	c.Images = maps.Clone(r.Images)
	c.Images["app"] = image
	return &c
}

// restated returns r with a manifest that states image, signed by release key n:
// what a thief of that key can make without an app key.
func restated(t *testing.T, n byte, image []byte, change func(*Manifest)) *Release {
	t.Helper()
	r := mustCut(t, asIs)
	c, list, err := state("app", image, fleet.Sum(image), DefaultChunk)
	if err != nil {
		t.Fatal(err)
	}
	r.Manifest.Image = c
	r.Images, r.Chunks = map[string][]byte{"app": image}, map[string][]byte{"app": list}
	change(&r.Manifest)
	r.Signed = raw(t, Type, encode(t, r.Manifest), n)
	r.Digest = fleet.Sum(r.Signed)
	return r
}

// TestVerifyRefuses: the attacks on a release.
func TestVerifyRefuses(t *testing.T) {
	good := mustCut(t, asIs)
	image := good.Images["app"]
	other := mustCut(t, func(q *Request) {
		q.Version = "1.3.0"
		q.Image = espimage.Build(espimage.Spec{Chip: "esp32c2", Version: "1.3.0", Size: 20000})
	})
	signedBy := func(n byte, chip fleet.Chip) []byte {
		b, err := espimage.Sign(espimage.Build(espimage.Spec{Chip: chip, Size: 9000}), p256(n))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	asStated := func(*Manifest) {}
	with := func(change func(*Release)) *Release {
		c := *good
		change(&c)
		return &c
	}
	second := mustCut(t, twoKeys(t, 29, 21))

	for name, row := range map[string]struct {
		release *Release
		want    error
	}{
		"signed by another key":           {mustCut(t, func(q *Request) { q.Key = releaseKey(t, 19) }), cose.Untrusted},
		"key of another hardware":         {mustCut(t, func(q *Request) { q.Key = releaseKey(t, 12) }), sitedoc.Scope},
		"key of another kind":             {mustCut(t, func(q *Request) { q.Key = releaseKey(t, 13) }), sitedoc.Scope},
		"firmware key for a loader":       {mustCut(t, func(q *Request) { q.Kind = sitedoc.Loader }), sitedoc.Scope},
		"signature changed":               {with(func(r *Release) { r.Signed = flip(r.Signed, len(r.Signed)-1); r.Digest = fleet.Sum(r.Signed) }), cose.Forged},
		"other site":                      {mustCut(t, func(q *Request) { q.Site = "other" }), OtherSite},
		"counter below the floor":         {mustCut(t, func(q *Request) { q.Counter.Count = 1 }), sitedoc.Counter},
		"generation that has not begun":   {mustCut(t, func(q *Request) { q.Counter.Generation = 1 }), sitedoc.Counter},
		"no manifest":                     {with(func(r *Release) { r.Signed = nil }), cose.Encoding},
		"digest of another manifest":      {with(func(r *Release) { r.Digest = other.Digest }), Mismatch},
		"shows another manifest":          {with(func(r *Release) { r.Manifest.Version = "9" }), Mismatch},
		"manifest of another release":     {with(func(r *Release) { r.Manifest, r.Signed, r.Digest = other.Manifest, other.Signed, other.Digest }), Mismatch},
		"image of another release":        {swapped(good, other.Images["app"]), Mismatch},
		"truncated image":                 {swapped(good, image[:len(image)-1]), Mismatch},
		"longer image":                    {swapped(good, append(bytes.Clone(image), 0)), Mismatch},
		"image with one bit changed":      {swapped(good, flip(image, 5000)), Mismatch},
		"empty image":                     {swapped(good, []byte{}), Mismatch},
		"chunk list of another release":   {with(func(r *Release) { r.Chunks = other.Chunks }), Mismatch},
		"file that is not stated":         {with(func(r *Release) { r.Images = map[string][]byte{"app": image, "extra": {1}} }), Mismatch},
		"chunk list that is not stated":   {with(func(r *Release) { r.Chunks = map[string][]byte{"extra": {1}} }), Mismatch},
		"chunk list stated of others":     {lyingList(t), Mismatch},
		"no image at all":                 {restated(t, 11, []byte("firmware"), asStated), BadImage},
		"unsigned image":                  {restated(t, 11, request(t).Image, asStated), BadImage},
		"image for another chip":          {restated(t, 11, signedBy(21, "esp32c6"), asStated), BadImage},
		"image signed by another app key": {restated(t, 11, signedBy(29, "esp32c2"), asStated), BadImage},
		"image changed under signature":   {restated(t, 11, flip(image, 5000), asStated), BadImage},
		"image signature changed":         {restated(t, 11, flip(image, len(image)-4096+100), asStated), BadImage},
		"image truncated and stated so":   {restated(t, 11, image[:len(image)-4096], asStated), BadImage},
		"trusted key not in block 0":      {second, BadImage},
		"V1 by another app key":           {mustCut(t, hardware(t, "esp32", 0, espimage.V1, appKey(t, p256(29)))), BadImage},
	} {
		t.Run(name, func(t *testing.T) {
			for _, r := range []*Release{row.release, read(row.release)} {
				report, err := Verify(r, trust(t))
				if err == nil || report != nil {
					t.Fatalf("got %+v, %v", report, err)
				}
				if !errors.Is(err, row.want) {
					t.Errorf("got %v, want %v", err, row.want)
				}
			}
		})
	}
}

// lyingList is a release whose manifest states the chunk list of another image.
func lyingList(t *testing.T) *Release {
	list := ChunkList([]byte("another image"), DefaultChunk)
	r := restated(t, 11, mustCut(t, asIs).Images["app"], func(m *Manifest) { m.Image.Chunks = fleet.Sum(list) })
	r.Chunks["app"] = list
	return r
}

// TestVerifyLeavesOpen: what is not at hand is not called proved.
func TestVerifyLeavesOpen(t *testing.T) {
	good := mustCut(t, asIs)
	v1 := mustCut(t, hardware(t, "esp32", 0, espimage.V1, appKey(t, p256(21))))
	without := func(change func(*Release)) *Release {
		c := *good
		change(&c)
		return &c
	}
	noApp := trust(t)
	noApp.App, noApp.AppV1 = nil, nil
	for name, row := range map[string]struct {
		release *Release
		trust   Trust
		open    []string
	}{
		"stated only":   {without(func(r *Release) { r.Images, r.Chunks = nil, nil }), trust(t), []string{"app: image", "app: chunk list"}},
		"no chunk list": {without(func(r *Release) { r.Chunks = nil }), trust(t), []string{"app: chunk list"}},
		"no image":      {without(func(r *Release) { r.Images = nil }), trust(t), []string{"app: image"}},
		"no app key":    {good, noApp, []string{"app: signature"}},
		"no V1 key":     {v1, noApp, []string{"app: signature"}},
	} {
		t.Run(name, func(t *testing.T) {
			report, err := Verify(row.release, row.trust)
			if err != nil {
				t.Fatal(err)
			}
			var open []string
			for _, f := range report.Findings {
				if !f.Proved {
					open = append(open, f.Subject)
				}
			}
			if got, want := strings.Join(open, ","), strings.Join(row.open, ","); got != want || report.Proved() {
				t.Errorf("left open: %q, want %q", got, want)
			}
			if report.Signer != releaseKey(t, 11).Key().ID() {
				t.Errorf("signer %v", report.Signer)
			}
		})
	}
}

// TestVerifyWithoutAppKeyChecksTheSignature: even when no app key is known, a
// signature that does not verify is refused.
func TestVerifyWithoutAppKeyChecksTheSignature(t *testing.T) {
	image := mustCut(t, asIs).Images["app"]
	r := restated(t, 11, flip(image, len(image)-4096+1000), func(*Manifest) {})
	if _, err := Verify(r, Trust{Site: site(t)}); !errors.Is(err, BadImage) {
		t.Errorf("got %v", err)
	}
}

func TestVerifyTrustsNobody(t *testing.T) {
	r := mustCut(t, asIs)
	if _, err := Verify(r, Trust{}); err == nil {
		t.Error("verified against nothing")
	}
	if _, err := Verify(r, Trust{Site: &sitedoc.Doc{Site: "site"}}); !errors.Is(err, cose.Untrusted) {
		t.Errorf("got %v", err)
	}
}

// TestKeysKeepToTheirWork: the compiler refuses a release key where a root is
// wanted and the other way round, because neither has the other's method.
func TestKeysKeepToTheirWork(t *testing.T) {
	var _ sitedoc.Root = sign.Root{}
	for _, key := range []any{sign.Release{}, sign.App{}} {
		if _, ok := key.(sitedoc.Root); ok {
			t.Errorf("a %T signs site documents", key)
		}
	}
	for _, key := range []any{sign.Root{}, sign.App{}} {
		if _, ok := key.(interface{ SignManifest([]byte) ([]byte, error) }); ok {
			t.Errorf("a %T signs manifests", key)
		}
	}
}

func TestVerifyTriesEveryV1Key(t *testing.T) {
	r := mustCut(t, hardware(t, "esp32", 0, espimage.V1, appKey(t, p256(21))))
	tr := trust(t)
	tr.AppV1 = []*ecdsa.PublicKey{&p256(29).PublicKey, &p256(21).PublicKey}
	if report, err := Verify(r, tr); err != nil || !report.Proved() {
		t.Errorf("got %+v, %v", report, err)
	}
}
