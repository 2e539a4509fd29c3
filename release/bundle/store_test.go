package bundle

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/tcpboot/tcpboot/release"
)

func TestCreate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "releases")
	if _, err := Open(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("Open before Create: got %v, want fs.ErrNotExist", err)
	}
	l, err := Create(dir)
	if err != nil {
		t.Fatal(err)
	}
	store(t, l, cut(t, "1.0", 1))
	before := snapshot(t, dir)
	if _, err := Create(dir); !errors.Is(err, fs.ErrExist) {
		t.Fatalf("second Create: got %v, want fs.ErrExist", err)
	}
	if !maps.Equal(snapshot(t, dir), before) {
		t.Fatal("the refused Create changed the folder")
	}
}

func TestStoreTwiceIsOnce(t *testing.T) {
	l := newLayout(t)
	store(t, l, cut(t, "1.0", 1, "mcu"))
	files, stamp := snapshot(t, l.dir), stampNow(t, l)
	store(t, l, cut(t, "1.0", 1, "mcu"))
	if !maps.Equal(snapshot(t, l.dir), files) || stampNow(t, l) != stamp {
		t.Fatal("storing the same release again changed the folder")
	}
}

func TestSameReleaseSameBytes(t *testing.T) {
	a, b := newLayout(t), newLayout(t)
	store(t, a, cut(t, "1.0", 1, "mcu"), cut(t, "2.0", 2))
	store(t, b, cut(t, "1.0", 1, "mcu"), cut(t, "2.0", 2))
	if !maps.Equal(snapshot(t, a.dir), snapshot(t, b.dir)) {
		t.Fatal("two layouts of the same releases differ")
	}
}

func TestRestate(t *testing.T) {
	l := newLayout(t)
	old, restated := cut(t, "1.0", 1, "mcu"), cut(t, "1.0", 7, "mcu")
	full := *restated
	restated.Images, restated.Chunks = nil, nil // they are there already
	store(t, l, old)
	if err := l.Store(context.Background(), restated); err != nil {
		t.Fatal(err)
	}
	store(t, l, old) // does not take the name back
	checkLayout(t, l, old, &full)

	ix, err := l.readIndex()
	if err != nil {
		t.Fatal(err)
	}
	holder, _ := named(ix, "1.0-esp32")
	a, _, err := l.readArtifact(holder)
	if err != nil || len(ix.Manifests) != 3 || statement(a) != restated.Digest {
		t.Fatalf("%d entries, the name is held by %s, %v; want 3, %s", len(ix.Manifests), statement(a), err, restated.Digest)
	}
}

func TestStoreRefuses(t *testing.T) {
	taken := cut(t, "1.0", 1, "mcu")
	for _, row := range []struct {
		name string
		make func() *release.Release
		want string
	}{
		{"another app image", func() *release.Release {
			r := cut(t, "1.0", 2, "mcu")
			r.Manifest.Image = component(r, "app", "other")
			return resign(t, r)
		}, ErrVersionTaken.Error()},
		{"another image behind the board", func() *release.Release {
			r := cut(t, "1.0", 2, "mcu")
			r.Manifest.Others[0] = component(r, "mcu", "other")
			return resign(t, r)
		}, ErrVersionTaken.Error()},
		{"one image less", func() *release.Release { return cut(t, "1.0", 2) }, ErrVersionTaken.Error()},
		{"manifest other than the signed one", func() *release.Release {
			r := cut(t, "2.0", 2)
			r.Manifest.Version = "3.0"
			return r
		}, "not the signed one"},
		{"digest of another statement", func() *release.Release {
			r := cut(t, "2.0", 2)
			r.Digest = taken.Digest
			return r
		}, "digest"},
		{"unsigned", func() *release.Release {
			r := cut(t, "2.0", 2)
			r.Signed = nil
			return r
		}, "manifest: "},
		{"image swapped", func() *release.Release {
			r := cut(t, "2.0", 2)
			r.Images["app"][0] ^= 1
			return r
		}, "image of app: digest"},
		{"image cut short", func() *release.Release {
			r := cut(t, "2.0", 2)
			r.Images["app"] = r.Images["app"][1:]
			return r
		}, "image of app: "},
		{"chunk list swapped", func() *release.Release {
			r := cut(t, "2.0", 2)
			r.Chunks["app"][0] ^= 1
			return r
		}, "chunk list of app: digest"},
		{"image neither given nor there", func() *release.Release {
			r := cut(t, "2.0", 2)
			delete(r.Images, "app")
			return r
		}, "image of app is not given"},
		{"image that nothing states", func() *release.Release {
			r := cut(t, "2.0", 2)
			r.Images["boot"] = []byte("x")
			return r
		}, "no such component"},
	} {
		t.Run(row.name, func(t *testing.T) {
			l := newLayout(t)
			store(t, l, taken)
			before, r := snapshot(t, l.dir), row.make()
			err := l.Store(context.Background(), r)
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Fatalf("got %v, want an error about %q", err, row.want)
			}
			if taken := row.want == ErrVersionTaken.Error(); errors.Is(err, ErrVersionTaken) != taken {
				t.Fatalf("errors.Is(%v, ErrVersionTaken) = %v", err, !taken)
			}
			if after := snapshot(t, l.dir); !maps.Equal(after, before) {
				t.Fatal("the refused Store changed the folder")
			}
		})
	}
}

