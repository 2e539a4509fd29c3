package server

import "runtime"

// A desk bounds how many work on one kind of thing at once, when Recheck wakes
// everybody.
type desk chan struct{}

func newDesk() desk { return make(desk, 2*runtime.GOMAXPROCS(0)) }

// aside runs f on a goroutine of its own and waits for it. The deep stack of a
// database or a log handler then lasts no longer than the call, and the
// thousands of goroutines that wait for boards keep their small ones.
func (d desk) aside(f func()) {
	d <- struct{}{}
	done := make(chan struct{})
	go func() {
		defer func() { <-d; close(done) }()
		f()
	}()
	<-done
}
