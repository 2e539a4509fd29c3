package remote

import (
	"context"
	"testing"

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
