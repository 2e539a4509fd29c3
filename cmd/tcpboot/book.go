package main

import (
	"context"
	"log/slog"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/registry"
)

// A visitBook writes visits in batches, so that no board waits for the disk.
type visitBook struct {
	visits *registry.Visits
	log    *slog.Logger
	in     chan fleet.Visit // never closed: a board that was cut off may add one last
	stop   chan struct{}
	done   chan struct{}
}

// backlog is how many visits may wait for the disk; more are dropped and said so.
const backlog = 4096

func newVisitBook(v *registry.Visits, log *slog.Logger) *visitBook {
	b := &visitBook{visits: v, log: log, in: make(chan fleet.Visit, backlog), stop: make(chan struct{}), done: make(chan struct{})}
	go b.write()
	return b
}

func (b *visitBook) add(v fleet.Visit) {
	select {
	case b.in <- v:
	default:
		b.log.Warn("visit not recorded: the disk does not keep up", "mac", v.MAC.String())
	}
}

func (b *visitBook) write() {
	defer close(b.done)
	for {
		select {
		case first := <-b.in:
			b.append(first)
		case <-b.stop:
			for len(b.in) > 0 {
				b.append(<-b.in)
			}
			return
		}
	}
}

// append writes first, and those that wait behind it.
func (b *visitBook) append(first fleet.Visit) {
	batch := []fleet.Visit{first}
	for len(b.in) > 0 && len(batch) < backlog {
		batch = append(batch, <-b.in)
	}
	if err := b.visits.Append(context.Background(), batch); err != nil {
		b.log.Error("visits not recorded", "count", len(batch), "error", err)
	}
}

// close returns when what was added is written. What is added later is forgotten.
func (b *visitBook) close() {
	close(b.stop)
	<-b.done
}
