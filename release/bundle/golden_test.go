package bundle

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// The format is frozen: a release gives these bytes, today and later.
func TestGolden(t *testing.T) {
	l, r := newLayout(t), cut(t, "1.4.0", 7)
	store(t, l, r)
	p, err := pack(r)
	if err != nil {
		t.Fatal(err)
	}
	manifest := p.blobs[len(p.blobs)-1]
	files := snapshot(t, l.dir)
	for name, got := range map[string]string{
		"oci-layout":    files[ocispec.ImageLayoutFile],
		"index.json":    files[ocispec.ImageIndexFile],
		"manifest.json": files[filepath.Join("blobs", "sha256", manifest.digest.Hex())],
		"version.json":  files[filepath.Join("blobs", "sha256", digestOf(versionIndex(t, l, "1.4.0")).Hex())],
		"manifest.cose": files[filepath.Join("blobs", "sha256", r.Digest.Hex())],
	} {
		want, err := os.ReadFile(filepath.Join("testdata", "1.4.0", name))
		if err != nil || got != string(want) {
			t.Errorf("%s: %v\ngot  %s\nwant %s", name, err, got, want)
		}
	}
	if len(files) != 8 {
		t.Errorf("%d files, want 8: oci-layout, index.json, index of the version, two manifests, image, chunks, configuration", len(files))
	}
}

func TestReleasesStateWithoutImages(t *testing.T) {
	l := newLayout(t)
	want := cut(t, "1.0", 1, "mcu")
	store(t, l, want)
	got, err := l.Releases(context.Background())
	if err != nil || len(got) != 1 {
		t.Fatalf("%d releases, %v; want 1", len(got), err)
	}
	want.Images, want.Chunks = nil, nil
	if g, w := dump(t, got[0]), dump(t, want); g != w {
		t.Fatalf("got  %s\nwant %s", g, w)
	}
}

func TestStoppedReaders(t *testing.T) {
	l, r := newLayout(t), cut(t, "1.0", 1)
	store(t, l, r)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, listErr := l.Releases(ctx)
	_, loadErr := l.Load(ctx, r.Digest)
	_, verifyErr := l.Verify(ctx)
	for name, err := range map[string]error{"Releases": listErr, "Load": loadErr, "Verify": verifyErr} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got %v, want context.Canceled", name, err)
		}
	}
}
