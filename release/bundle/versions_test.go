package bundle

import (
	"context"
	"encoding/json"
	"slices"
	"testing"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/tcpboot/tcpboot/release"
)

// hardwares are those that the index of a version lists, one per statement.
func hardwares(t *testing.T, l *Layout, version string) (list []string) {
	t.Helper()
	text, err := l.readBlob(digestOf(versionIndex(t, l, version)), maxIndexText)
	if err != nil {
		t.Fatal(err)
	}
	got, entries, err := ParseIndex(text)
	if err != nil || got != version {
		t.Fatalf("index of version %q, %v; want %q", got, err, version)
	}
	for _, e := range entries {
		list = append(list, e.Annotations[AnnotationHardware])
	}
	return list
}

func cutFor(t *testing.T, version, hardware string, sequence uint64) *release.Release {
	t.Helper()
	r := cut(t, version, sequence)
	r.Manifest.Hardware = hardware
	return resign(t, r)
}

// A version's index ties its statements together, and is the same however they
// came.
func TestVersionIndex(t *testing.T) {
	a, b := newLayout(t), newLayout(t)
	releases := []*release.Release{cutFor(t, "1.0", "window", 1), cutFor(t, "1.0", "door", 2), cutFor(t, "2.0", "door", 3), cutFor(t, "1.0", "door", 4)}
	store(t, a, releases...)
	if got, want := hardwares(t, a, "1.0"), []string{"door", "door", "window"}; !slices.Equal(got, want) {
		t.Errorf("version 1.0 has %v, want %v", got, want)
	}
	slices.Reverse(releases)
	store(t, b, releases...)
	if versionIndex(t, a, "1.0").Digest != versionIndex(t, b, "1.0").Digest {
		t.Error("the same statements in another order have another index")
	}
	ix, err := a.readIndex()
	if err != nil || len(ix.Manifests) != 6 {
		t.Errorf("%d entries, %v; want 4 statements and 2 versions", len(ix.Manifests), err)
	}
}

// A layout from before there were such indexes is read, and gets one at its next
// release.
func TestLayoutWithoutVersionIndex(t *testing.T) {
	l, old := newLayout(t), cutFor(t, "1.0", "door", 1)
	store(t, l, old)
	ix, err := l.readIndex()
	if err != nil {
		t.Fatal(err)
	}
	if err := l.writeIndex(unlistVersion(ix, "1.0")); err != nil {
		t.Fatal(err)
	}
	checkLayout(t, l, old)
	packed, err := l.Packed(context.Background(), "1.0", "")
	if err != nil || len(packed) != 1 {
		t.Fatalf("%d statements, %v; want 1", len(packed), err)
	}
	store(t, l, cutFor(t, "1.0", "window", 2))
	checkLayout(t, l, old)
	if got, want := hardwares(t, l, "1.0"), []string{"door", "window"}; !slices.Equal(got, want) {
		t.Errorf("version 1.0 has %v, want %v", got, want)
	}
}

// Version "1.0-a" and version "1.0" for "a" would share a name: the release has
// it, in whichever order they come.
func TestVersionWithTheNameOfARelease(t *testing.T) {
	for _, reversed := range []bool{false, true} {
		l := newLayout(t)
		pair := []*release.Release{cutFor(t, "1.0", "a", 1), cutFor(t, "1.0-a", "b", 2)}
		if reversed {
			slices.Reverse(pair)
		}
		store(t, l, pair...)
		checkLayout(t, l, pair...)
		ix, err := l.readIndex()
		if err != nil {
			t.Fatal(err)
		}
		if d, held := named(ix, "1.0-a"); !held || d.ArtifactType != ArtifactType {
			t.Errorf("the name is held by %+v, want the release", d)
		}
		if packed, err := l.Packed(context.Background(), "1.0-a", ""); err != nil || len(packed) != 1 {
			t.Errorf("%d statements of 1.0-a, %v; want 1", len(packed), err)
		}
	}
}

func FuzzParseIndex(f *testing.F) {
	r := cut(f, "1.0", 1)
	text, err := PackIndex("1.0", []*Packed{newPacked([]byte("{}"), describe(r), r)})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Fuzz(func(t *testing.T, text []byte) {
		_, entries, err := ParseIndex(text)
		if err != nil {
			return
		}
		for _, e := range entries {
			if digestOf(e).String() != string(e.Digest) || e.Size < 0 {
				t.Errorf("took %+v", e)
			}
		}
	})
}

func FuzzParseAttached(f *testing.F) {
	subject := ocispec.Descriptor{Digest: ocispec.DescriptorEmptyJSON.Digest}
	text, err := json.Marshal(ocispec.Manifest{ArtifactType: attachable[0], Config: ocispec.DescriptorEmptyJSON, Subject: &subject})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Fuzz(func(t *testing.T, text []byte) {
		a, ours, err := parseAttached(subject, text, subject)
		if err != nil || !ours {
			return
		}
		for _, b := range a.Blobs {
			if digestOf(b).String() != string(b.Digest) || b.Size < 0 || b.Size > maxAttachedBlob {
				t.Errorf("took %+v", b)
			}
		}
	})
}
