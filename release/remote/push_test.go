package remote

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2"
	"oras.land/oras-go/v2/content/memory"

	"github.com/tcpboot/tcpboot/release"
	"github.com/tcpboot/tcpboot/release/bundle"
)

func TestPushAndPull(t *testing.T) {
	onEach(t, func(t *testing.T, host string) {
		one, again, door, two := cut(t, "1.0", "esp32", 1), cut(t, "1.0", "esp32", 2), cut(t, "1.0", "door", 3), cut(t, "2.0", "esp32", 4)
		from := newShelf(t, one, again, door, two)
		from.push(t, host, "1.0", "stable")
		from.push(t, host, "2.0", "")

		to := newShelf(t)
		to.pull(t, host, "1.0")
		to.holds(t, one, again, door)
		to.pull(t, host, "2.0")
		to.holds(t, one, again, door, two)
		to.pull(t, host, "stable")
		to.holds(t, one, again, door, two)

		byDigest := newShelf(t)
		byDigest.pull(t, host, from.packed(t, "2.0")[0].Descriptor.Digest.String())
		byDigest.holds(t, two)
	})
}

// What was pulled is what was cut, down to the digests: pushed from there it is
// the same.
func TestSameDigestsEverywhere(t *testing.T) {
	onEach(t, func(t *testing.T, host string) {
		releases := []*release.Release{cut(t, "1.0", "esp32", 1), cut(t, "1.0", "door", 2), cut(t, "1.0", "esp32", 3)}
		first := newShelf(t, releases...).push(t, host, "1.0", "")
		slices.Reverse(releases)
		elsewhere := inMemory(t, true, nil)
		if got := newShelf(t, releases...).push(t, elsewhere, "1.0", ""); got.Index.Digest != first.Index.Digest {
			t.Errorf("pushed in another order: index %s, want %s", got.Index.Digest, first.Index.Digest)
		}
		pulled := newShelf(t)
		pulled.pull(t, host, "1.0")
		if got := pulled.push(t, host, "1.0", ""); !got.Complete || got.Index.Digest != first.Index.Digest {
			t.Errorf("pushed from where it was pulled: %+v, want nothing to do", got)
		}
	})
}

// Running it again sends what is missing, and nothing else.
func TestPushAgain(t *testing.T) {
	var writes atomic.Int64
	var cutOff atomic.Bool
	host := inMemory(t, false, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			if req.Method != http.MethodGet && req.Method != http.MethodHead {
				writes.Add(1)
				if cutOff.Load() && strings.Contains(req.URL.Path, "/manifests/") {
					w.WriteHeader(http.StatusForbidden)
					return
				}
			}
			next.ServeHTTP(w, req)
		})
	})
	s := newShelf(t, cut(t, "1.0", "esp32", 1))
	cutOff.Store(true)
	if _, err := s.tryPush(t, host, "1.0", ""); !errors.Is(err, ErrDenied) {
		t.Fatalf("got %v, want ErrDenied", err)
	}
	cutOff.Store(false)
	if got := s.push(t, host, "1.0", "latest"); got.Blobs != 0 || got.Complete {
		t.Errorf("after a push that was cut off: %+v, want no blob sent", got)
	}
	writes.Store(0)
	if got := s.push(t, host, "1.0", "latest"); !got.Complete || writes.Load() != 0 {
		t.Errorf("the same again: %+v, %d writes, want none", got, writes.Load())
	}
}

// A pusher whose index replaces that of another, written since it looked, puts
// it right.
func TestTwoPushersLoseNothing(t *testing.T) {
	for _, referrers := range []bool{true, false} {
		mine, other, third := cut(t, "1.0", "esp32", 1), cut(t, "1.0", "door", 2), cut(t, "1.0", "window", 3)
		var meanwhile func()
		host := inMemory(t, referrers, func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
				if req.Method == http.MethodPut && strings.HasSuffix(req.URL.Path, "/manifests/1.0") {
					meanwhile()
				}
				next.ServeHTTP(w, req)
			})
		})
		meanwhile = once(func() { newShelf(t, other).push(t, host, "1.0", "") })
		newShelf(t, mine).push(t, host, "1.0", "")
		to := newShelf(t)
		to.pull(t, host, "1.0")
		to.holds(t, mine, other)

		newShelf(t, third).push(t, host, "1.0", "")
		to.pull(t, host, "1.0")
		to.holds(t, mine, other, third)
	}
}

