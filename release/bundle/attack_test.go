package bundle

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/release"
)

// damages are what can befall a blob at rest.
var damages = []struct {
	name string
	do   func(t *testing.T, path string, good []byte)
	is   error // nil: any
}{
	{"one bit", func(t *testing.T, path string, good []byte) {
		overwrite(t, path, append([]byte{good[0] ^ 1}, good[1:]...))
	}, ErrCorrupt},
	{"cut short", func(t *testing.T, path string, good []byte) { overwrite(t, path, good[:len(good)-1]) }, ErrCorrupt},
	{"empty", func(t *testing.T, path string, _ []byte) { overwrite(t, path, nil) }, ErrCorrupt},
	{"grown", func(t *testing.T, path string, good []byte) { overwrite(t, path, append(good, 0)) }, nil},
	{"huge", func(t *testing.T, path string, good []byte) {
		overwrite(t, path, good)
		if err := os.Truncate(path, 1<<28); err != nil {
			t.Fatal(err)
		}
	}, nil},
	{"missing", func(t *testing.T, path string, _ []byte) { remove(t, path) }, fs.ErrNotExist},
	{"a link to the same bytes", func(t *testing.T, path string, good []byte) {
		elsewhere := filepath.Join(t.TempDir(), "blob")
		if err := os.WriteFile(elsewhere, good, 0o644); err != nil {
			t.Fatal(err)
		}
		remove(t, path)
		if err := os.Symlink(elsewhere, path); err != nil {
			t.Fatal(err)
		}
	}, nil},
	{"a pipe", func(t *testing.T, path string, _ []byte) {
		remove(t, path)
		if err := unix.Mkfifo(path, 0o644); err != nil {
			t.Fatal(err)
		}
	}, nil},
	{"a folder", func(t *testing.T, path string, _ []byte) {
		remove(t, path)
		if err := os.Mkdir(path, 0o755); err != nil {
			t.Fatal(err)
		}
	}, nil},
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

// A damaged image is refused before its first byte, by whoever opens it, even
// when it was served a moment ago.
func TestDamagedImageIsNotServed(t *testing.T) {
	for _, row := range damages {
		t.Run(row.name, func(t *testing.T) {
			l, r := newLayout(t), cut(t, "1.0", 1)
			store(t, l, r)
			d := r.Manifest.Image.Digest
			readAll(t, l, d, r.Images["app"])
			row.do(t, l.blobPath(d), bytes.Clone(r.Images["app"]))

			f, _, err := l.OpenBlob(d)
			if err == nil {
				f.Close()
			}
			if err == nil || row.is != nil && !errors.Is(err, row.is) {
				t.Errorf("OpenBlob: got %v, want %v", err, row.is)
			}
			if _, err := l.Load(context.Background(), r.Digest); err == nil {
				t.Error("Load returned the release")
			}
			problems, err := l.Verify(context.Background())
			if err != nil || len(problems) != 1 || problems[0].Blob != d || problems[0].Release != "1.0-esp32" || problems[0].Title != "app.bin" {
				t.Errorf("Verify: %v, %v; want one problem, of app.bin", problems, err)
			}
			if row.name == "a folder" {
				refusesToMend(t, l, r)
				return
			}
			store(t, l, r)
			readAll(t, l, d, r.Images["app"])
		})
	}
}

// refusesToMend checks that Store fails where a person has to look, and tidily.
func refusesToMend(t *testing.T, l *Layout, r *release.Release) {
	t.Helper()
	if err := l.Store(context.Background(), r); err == nil {
		t.Error("Store made nothing of a folder in its way")
	}
	if left := temporary(t, l); len(left) > 0 {
		t.Errorf("the failed Store left %v", left)
	}
}

func readAll(t *testing.T, l *Layout, d fleet.Digest, want []byte) {
	t.Helper()
	f, size, err := l.OpenBlob(d)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got, err := io.ReadAll(f)
	if err != nil || size != int64(len(want)) || !bytes.Equal(got, want) {
		t.Fatalf("blob %s: %d bytes, size %d, %v; want %d", d, len(got), size, err, len(want))
	}
}

// One rotten release does not hide the others.
func TestDamagedStatement(t *testing.T) {
	for _, part := range []string{"signed manifest", "image manifest"} {
		for _, row := range damages {
			t.Run(part+"/"+row.name, func(t *testing.T) {
				l, rotten, good := newLayout(t), cut(t, "1.0", 1), cut(t, "2.0", 2)
				store(t, l, rotten, good)
				p, err := pack(rotten)
				if err != nil {
					t.Fatal(err)
				}
				b := blobOf("", rotten.Signed)
				if part == "image manifest" {
					b = p.blobs[len(p.blobs)-1]
				}
				row.do(t, l.blobPath(b.digest), bytes.Clone(b.data))

				all, err := l.Releases(context.Background())
				if err == nil || len(all) != 1 || all[0].Digest != good.Digest {
					t.Errorf("Releases: %d, %v; want the good one and an error", len(all), err)
				}
				if _, err := l.Load(context.Background(), rotten.Digest); err == nil {
					t.Error("Load returned the rotten release")
				}
				if _, err := l.Load(context.Background(), good.Digest); err != nil {
					t.Errorf("Load of the good one: %v", err)
				}
				if problems, err := l.Verify(context.Background()); err != nil || len(problems) != 1 {
					t.Errorf("Verify: %v, %v; want one problem", problems, err)
				}
				if row.name != "a folder" {
					store(t, l, rotten, good)
				}
			})
		}
	}
}

// A proved blob is not read again until its file changes, and no one can change
// it so that it looks as before.
func TestProofEndsWithAnyChange(t *testing.T) {
	l, r := newLayout(t), cut(t, "1.0", 1)
	store(t, l, r)
	d := r.Manifest.Image.Digest
	path := l.blobPath(d)

	l.settled = 0 // as if the file had lain there for long
	readAll(t, l, d, r.Images["app"])
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	entry, _ := l.blobs.Load(d)
	if entry.(*proof).of == (Stamp{}) {
		t.Fatal("nothing was remembered of the blob that was read")
	}

	before := entry.(*proof).of
	bad := bytes.Clone(r.Images["app"])
	bad[0] ^= 1
	now := before
	for range 100000 { // until the kernel's clock ticks
		if now != before {
			break
		}
		overwrite(t, path, bad)
		if err := os.Chtimes(path, info.ModTime(), info.ModTime()); err != nil {
			t.Fatal(err)
		}
		now = stampFile(t, path)
	}
	if _, _, err := l.OpenBlob(d); !errors.Is(err, ErrCorrupt) {
		t.Fatalf("OpenBlob of a blob changed behind its times: got %v, want ErrCorrupt", err)
	}
}

func TestFreshFileProvesNothing(t *testing.T) {
	l, r := newLayout(t), cut(t, "1.0", 1)
	store(t, l, r)
	readAll(t, l, r.Manifest.Image.Digest, r.Images["app"])
	entry, _ := l.blobs.Load(r.Manifest.Image.Digest)
	if p := entry.(*proof); p.of != (Stamp{}) {
		t.Fatal("a file written this moment was taken as settled")
	}
}

func stampFile(t *testing.T, path string) Stamp {
	t.Helper()
	f, s, err := openRegular(path)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	return s
}

func TestOpenBlobOfNothing(t *testing.T) {
	l := newLayout(t)
	if _, _, err := l.OpenBlob(fleet.Sum(nil)); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("got %v, want fs.ErrNotExist", err)
	}
	if _, err := l.Load(context.Background(), fleet.Sum(nil)); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("got %v, want fs.ErrNotExist", err)
	}
	if n := proofs(l); n != 0 {
		t.Fatalf("%d proofs of blobs that are not there", n)
	}
}

