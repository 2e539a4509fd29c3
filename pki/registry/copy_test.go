package registry_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/registry"
	"github.com/tcpboot/tcpboot/pki/registry/registrytest"
)

// TestCopyTo copies a registry while somebody changes it: the copy is of one
// moment.
func TestCopyTo(t *testing.T) {
	url := create(t)
	f, ctx := open(t, url), t.Context()
	stop, stopped := make(chan struct{}), make(chan error)
	go func() {
		for n := 0; ; n++ {
			select {
			case <-stop:
				stopped <- nil
				return
			default:
			}
			mac := registrytest.MAC(n)
			if err := errors.Join(f.Add(ctx, []registry.Entry{registrytest.Entry(n)}), f.Activate(ctx, []fleet.MAC{mac})); err != nil {
				stopped <- err
				return
			}
		}
	}()
	for n := range 10 {
		path := filepath.Join(t.TempDir(), "copy.db")
		if err := f.CopyTo(ctx, path); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("copy %d: %v, %v", n, info.Mode(), err)
		}
		head, err := open(t, "sqlite:"+path).VerifyAudit(ctx)
		if err != nil {
			t.Errorf("copy %d: %v", n, err)
		}
		if err := f.Holds(ctx, head); err != nil {
			t.Errorf("copy %d: %v", n, err)
		}
		if err := f.CopyTo(ctx, path); !errors.Is(err, fs.ErrExist) {
			t.Errorf("over what is there: %v", err)
		}
	}
	close(stop)
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

// TestReplace puts a copy in the place of a database whose log is not empty, and
// finishes what was cut off at any place.
func TestReplace(t *testing.T) {
	url := create(t)
	f := open(t, url)
	staged := path(url) + ".staged"
	if err := f.CopyTo(t.Context(), staged); err != nil {
		t.Fatal(err)
	}
	registrytest.Enrol(t, f, registrytest.Entry(1)) // in the log alone
	if info, err := os.Stat(path(url) + "-wal"); err != nil || info.Size() == 0 {
		t.Fatalf("%v, %v", info, err)
	}
	kept, err := registry.Replace(staged, path(url))
	if err != nil || !strings.HasPrefix(kept, path(url)+".replaced-") {
		t.Fatalf("%q, %v", kept, err)
	}
	for file, want := range map[string]uint64{path(url): 0, kept: 2} {
		if head, err := open(t, "sqlite:"+file).VerifyAudit(t.Context()); err != nil || head.Sequence != want {
			t.Errorf("%s: at %d, %v, want %d", file, head.Sequence, err, want)
		}
	}
	if err := open(t, url).CopyTo(t.Context(), staged); err != nil {
		t.Fatal(err)
	}
	again, err := registry.Replace(staged, filepath.Join(filepath.Dir(path(url)), "none.db"))
	if err != nil || again != "" {
		t.Errorf("nothing to replace: %q, %v", again, err)
	}
}
