package bundle

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

const zeros = "sha256:0000000000000000000000000000000000000000000000000000000000000000"

func entry(digest, rest string) string {
	return `{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"` + digest + `","size":9` + rest + `}`
}

func indexOf(entries ...string) string {
	return `{"schemaVersion":2,"manifests":[` + strings.Join(entries, ",") + `]}`
}

const ref = `,"annotations":{"org.opencontainers.image.ref.name":"1.0-esp32"}`

var hostile = []struct{ name, text, want string }{
	{"empty file", "", "not an image index"},
	{"cut short", indexOf(entry(zeros, ""))[:100], "not an image index"},
	{"something behind it", indexOf() + "{}", "not an image index"},
	{"a list", "[]", "not an image index"},
	{"deep nesting", strings.Repeat("[", 100000), "not an image index"},
	{"entries of another type", `{"schemaVersion":2,"manifests":{}}`, "not an image index"},
	{"no schema", `{"manifests":[]}`, "schema version 0"},
	{"schema 1", `{"schemaVersion":1}`, "schema version 1"},
	{"an image manifest", `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json"}`, "media type"},
	{"no digest", indexOf(entry("", "")), "digest"},
	{"a path for a digest", indexOf(entry("sha256:../../../../etc/passwd", "")), "digest"},
	{"a path behind a digest", indexOf(entry(zeros+"/../x", "")), "digest"},
	{"an algorithm that is a path", indexOf(entry("../"+zeros, "")), "digest"},
	{"upper case", indexOf(entry("sha256:"+strings.Repeat("A", 64), "")), "digest"},
	{"another algorithm", indexOf(entry("sha512:"+strings.Repeat("0", 128), "")), "digest"},
	{"a negative size", indexOf(`{"digest":"` + zeros + `","size":-1}`), "size -1"},
	{"a size beyond all numbers", indexOf(`{"digest":"` + zeros + `","size":1e30}`), "not an image index"},
	{"one name twice", indexOf(entry(zeros, ref), entry(zeros, ref)), "entry 1: name"},
}

func TestHostileIndex(t *testing.T) {
	for _, row := range hostile {
		t.Run(row.name, func(t *testing.T) {
			l := newLayout(t)
			overwrite(t, l.path(ocispec.ImageIndexFile), []byte(row.text))
			refusedEverywhere(t, l, row.want)
		})
	}
}

func TestIndexThatIsNoFile(t *testing.T) {
	l := newLayout(t)
	path := l.path(ocispec.ImageIndexFile)
	if err := os.Truncate(path, maxIndex+1); err != nil {
		t.Fatal(err)
	}
	refusedEverywhere(t, l, "want at most")

	remove(t, path)
	refusedEverywhere(t, l, "no such file")

	elsewhere := filepath.Join(t.TempDir(), "index.json")
	if err := os.WriteFile(elsewhere, []byte(indexOf()), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(elsewhere, path); err != nil {
		t.Fatal(err)
	}
	refusedEverywhere(t, l, "symbolic link")
}

// refusedEverywhere checks that no face of l works with its index, and that
// Store in particular does not replace it.
func refusedEverywhere(t *testing.T, l *Layout, want string) {
	t.Helper()
	ctx, r := context.Background(), cut(t, "1.0", 1)
	before, _ := os.ReadFile(l.path(ocispec.ImageIndexFile))
	_, openErr := Open(l.dir)
	_, listErr := l.Releases(ctx)
	_, loadErr := l.Load(ctx, r.Digest)
	_, verifyErr := l.Verify(ctx)
	for name, err := range map[string]error{
		"Open": openErr, "Releases": listErr, "Load": loadErr, "Verify": verifyErr, "Store": l.Store(ctx, r),
	} {
		if err == nil || !strings.Contains(err.Error(), want) || len(err.Error()) > 1000 {
			t.Errorf("%s: got %v, want an error about %q", name, err, want)
		}
	}
	if after, _ := os.ReadFile(l.path(ocispec.ImageIndexFile)); !bytes.Equal(after, before) {
		t.Error("Store replaced an index that it could not read")
	}
}

func TestOpenRefusesAnotherVersion(t *testing.T) {
	l := newLayout(t)
	for _, text := range []string{`{"imageLayoutVersion":"2.0.0"}`, `{}`, `x`, strings.Repeat(" ", maxLayout+1)} {
		overwrite(t, l.path(ocispec.ImageLayoutFile), []byte(text))
		if _, err := Open(l.dir); err == nil || !strings.Contains(err.Error(), ocispec.ImageLayoutFile) {
			t.Errorf("oci-layout %.40q: got %v", text, err)
		}
	}
}

// What parses prints as something that parses to the same.
func FuzzIndex(f *testing.F) {
	for _, row := range hostile {
		f.Add([]byte(row.text))
	}
	f.Add([]byte(indexOf(entry(zeros, ref), entry(zeros, ""))))
	f.Fuzz(func(t *testing.T, text []byte) {
		ix, err := parseIndex(text)
		if err != nil {
			return
		}
		once, err := renderIndex(ix)
		if err != nil {
			t.Fatal(err)
		}
		again, err := parseIndex(once)
		if err != nil {
			t.Fatalf("%s: %v", once, err)
		}
		if twice, _ := renderIndex(again); !bytes.Equal(twice, once) {
			t.Fatalf("got  %s\nwant %s", twice, once)
		}
		for _, d := range ix.Manifests {
			digestOf(d)
		}
	})
}

// Whatever an image manifest says, reading it ends without a panic and what it
// names is named by digests.
func FuzzImageManifest(f *testing.F) {
	p, err := pack(cut(f, "1.0", 1, "mcu"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(p.blobs[len(p.blobs)-1].data)
	m := cut(f, "1.0", 1).Manifest
	f.Fuzz(func(t *testing.T, text []byte) {
		a, ours, err := parseArtifact(text)
		if err != nil || !ours {
			return
		}
		statement(a)
		digestOf(a.Config)
		images(a)
		if agrees(a, m) == nil && a.Annotations[AnnotationHardware] != m.Hardware {
			t.Fatal("agrees with a manifest for other hardware")
		}
	})
}
