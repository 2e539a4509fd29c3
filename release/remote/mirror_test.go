package remote

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/tcpboot/tcpboot/release"
	"github.com/tcpboot/tcpboot/release/bundle"
)

func (s *shelf) mirror(t testing.TB, host string) error {
	t.Helper()
	return open(t, host).Mirror(context.Background(), s.Layout, ours)
}

// lists are the releases that the layout knows, as version/hardware.
func (s *shelf) lists(t testing.TB) (names []string) {
	t.Helper()
	all, err := s.Releases(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range all {
		names = append(names, r.Manifest.Version+"/"+r.Manifest.Hardware)
	}
	slices.Sort(names)
	return names
}

func (s *shelf) fill(t testing.TB, host string, r *release.Release, limit int64) error {
	t.Helper()
	return s.Fill(context.Background(), open(t, host), r.Digest, limit)
}

// A cache knows what the registry has, and has the images that were wanted.
func TestMirror(t *testing.T) {
	onEach(t, func(t *testing.T, host string) {
		cache := newShelf(t)
		if err := cache.mirror(t, host); err != nil || len(cache.lists(t)) != 0 {
			t.Fatalf("of a repository that is not there: %v, %v", cache.lists(t), err)
		}
		one, door, two := cut(t, "1.0", "esp32", 1), cut(t, "1.0", "door", 2), cut(t, "2.0", "esp32", 3)
		newShelf(t, one).push(t, host, "1.0", "stable")
		newShelf(t, two).push(t, host, "2.0", "")
		if err := cache.mirror(t, host); err != nil {
			t.Fatal(err)
		}
		newShelf(t, door).push(t, host, "1.0", "")
		if err := cache.mirror(t, host); err != nil {
			t.Fatal(err)
		}
		if got, want := cache.lists(t), []string{"1.0/door", "1.0/esp32", "2.0/esp32"}; !slices.Equal(got, want) {
			t.Fatalf("lists %v, want %v", got, want)
		}
		if _, err := cache.Load(context.Background(), one.Digest); !errors.Is(err, fs.ErrNotExist) {
			t.Fatalf("Load before Fill: got %v, want fs.ErrNotExist", err)
		}
		for _, r := range []*release.Release{one, door, two} {
			if err := cache.fill(t, host, r, 1<<20); err != nil {
				t.Fatal(err)
			}
		}
		cache.holds(t, one, door, two)
	})
}

// Where nothing is new a look at the registry costs one request.
func TestMirrorAgain(t *testing.T) {
	var requests atomic.Int64
	host := inMemory(t, false, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) { requests.Add(1); next.ServeHTTP(w, req) })
	})
	for _, version := range []string{"1.0", "2.0", "3.0"} {
		newShelf(t, cut(t, version, "esp32", 1)).push(t, host, version, "")
	}
	cache := newShelf(t)
	if err := cache.mirror(t, host); err != nil {
		t.Fatal(err)
	}
	requests.Store(0)
	if err := cache.mirror(t, host); err != nil || requests.Load() != 1 {
		t.Errorf("%d requests, %v; want 1", requests.Load(), err)
	}
}

// One release that is not ours does not hide the others.
func TestMirrorOfStrangers(t *testing.T) {
	foreign := cut(t, "1.0", "esp32", 1)
	foreign.Manifest.Site = "away"
	away, host := newShelf(t, signAgain(t, foreign)), inMemory(t, true, nil)
	if _, err := open(t, host).Push(context.Background(), away.Layout, "1.0", away.packed(t, "1.0"), "", func(*release.Release) error { return nil }); err != nil {
		t.Fatal(err)
	}
	newShelf(t, cut(t, "2.0", "esp32", 2)).push(t, host, "2.0", "")
	cache := newShelf(t)
	if err := cache.mirror(t, host); err == nil || !strings.Contains(err.Error(), "of another site") {
		t.Errorf("got %v, want an error about another site", err)
	}
	if got := cache.lists(t); !slices.Equal(got, []string{"2.0/esp32"}) {
		t.Errorf("lists %v, want ours", got)
	}
}

