package site

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
)

func TestLockIsHeldByOneAtATime(t *testing.T) {
	s := &Site{Dir: t.TempDir()}
	other, err := s.Lock("elsewhere") // another name is another lock
	if err != nil {
		t.Fatal(err)
	}
	defer other()
	var inside, most atomic.Int32
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			for range 50 {
				unlock, err := s.Lock("render")
				if err != nil {
					t.Error(err)
					return
				}
				if n := inside.Add(1); n > most.Load() {
					most.Store(n)
				}
				inside.Add(-1)
				unlock()
			}
		})
	}
	all.Wait()
	if most.Load() != 1 {
		t.Errorf("%d held the lock at once", most.Load())
	}
}

func TestTryLockFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mark")
	held, err := TryLockFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := TryLockFile(path); !errors.Is(err, ErrLocked) {
		t.Errorf("while it is held: %v", err)
	}
	if err := held.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := TryLockFile(path)
	if err != nil {
		t.Fatalf("once it is free: %v", err)
	}
	again.Close()
	link := path + ".link"
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	if _, err := TryLockFile(link); err == nil {
		t.Error("a link elsewhere was followed")
	}
}
