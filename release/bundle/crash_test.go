package bundle

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tcpboot/tcpboot/release"
)

// killed is what dies at a step panics with. Nothing on the way up cleans the
// disk, so it looks as a killed process leaves it.
type killed struct{}

// killAt runs f and lets it die at step n; it reports whether f got that far.
func killAt(t *testing.T, n int, f func() error) (died bool) {
	t.Helper()
	defer func() {
		step = func(string) {}
		if r := recover(); r != nil {
			if _, ok := r.(killed); !ok {
				panic(r)
			}
			died = true
		}
	}()
	step = func(string) {
		if n--; n < 0 {
			panic(killed{})
		}
	}
	if err := f(); err != nil {
		t.Fatal(err)
	}
	return false
}

func TestStoreKilledAnywhere(t *testing.T) {
	ctx := context.Background()
	for n := 0; ; n++ {
		l := newLayout(t)
		old, next := cut(t, "1.0", 1, "mcu"), cut(t, "1.0", 2, "mcu")
		fresh := cut(t, "2.0", 3)
		store(t, l, old)
		storeBoth := func() error { return errors.Join(l.Store(ctx, next), l.Store(ctx, fresh)) }
		died := killAt(t, n, storeBoth)

		checkLayout(t, l, old) // whatever happened
		for _, r := range []*release.Release{next, fresh} {
			if _, err := l.Load(ctx, r.Digest); err != nil && !errors.Is(err, fs.ErrNotExist) {
				t.Fatalf("killed at step %d: %v", n, err)
			}
		}
		store(t, l, next, fresh)
		checkLayout(t, l, old, next, fresh)
		if left := temporary(t, l); len(left) > 0 {
			t.Fatalf("killed at step %d: the next Store left %v", n, left)
		}
		if !died {
			if n < 20 {
				t.Fatalf("only %d steps: they do not cover the work", n)
			}
			return
		}
	}
}

func TestCreateKilledAnywhere(t *testing.T) {
	for n := 0; ; n++ {
		dir := filepath.Join(t.TempDir(), "releases")
		create := func() error { _, err := Create(dir); return err }
		if !killAt(t, n, create) {
			return
		}
		l, err := Create(dir)
		if errors.Is(err, fs.ErrExist) {
			l, err = Open(dir)
		}
		if err != nil {
			t.Fatalf("killed at step %d: %v", n, err)
		}
		store(t, l, cut(t, "1.0", 1))
	}
}

func temporary(t *testing.T, l *Layout) []string {
	t.Helper()
	var found []string
	for name := range snapshot(t, l.dir) {
		if strings.HasPrefix(filepath.Base(name), tempPrefix) {
			found = append(found, name)
		}
	}
	return found
}

// The order decides what a power cut can do: every blob is on disk, and its name, and
// so is the new index, before the index has its name.
func TestOrderOfWrites(t *testing.T) {
	l := newLayout(t)
	var got []string
	step = func(act string) { got = append(got, act) }
	defer func() { step = func(string) {} }()
	r := cut(t, "1.0", 1)
	if err := l.Store(context.Background(), r); err != nil {
		t.Fatal(err)
	}
	var want []string
	p, err := pack(r)
	if err != nil {
		t.Fatal(err)
	}
	version := versionIndex(t, l, "1.0")
	for _, b := range append(p.blobs, blob{digest: digestOf(version)}) {
		want = append(want, "create", "write", "rename "+b.digest.Hex())
	}
	want = append(want, "create", "write", "sync", "sync folder sha256", "rename index.json", "sync folder releases")
	if !slices.Equal(got, want) {
		t.Fatalf("got:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestStoreWaitsForTheLock(t *testing.T) {
	l := newLayout(t)
	unlock, err := lock(context.Background(), l.dir)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := l.Store(ctx, cut(t, "1.0", 1)); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want context.Canceled", err)
	}
	unlock()
	store(t, l, cut(t, "1.0", 1))
}

const writers, releasesEach = 3, 4

// Processes that store at once lose nothing. The test runs itself as writers.
func TestStoreFromManyProcesses(t *testing.T) {
	if dir := os.Getenv("BUNDLE_TEST_WRITE_TO"); dir != "" {
		writeAll(t, dir, os.Getenv("BUNDLE_TEST_WRITER"))
		return
	}
	l := newLayout(t)
	var running []*exec.Cmd
	for w := range writers {
		c := exec.Command(os.Args[0], "-test.run=^TestStoreFromManyProcesses$")
		c.Env = append(os.Environ(), "BUNDLE_TEST_WRITE_TO="+l.dir, fmt.Sprintf("BUNDLE_TEST_WRITER=%d", w))
		c.Stderr = os.Stderr
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		running = append(running, c)
	}
	for _, c := range running {
		if err := c.Wait(); err != nil {
			t.Error(err)
		}
	}
	all, err := l.Releases(context.Background())
	if err != nil || len(all) != writers*releasesEach {
		t.Fatalf("%d releases, %v; want %d", len(all), err, writers*releasesEach)
	}
	checkLayout(t, l)
}

func writeAll(t *testing.T, dir, writer string) {
	l, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	for i := range releasesEach {
		if err := l.Store(context.Background(), cut(t, fmt.Sprintf("%s.%d", writer, i), 1)); err != nil {
			t.Fatal(err)
		}
	}
}

// A release exists with all that goes with it, or not at all.
func TestStoreAttachedKilledAnywhere(t *testing.T) {
	ctx := context.Background()
	r := cutApp(t, "1.0", 1)
	all := attachedTo(t, r)
	for n := 0; ; n++ {
		l := newLayout(t)
		died := killAt(t, n, func() error { return l.Store(ctx, r, all...) })
		if _, err := l.Load(ctx, r.Digest); err == nil && len(openIn(judgeStored(t, l, r))) > 0 {
			t.Fatalf("killed at step %d: the release is there, and open is %q", n, openIn(judgeStored(t, l, r)))
		}
		if err := l.Store(ctx, r, all...); err != nil {
			t.Fatalf("killed at step %d: %v", n, err)
		}
		if open := openIn(judgeStored(t, l, r)); len(open) > 0 {
			t.Fatalf("killed at step %d, and stored again: open is %q", n, open)
		}
		if !died {
			return
		}
	}
}