func proofs(l *Layout) (n int) {
	l.blobs.Range(func(any, any) bool { n++; return true })
	return n
}

// What people and registries are told must be what was signed.
func TestImageManifestThatTellsAnotherStory(t *testing.T) {
	honest, err := pack(cut(t, "1.0", 1))
	if err != nil {
		t.Fatal(err)
	}
	text := string(honest.blobs[len(honest.blobs)-1].data)
	other := cut(t, "2.0", 2).Manifest.Image.Digest.String()
	for _, row := range []struct{ name, old, new, want string }{
		{"another version", `version":"1.0"`, `version":"9.9"`, "the signed manifest says"},
		{"another hardware", `hardware":"esp32"`, `hardware":"esp32c3"`, "the signed manifest says"},
		{"another chip", `chip":"esp32"`, `chip":"esp32c3"`, "the signed manifest says"},
		{"another image", honest.manifest.Layers[1].Digest.String(), other, "is no layer"},
		{"another size", `"size":8`, `"size":9`, "is no layer"},
		{"no statement", MediaTypeManifest, MediaTypeChunks, "want 1"},
		{"two statements", MediaTypeImage, MediaTypeManifest, "want 1"},
		{"a path for a digest", "sha256:" + honest.manifest.Layers[1].Digest.Encoded(), "sha256:../../../../../../etc/passwd", "digest"},
		{"a negative size", `"size":8`, `"size":-8`, "size"},
		{"another schema", `"schemaVersion":2`, `"schemaVersion":3`, "schema"},
		{"no JSON", `{"schemaVersion"`, `["schemaVersion"`, "not an image manifest"},
	} {
		t.Run(row.name, func(t *testing.T) {
			if !strings.Contains(text, row.old) {
				t.Fatalf("%s has no %s", text, row.old)
			}
			l := newLayout(t)
			store(t, l, cut(t, "1.0", 1), cut(t, "2.0", 2))
			forged := strings.Replace(text, row.old, row.new, 1)
			if err := forge(t, l, []byte(forged)); err == nil || !strings.Contains(err.Error(), row.want) {
				t.Fatalf("got %v, want an error about %q", err, row.want)
			}
		})
	}
}

// forge lists manifest beside the two releases of l and returns what Releases
// says of it, after checking that the honest two are still there.
func forge(t *testing.T, l *Layout, manifest []byte) error {
	t.Helper()
	attach(t, l, manifest, "forged")
	problems, err := l.Verify(context.Background())
	if err != nil || len(problems) == 0 {
		t.Errorf("Verify: %v, %v; want problems", problems, err)
	}
	all, err := l.Releases(context.Background())
	if len(all) != 2 {
		t.Errorf("%d releases, want the honest 2", len(all))
	}
	return err
}
