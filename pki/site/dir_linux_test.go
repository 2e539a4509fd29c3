package site

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// While a folder is replaced again and again, it is there at every moment, and
// whoever opens it finds one generation, complete.
func TestWriteDirIsAlwaysThere(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "d")
	generation := func(i byte) map[string][]byte { return map[string][]byte{"a": {i}, "b/c": {i}} }
	if err := WriteDir(dir, generation(0), 0o600); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(done)
		for i := range byte(100) {
			if err := WriteDir(dir, generation(i), 0o600); err != nil {
				t.Error(err)
			}
		}
	})
	for {
		select {
		case <-done:
			return
		default:
		}
		root, err := os.OpenRoot(dir)
		if err != nil {
			t.Fatalf("not there: %v", err)
		}
		a, errA := root.ReadFile("a")
		c, errC := root.ReadFile("b/c")
		// The generation we hold may be the old one, which is being removed.
		if errA == nil && errC == nil && a[0] != c[0] {
			t.Errorf("mixed generations %d and %d", a[0], c[0])
		}
		root.Close()
	}
}