func TestPairsThatShareAName(t *testing.T) {
	l := newLayout(t)
	first, second := cut(t, "1.0", 1), cut(t, "1.0-esp32", 1)
	first.Manifest.Hardware, second.Manifest.Hardware = "esp32-cam", "cam"
	store(t, l, resign(t, first))
	err := l.Store(context.Background(), resign(t, second))
	if err == nil || !strings.Contains(err.Error(), "belongs to version 1.0 for hardware esp32-cam") || errors.Is(err, ErrVersionTaken) {
		t.Fatalf("got %v", err)
	}
	checkLayout(t, l, first)
}

// A layout that holds what others put there keeps it.
func TestForeignEntriesStay(t *testing.T) {
	l := newLayout(t)
	first := cut(t, "1.0", 1)
	store(t, l, first)
	sbom := []byte(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","artifactType":"application/spdx+json",` +
		`"config":{"mediaType":"application/vnd.oci.empty.v1+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2},"layers":[]}`)
	attach(t, l, sbom, "sbom")
	listElsewhere(t, l)
	store(t, l, cut(t, "2.0", 2))
	ix, err := l.readIndex()
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := named(ix, "sbom"); !ok || len(ix.Manifests) != 6 {
		t.Fatalf("the entry of another kind is gone: %+v", ix.Manifests)
	}
	all, err := l.Releases(context.Background())
	if err != nil || len(all) != 2 {
		t.Fatalf("Releases: %d, %v; want 2", len(all), err)
	}

	taken := cut(t, "3.0", 3)
	attach(t, l, sbom, "3.0-esp32")
	if err := l.Store(context.Background(), taken); err == nil || !strings.Contains(err.Error(), "another kind") {
		t.Fatalf("Store under the name of an SBOM: got %v", err)
	}
}

// listElsewhere lists an index of many platforms, whose content is too large to
// be looked at.
func listElsewhere(t *testing.T, l *Layout) {
	t.Helper()
	large := blobOf("", make([]byte, maxManifest+1))
	if err := place(l.blobPath(large.digest), large.data, 0o444); err != nil {
		t.Fatal(err)
	}
	ix, err := l.readIndex()
	if err != nil {
		t.Fatal(err)
	}
	d := ocispec.Descriptor{MediaType: ocispec.MediaTypeImageIndex, Digest: digest.Digest(large.digest.String()), Size: large.size}
	if err := l.writeIndex(list(ix, d, "platforms")); err != nil {
		t.Fatal(err)
	}
}

// attach lists an image manifest as another tool might, without its kind.
func attach(t *testing.T, l *Layout, manifest []byte, ref string) {
	t.Helper()
	b := blobOf("", manifest)
	if err := place(l.blobPath(b.digest), manifest, 0o444); err != nil {
		t.Fatal(err)
	}
	ix, err := l.readIndex()
	if err != nil {
		t.Fatal(err)
	}
	d := ocispec.Descriptor{MediaType: ocispec.MediaTypeImageManifest, Digest: digest.Digest(b.digest.String()), Size: b.size}
	if err := l.writeIndex(list(ix, d, ref)); err != nil {
		t.Fatal(err)
	}
}

func stampNow(t testing.TB, l *Layout) Stamp {
	t.Helper()
	s, err := l.Stamp()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStampChangesWithTheIndex(t *testing.T) {
	l := newLayout(t)
	seen := map[Stamp]string{stampNow(t, l): "the empty layout"}
	for _, version := range []string{"1.0", "1.1", "1.2"} {
		for sequence := range uint64(2) {
			store(t, l, cut(t, version, sequence+1))
			s := stampNow(t, l)
			if before, ok := seen[s]; ok {
				t.Fatalf("%s/%d has the stamp of %s", version, sequence, before)
			}
			seen[s] = version
		}
	}
}

func TestModes(t *testing.T) {
	l := newLayout(t)
	store(t, l, cut(t, "1.0", 1))
	blobs, err := os.ReadDir(l.blobDir())
	if err != nil || len(blobs) != 6 {
		t.Fatalf("%d blobs, %v; want 6", len(blobs), err)
	}
	for _, b := range blobs {
		if info, err := b.Info(); err != nil || info.Mode() != 0o444 {
			t.Errorf("%s: %v, %v; want 0444", b.Name(), info.Mode(), err)
		}
	}
}
