package main

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/tcpboot/tcpboot/pki/enroll"
)

// A progress is a line on a terminal that tells how far long work is. It is
// silent for work under a second, where stderr is no terminal, and with --quiet.
type progress struct {
	mu    sync.Mutex
	w     io.Writer // nil: silent
	what  string
	began time.Time
	last  time.Time
}

func newProgress(c *cli.Context, what string) *progress {
	p := &progress{what: what, began: time.Now()}
	if isTerminal(c.App.ErrWriter) && !c.Bool("quiet") {
		p.w = c.App.ErrWriter
	}
	return p
}

func (p *progress) update(done, total int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if p.w == nil || now.Sub(p.began) < time.Second || now.Sub(p.last) < 100*time.Millisecond {
		return
	}
	p.last = now
	rate := float64(done) / now.Sub(p.began).Seconds()
	if total == 0 { // nobody knows yet
		fmt.Fprintf(p.w, "\r\x1b[K%s %d, %.0f/s", p.what, done, rate)
		return
	}
	left := time.Duration(float64(total-done) / rate * float64(time.Second)).Round(time.Second)
	fmt.Fprintf(p.w, "\r\x1b[K%s %d of %d, %.0f/s, %s left", p.what, done, total, rate, left)
}

func (p *progress) done() {
	if p.w != nil && !p.last.IsZero() {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}

// watch is the list, with progress shown while it is gone through.
func (p *progress) watch(list enroll.List) enroll.List {
	return func(yield func(enroll.Request, error) bool) {
		n := 0
		for r, err := range list {
			if n++; n%1000 == 0 {
				p.update(n, 0)
			}
			if !yield(r, err) {
				return
			}
		}
	}
}
