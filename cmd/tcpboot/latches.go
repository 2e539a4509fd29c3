package main

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/registry"
)

// latches are in the visits, for all servers, and in memory for this one. They are
// written aside: no board waits for a disk that is slow, locked or full. What could
// not be written is tried again at the board's next request.
type latches struct {
	visits *registry.Visits
	log    *slog.Logger
	done   chan struct{}

	mu      sync.Mutex
	more    *sync.Cond
	closed  bool
	known   map[fleet.MAC]certificateMark // of what is written, or waits to be; zero: of neither
	waiting []latching
}

// A certificateMark begins the digest of a certificate.
type certificateMark [8]byte

// A latching is a board that was heard, and what it proved itself with.
type latching struct {
	mac         fleet.MAC
	certificate []byte
	at          time.Time
}

func newLatches(v *registry.Visits, log *slog.Logger) *latches {
	l := &latches{visits: v, log: log, known: map[fleet.MAC]certificateMark{}, done: make(chan struct{})}
	l.more = sync.NewCond(&l.mu)
	go l.write()
	return l
}

// Latch is server.Latches.
func (l *latches) Latch(m fleet.MAC, certificate []byte) {
	digest := fleet.Sum(certificate)
	mark := certificateMark(digest[:8])
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.known[m] == mark:
	case l.closed || len(l.waiting) == backlog:
		l.known[m] = certificateMark{}
	default:
		l.known[m] = mark
		l.waiting = append(l.waiting, latching{m, certificate, time.Now()})
		l.more.Signal()
	}
}

func (l *latches) write() {
	defer close(l.done)
	for batch := l.next(); len(batch) > 0; batch = l.next() {
		for i, heard := range batch {
			if err := l.record(heard); err != nil {
				l.forget(batch[i:])
				l.log.Error("latches not recorded", "count", len(batch)-i, "error", err)
				break
			}
		}
	}
}

// next waits for what is to be written; nothing is at the end.
func (l *latches) next() (batch []latching) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.waiting) == 0 && !l.closed {
		l.more.Wait()
	}
	batch, l.waiting = l.waiting, nil
	return batch
}

func (l *latches) record(heard latching) error {
	ctx := context.Background()
	return errors.Join(l.visits.Latch(ctx, heard.mac, heard.at), l.visits.JoinRenewal(ctx, heard.mac, heard.certificate, heard.at))
}

// forget keeps in mind that they were heard, and not that it is written.
func (l *latches) forget(unwritten []latching) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, heard := range unwritten {
		l.known[heard.mac] = certificateMark{}
	}
}

// Latched is server.Latches.
func (l *latches) Latched(ctx context.Context, m fleet.MAC) (bool, error) {
	l.mu.Lock()
	_, here := l.known[m]
	l.mu.Unlock()
	if here {
		return true, nil
	}
	since, err := l.visits.Latched(ctx, m)
	return !since.IsZero(), err
}

// close returns when all is written that can be.
func (l *latches) close() {
	l.mu.Lock()
	l.closed = true
	l.more.Signal()
	l.mu.Unlock()
	<-l.done
}
