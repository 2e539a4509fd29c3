package site

import (
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
