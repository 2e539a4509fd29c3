package bundle

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/release"
)

const chunkSize = 4096

// cut makes a release whose bytes depend on its arguments alone.
func cut(t testing.TB, version string, sequence uint64, others ...string) *release.Release {
	t.Helper()
	r := &release.Release{Images: map[string][]byte{}, Chunks: map[string][]byte{}}
	r.Manifest = release.Manifest{
		Site: "home", Kind: "firmware", Version: version, Hardware: "esp32", Chip: "esp32",
		Counter:   fleet.Counter{Count: 1},
		Sequences: map[string]uint64{"stable": sequence},
		Image:     component(r, "app", "image of "+version),
	}
	for _, name := range others {
		r.Manifest.Others = append(r.Manifest.Others, component(r, name, name+" of "+version))
	}
	return resign(t, r)
}

// component puts two chunks and a bit of content into r.
func component(r *release.Release, name, content string) release.Component {
	image := bytes.Repeat([]byte(content), 2*chunkSize/len(content)+1)
	chunks := release.ChunkList(image, chunkSize)
	r.Images[name], r.Chunks[name] = image, chunks
	return release.Component{
		Name: name, Size: int64(len(image)), Digest: fleet.Sum(image),
		ChunkSize: chunkSize, Chunks: fleet.Sum(chunks),
	}
}

// resign signs what r.Manifest says by now.
func resign(t testing.TB, r *release.Release) *release.Release {
	t.Helper()
	r.Signed = signed(t, r.Manifest)
	r.Digest = fleet.Sum(r.Signed)
	return r
}

func newLayout(t testing.TB) *Layout {
	t.Helper()
	l, err := Create(filepath.Join(t.TempDir(), "releases"))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func store(t testing.TB, l *Layout, releases ...*release.Release) {
	t.Helper()
	for _, r := range releases {
		if err := l.Store(context.Background(), r); err != nil {
			t.Fatal(err)
		}
	}
	checkLayout(t, l, releases...)
}

// checkLayout is the one strong check, to be called after every step: a fresh
// reader finds nothing wrong and every one of the releases, byte for byte.
func checkLayout(t testing.TB, l *Layout, releases ...*release.Release) {
	t.Helper()
	ctx := context.Background()
	fresh, err := Open(l.dir)
	if err != nil {
		t.Fatal(err)
	}
	problems, err := fresh.Verify(ctx)
	if err != nil || len(problems) > 0 {
		t.Fatalf("Verify: %v, %v", problems, err)
	}
	if _, err := fresh.Releases(ctx); err != nil {
		t.Fatal(err)
	}
	for _, want := range releases {
		got, err := fresh.Load(ctx, want.Digest)
		if err != nil {
			t.Fatal(err)
		}
		if g, w := dump(t, got), dump(t, want); g != w {
			t.Fatalf("Load:\ngot  %s\nwant %s", g, w)
		}
	}
}

func dump(t testing.TB, r *release.Release) string {
	t.Helper()
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// snapshot lists the files of a folder with their bytes, without the lock.
func snapshot(t testing.TB, dir string) map[string]string {
	t.Helper()
	files := make(map[string]string)
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() || e.Name() == lockFile {
			return err
		}
		data, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		files[name] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// overwrite changes a file in place, as damage does and Store never would.
func overwrite(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// versionIndex is the entry of a version's index.
func versionIndex(t testing.TB, l *Layout, version string) ocispec.Descriptor {
	t.Helper()
	ix, err := l.readIndex()
	if err != nil {
		t.Fatal(err)
	}
	d, held := named(ix, version)
	if !held || d.ArtifactType != IndexType {
		t.Fatalf("version %s is held by %+v, want its index", version, d)
	}
	return d
}
