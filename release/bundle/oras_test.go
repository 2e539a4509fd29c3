package bundle

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"oras.land/oras-go/v2"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/content/file"
	"oras.land/oras-go/v2/content/oci"
)

// oras, an implementation that is not ours, finds what we stored.
func TestOrasReadsTheLayout(t *testing.T) {
	ctx := context.Background()
	l, r := newLayout(t), cut(t, "1.0", 2, "mcu")
	store(t, l, cut(t, "1.0", 1, "mcu"), r, cut(t, "2.0", 3))
	peer, err := oci.NewFromFS(ctx, os.DirFS(l.dir))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := orasTags(t, peer), []string{"1.0", "1.0-esp32", "2.0", "2.0-esp32"}; !slices.Equal(got, want) {
		t.Errorf("tags %v, want %v", got, want)
	}
	d, err := peer.Resolve(ctx, "1.0-esp32")
	if err != nil || d.ArtifactType != ArtifactType {
		t.Fatalf("Resolve: %+v, %v", d, err)
	}
	layers, err := content.Successors(ctx, peer, d)
	if err != nil {
		t.Fatal(err)
	}
	var got [][]byte
	for _, layer := range layers {
		data, err := content.FetchAll(ctx, peer, layer)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, data)
	}
	want := [][]byte{[]byte("{}"), r.Signed, r.Images["app"], r.Chunks["app"], r.Images["mcu"], r.Chunks["mcu"]}
	if !slices.EqualFunc(got, want, bytes.Equal) {
		t.Errorf("oras fetched %d blobs, want config, statement, image, chunks, image, chunks", len(got))
	}
}

func orasTags(t *testing.T, peer *oci.ReadOnlyStore) (tags []string) {
	t.Helper()
	err := peer.Tags(context.Background(), "", func(some []string) error {
		tags = append(tags, some...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return tags
}

// What oras copies to a layout of its own is a layout of ours.
func TestOrasCopy(t *testing.T) {
	ctx := context.Background()
	l, r := newLayout(t), cut(t, "1.0", 1, "mcu")
	store(t, l, r, cut(t, "2.0", 2))
	from, err := oci.NewFromFS(ctx, os.DirFS(l.dir))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	to, err := oci.New(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := oras.Copy(ctx, from, "1.0-esp32", to, "1.0-esp32", oras.DefaultCopyOptions); err != nil {
		t.Fatal(err)
	}
	copied, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	checkLayout(t, copied, r)
	store(t, copied, cut(t, "1.0", 2, "mcu"), cut(t, "3.0", 3))
}

// A second tag that another tool gives makes no second release.
func TestOrasTag(t *testing.T) {
	ctx := context.Background()
	l, r := newLayout(t), cut(t, "1.0", 1)
	store(t, l, cut(t, "1.0", 2), r)
	peer, err := oci.New(l.dir)
	if err != nil {
		t.Fatal(err)
	}
	d, err := peer.Resolve(ctx, "1.0-esp32")
	if err != nil {
		t.Fatal(err)
	}
	if err := peer.Tag(ctx, d, "latest"); err != nil {
		t.Fatal(err)
	}
	all, err := l.Releases(ctx)
	if err != nil || len(all) != 2 {
		t.Fatalf("%d releases, %v; want 2", len(all), err)
	}
	checkLayout(t, l, r)
}

// `oras pull` lays the parts down under their titles.
func TestOrasPull(t *testing.T) {
	ctx := context.Background()
	l, r := newLayout(t), cut(t, "1.0", 1, "mcu")
	store(t, l, r)
	from, err := oci.NewFromFS(ctx, os.DirFS(l.dir))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	to, err := file.New(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close()
	if _, err := oras.Copy(ctx, from, "1.0-esp32", to, "", oras.DefaultCopyOptions); err != nil {
		t.Fatal(err)
	}
	checkFiles(t, dir, map[string][]byte{
		"manifest.cose": r.Signed,
		"app.bin":       r.Images["app"], "app.chunks": r.Chunks["app"],
		"mcu.bin": r.Images["mcu"], "mcu.chunks": r.Chunks["mcu"],
	})
}

func checkFiles(t *testing.T, dir string, want map[string][]byte) {
	t.Helper()
	for name, data := range want {
		if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !bytes.Equal(got, data) {
			t.Errorf("%s: %d bytes, %v; want %d", name, len(got), err, len(data))
		}
	}
}
