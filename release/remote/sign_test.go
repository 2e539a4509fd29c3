package remote

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/tcpboot/tcpboot/release/attest"
	"github.com/tcpboot/tcpboot/release/bundle"
)

// The list that a tag names is signed once, with the referrers API or without it;
// when somebody has added to the version, its new list can be signed.
func TestAttachToIndex(t *testing.T) {
	ctx := context.Background()
	onEach(t, func(t *testing.T, host string) {
		s, repo := newShelf(t, cut(t, "1.0", "esp32", 1)), open(t, host)
		sign := func() (digest string, wrote bool) {
			t.Helper()
			index := s.push(t, host, "1.0", "").Index
			listed, err := repo.Referrers(ctx, index)
			if err != nil {
				t.Fatal(err)
			}
			list, err := bundle.ReadAttached(ctx, repo, index, listed)
			if err != nil {
				t.Fatal(err)
			}
			files, err := bundle.ReadAttachments(ctx, repo, list)
			if err != nil {
				t.Fatal(err)
			}
			missing, err := bundle.SignIndex("1.0", index, files, key(t))
			if err != nil || len(missing)+len(files) != 1 {
				t.Fatalf("%d to attach, %d there, %v; want one of them", len(missing), len(files), err)
			}
			if wrote, err = repo.Attach(ctx, index, missing); err != nil {
				t.Fatal(err)
			}
			if got := attached(t, host, index); len(got) != 1 {
				t.Errorf("attached %v, want 1", got)
			}
			return index.Digest.String(), wrote
		}
		first, wrote := sign()
		if !wrote {
			t.Error("nothing was written")
		}
		if again, wrote := sign(); again != first || wrote {
			t.Errorf("again: %s, written %v; want the same", again, wrote)
		}
		if err := s.Store(ctx, cut(t, "1.0", "door", 2)); err != nil {
			t.Fatal(err)
		}
		if next, wrote := sign(); next == first || !wrote {
			t.Errorf("a list with more in it: %s, written %v", next, wrote)
		}
	})
}

// Whoever finds a release in the registry finds what goes with it, whenever a push
// of it has ended.
func TestAttachedComesFirst(t *testing.T) {
	r := cut(t, "1.0", "esp32", 1)
	s := newShelf(t)
	if err := s.Store(context.Background(), r, bundle.Attachment{Name: "a", Kind: attest.BundleType, Data: []byte("{}")}); err != nil {
		t.Fatal(err)
	}
	subject := s.packed(t, "1.0")[0].Descriptor
	for _, referrers := range []bool{true, false} {
		var host string
		looked := 0
		host = inMemory(t, referrers, func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
				if req.Method == http.MethodPut && strings.Contains(req.URL.Path, "/manifests/"+group("1.0")) {
					looked++
					if got := attached(t, host, subject); len(got) != 1 {
						t.Errorf("referrers API %v: the release comes with %v attached, want 1", referrers, got)
					}
				}
				next.ServeHTTP(w, req)
			})
		})
		if s.push(t, host, "1.0", ""); looked != 1 {
			t.Errorf("referrers API %v: the release was put %d times, want once", referrers, looked)
		}
	}
}