// What comes into a cache is compared with its digest, and damage is mended.
func TestFillComparesAndMends(t *testing.T) {
	r := cut(t, "1.0", "esp32", 1)
	l := &liar{}
	host := inMemory(t, true, l.around)
	newShelf(t, r).push(t, host, "1.0", "")
	cache := newShelf(t)
	if err := cache.mirror(t, host); err != nil {
		t.Fatal(err)
	}
	before := cache.files(t)
	l.lies = map[string]http.HandlerFunc{r.Manifest.Image.Digest.String(): says(strings.Repeat("x", int(r.Manifest.Image.Size)))}
	if err := cache.fill(t, host, r, 1<<20); !errors.Is(err, bundle.ErrCorrupt) {
		t.Fatalf("got %v, want ErrCorrupt", err)
	}
	if after := cache.files(t); !slices.Equal(after, before) {
		t.Fatalf("the refused Fill left %v", after)
	}
	l.lies = nil
	if err := cache.fill(t, host, r, 1<<20); err != nil {
		t.Fatal(err)
	}
	image := filepath.Join(cache.dir, "blobs", "sha256", r.Manifest.Image.Digest.Hex())
	if err := errors.Join(os.Chmod(image, 0o644), os.WriteFile(image, []byte("rot"), 0o644)); err != nil {
		t.Fatal(err)
	}
	if err := cache.fill(t, host, r, 1<<20); err != nil {
		t.Fatal(err)
	}
	cache.holds(t, r)
}

// A cache has an end: what has been there longest goes, but never what was just
// wanted, and no statement.
func TestFillHasALimit(t *testing.T) {
	host := inMemory(t, true, nil)
	var all []*release.Release
	for i, version := range []string{"1.0", "2.0", "3.0"} {
		all = append(all, cut(t, version, "esp32", uint64(i+1)))
		newShelf(t, all[i]).push(t, host, version, "")
	}
	cache := newShelf(t)
	if err := cache.mirror(t, host); err != nil {
		t.Fatal(err)
	}
	const two = 2*20000 + 1000 // bytes, of images and chunk lists
	for _, r := range all {
		if err := cache.fill(t, host, r, two); err != nil {
			t.Fatal(err)
		}
	}
	here := map[string]bool{}
	for _, r := range all {
		_, err := cache.Load(context.Background(), r.Digest)
		here[r.Manifest.Version] = err == nil
	}
	if want := map[string]bool{"1.0": false, "2.0": true, "3.0": true}; !maps.Equal(here, want) {
		t.Errorf("with images are %v, want %v", here, want)
	}
	if got := cache.lists(t); len(got) != 3 {
		t.Errorf("lists %v, want all", got)
	}
	if err := cache.fill(t, host, all[0], 0); err != nil {
		t.Fatal(err)
	}
	if _, err := cache.Load(context.Background(), all[0].Digest); err != nil {
		t.Errorf("what was just wanted: %v", err)
	}
}

// A push that was cut off before its version listed it is no release, until
// somebody finishes it.
func TestFinish(t *testing.T) {
	var cutOff atomic.Bool
	host := inMemory(t, true, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			if cutOff.Load() && req.Method == http.MethodPut && strings.HasSuffix(req.URL.Path, "/manifests/1.0") {
				w.WriteHeader(http.StatusForbidden)
				return
			}
			next.ServeHTTP(w, req)
		})
	})
	newShelf(t, cut(t, "1.0", "door", 1)).push(t, host, "1.0", "")
	cutOff.Store(true)
	if _, err := newShelf(t, cut(t, "1.0", "esp32", 2)).tryPush(t, host, "1.0", ""); !errors.Is(err, ErrDenied) {
		t.Fatalf("got %v, want ErrDenied", err)
	}
	cutOff.Store(false)
	cache := newShelf(t)
	if err := cache.mirror(t, host); err != nil || !slices.Equal(cache.lists(t), []string{"1.0/door"}) {
		t.Fatalf("lists %v, %v; want the door's alone", cache.lists(t), err)
	}
	for _, version := range []string{"1.0", "9.9"} {
		if err := open(t, host).Finish(context.Background(), version, ours); err != nil {
			t.Fatal(err)
		}
	}
	if err := cache.mirror(t, host); err != nil || len(cache.lists(t)) != 2 {
		t.Fatalf("lists %v, %v; want both", cache.lists(t), err)
	}
}