func TestManyPushersAtOnce(t *testing.T) {
	onEach(t, func(t *testing.T, host string) {
		var all []*release.Release
		var pushers []*shelf
		for i, hardware := range []string{"a", "b", "c", "d", "e"} {
			all = append(all, cut(t, "1.0", hardware, uint64(i+1)))
			pushers = append(pushers, newShelf(t, all[i]))
		}
		var wg sync.WaitGroup
		for _, s := range pushers {
			packed := s.packed(t, "1.0")
			wg.Go(func() {
				if _, err := open(t, host).Push(context.Background(), s.Layout, "1.0", packed, "", ours); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		to := newShelf(t)
		to.pull(t, host, "1.0")
		to.holds(t, all...)
	})
}

// What another tool attached to a release in one registry is pulled with it, and
// pushed to the next, with or without the referrers API there.
func TestAttached(t *testing.T) {
	onEach(t, func(t *testing.T, host string) {
		r := cut(t, "1.0", "esp32", 1)
		from := newShelf(t, r)
		from.push(t, host, "1.0", "")
		subject := from.packed(t, "1.0")[0].Descriptor
		want := []string{attach(t, host, subject, `{"bomFormat":"CycloneDX"}`).Digest.String(), attach(t, host, subject, `{}`).Digest.String()}
		slices.Sort(want)

		to := newShelf(t)
		to.pull(t, host, "1.0")
		to.holds(t, r)
		for name, next := range registries {
			host := next(t)
			to.push(t, host, "1.0", "")
			if got := attached(t, host, subject); !slices.Equal(got, want) {
				t.Errorf("%s: attached %v, want %v", name, got, want)
			}
			if got := to.push(t, host, "1.0", ""); !got.Complete {
				t.Errorf("%s: the same again: %+v", name, got)
			}
		}
	})
}

// Two who attach to one release at once, where the client keeps the list, both
// find their attachment in it.
func TestTwoAttachersLoseNothing(t *testing.T) {
	r := cut(t, "1.0", "esp32", 1)
	source := func(text string) *shelf {
		host, s := inMemory(t, true, nil), newShelf(t, r)
		s.push(t, host, "1.0", "")
		attach(t, host, s.packed(t, "1.0")[0].Descriptor, text)
		s.pull(t, host, "1.0")
		return s
	}
	mine, other := source("mine"), source("other")
	subject := mine.packed(t, "1.0")[0].Descriptor
	var meanwhile func()
	host := inMemory(t, false, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			if req.Method == http.MethodPut && strings.Contains(req.URL.Path, "/manifests/sha256-") {
				meanwhile()
			}
			next.ServeHTTP(w, req)
		})
	})
	meanwhile = once(func() { other.push(t, host, "1.0", "") })
	mine.push(t, host, "1.0", "")
	if got := attached(t, host, subject); len(got) != 2 {
		t.Fatalf("attached %v, want both", got)
	}
}

// oras copies a version whole, by its tag.
func TestOrasReadsWhatWasPushed(t *testing.T) {
	onEach(t, func(t *testing.T, host string) {
		s := newShelf(t, cut(t, "1.0", "esp32", 1), cut(t, "1.0", "door", 2))
		want := s.push(t, host, "1.0", "")
		to := memory.New()
		got, err := oras.Copy(context.Background(), open(t, host).repo, "1.0", to, "1.0", oras.DefaultCopyOptions)
		if err != nil || got.Digest != want.Index.Digest {
			t.Fatalf("%s, %v; want %s", got.Digest, err, want.Index.Digest)
		}
		for _, p := range s.packed(t, "1.0") {
			for _, layer := range p.Layers {
				if there, err := to.Exists(context.Background(), layer); err != nil || !there {
					t.Errorf("%s: %v, %v", layer.Annotations[ocispec.AnnotationTitle], there, err)
				}
			}
		}
	})
}

// A tag is taken from nobody else.
func TestPushRefuses(t *testing.T) {
	foreign := cut(t, "1.0", "esp32", 1)
	foreign.Manifest.Site = "away"
	signAgain(t, foreign)
	onEach(t, func(t *testing.T, host string) {
		away := newShelf(t, foreign)
		if _, err := open(t, host).Push(context.Background(), away.Layout, "1.0", away.packed(t, "1.0"), "", func(*release.Release) error { return nil }); err != nil {
			t.Fatal(err)
		}
		attach(t, host, away.packed(t, "1.0")[0].Descriptor, "{}")
		s := newShelf(t, cut(t, "1.0", "esp32", 1), cut(t, "2.0", "esp32", 2), cut(t, "3.0", "esp32", 3))
		s.push(t, host, "2.0", "")
		for _, row := range []struct{ name, version, alias, want string }{
			{"another site's index", "1.0", "", "of another site"},
			{"a tag that is a version", "3.0", "2.0", "is the name of another version"},
			{"a tag of ours", "3.0", "tcpboot.x", "not to be given by hand"},
			{"a tag of the referrers", "3.0", "sha256-x", "not to be given by hand"},
		} {
			if _, err := s.tryPush(t, host, row.version, row.alias); err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("%s: got %v, want an error about %q", row.name, err, row.want)
			}
		}
		repo := open(t, host).repo
		if err := repo.Tag(context.Background(), s.packed(t, "2.0")[0].Descriptor, "4.0"); err != nil {
			t.Fatal(err)
		}
		s = newShelf(t, cut(t, "4.0", "esp32", 4))
		if _, err := s.tryPush(t, host, "4.0", ""); !errors.Is(err, bundle.ErrForeign) {
			t.Errorf("a tag of something else: got %v, want ErrForeign", err)
		}
	})
}

// A registry that keeps files denies for a moment what it is just writing again.
func TestDeniedForAMoment(t *testing.T) {
	const denial = `{"errors":[{"code":"DIGEST_INVALID"},{"code":"MANIFEST_BLOB_UNKNOWN","message":"blob unknown to registry"}]}`
	for times, want := range map[int64]bool{1: true, putTries - 1: true, putTries: false} {
		var left atomic.Int64
		left.Store(times)
		host := inMemory(t, true, func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
				if req.Method != http.MethodPut || !strings.Contains(req.URL.Path, "/manifests/") || left.Add(-1) < 0 {
					next.ServeHTTP(w, req)
					return
				}
				w.WriteHeader(http.StatusBadRequest)
				w.Write([]byte(denial))
			})
		})
		s := newShelf(t, cut(t, "1.0", "esp32", 1))
		_, err := s.tryPush(t, host, "1.0", "")
		if (err == nil) != want {
			t.Errorf("denied %d times: %v", times, err)
		}
	}
}