// A pusher that is killed when its index has just replaced that of another leaves the
// other's release unlisted, and not gone.
func TestKilledOverAnother(t *testing.T) {
	mine, other := cut(t, "1.0", "esp32", 1), cut(t, "1.0", "door", 2)
	var dead atomic.Bool
	var meanwhile func()
	host := inMemory(t, true, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			index := req.Method == http.MethodPut && strings.HasSuffix(req.URL.Path, "/manifests/1.0")
			if index {
				meanwhile()
			}
			if dead.Load() && !index {
				w.WriteHeader(http.StatusForbidden)
				return
			}
			next.ServeHTTP(w, req)
		})
	})
	meanwhile = once(func() {
		newShelf(t, other).push(t, host, "1.0", "")
		dead.Store(true)
	})
	if _, err := newShelf(t, mine).tryPush(t, host, "1.0", ""); !errors.Is(err, ErrDenied) {
		t.Fatalf("got %v, want ErrDenied", err)
	}
	dead.Store(false)
	cache := newShelf(t)
	if err := cache.mirror(t, host); err != nil || !slices.Equal(cache.lists(t), []string{"1.0/esp32"}) {
		t.Fatalf("lists %v, %v; want the last one's alone", cache.lists(t), err)
	}
	if err := open(t, host).Finish(context.Background(), "1.0", ours); err != nil {
		t.Fatal(err)
	}
	if err := cache.mirror(t, host); err != nil || len(cache.lists(t)) != 2 {
		t.Fatalf("lists %v, %v; want both", cache.lists(t), err)
	}
}

// A version and hardware have one set of images: who comes second, or later by a
// moment, is refused.
func TestVersionTaken(t *testing.T) {
	other := cut(t, "1.0", "esp32", 9)
	other.Manifest.Image = component(other, "app", "something else")
	signAgain(t, other)
	mine := cut(t, "1.0", "esp32", 1)

	onEach(t, func(t *testing.T, host string) {
		newShelf(t, mine).push(t, host, "1.0", "")
		if _, err := newShelf(t, other).tryPush(t, host, "1.0", ""); !errors.Is(err, bundle.ErrVersionTaken) {
			t.Errorf("second: got %v, want ErrVersionTaken", err)
		}
	})

	var meanwhile func()
	host := inMemory(t, true, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			if req.Method == http.MethodPut && strings.HasSuffix(req.URL.Path, manifestOf(t, other)) {
				meanwhile()
			}
			next.ServeHTTP(w, req)
		})
	})
	meanwhile = once(func() { newShelf(t, mine).push(t, host, "1.0", "") })
	if _, err := newShelf(t, other).tryPush(t, host, "1.0", ""); !errors.Is(err, bundle.ErrVersionTaken) {
		t.Errorf("later by a moment: got %v, want ErrVersionTaken", err)
	}
	to := newShelf(t)
	to.pull(t, host, "1.0")
	to.holds(t, mine)
	newShelf(t, cut(t, "1.0", "door", 3)).push(t, host, "1.0", "") // is not in the way of others
}

// manifestOf is the end of the own tag of r's image manifest.
func manifestOf(t testing.TB, r *release.Release) string {
	t.Helper()
	return newShelf(t, r).packed(t, r.Manifest.Version)[0].Descriptor.Digest.Encoded()
}
