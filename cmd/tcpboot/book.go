package main

import (
	"context"
	"log/slog"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/registry"
)

// A book writes what boards do in batches, so that no board waits for the disk.
type book[T any] struct {
	what   string
	append func(context.Context, []T) error
	log    *slog.Logger
	in     chan T
	done   chan struct{}
}

// backlog is how many entries may wait for the disk; more are dropped and said so.
const backlog = 4096

func newVisitBook(v *registry.Visits, log *slog.Logger) *book[fleet.Visit] {
	return newBook("visits", v.Append, log)
}

// newReportBook is the book of reports: each is from the board that it names.
func newReportBook(v *registry.Visits, log *slog.Logger) *book[fleet.Report] {
	return newBook("reports", v.Report, log)
}

func newBook[T any](what string, write func(context.Context, []T) error, log *slog.Logger) *book[T] {
	b := &book[T]{what: what, append: write, log: log, in: make(chan T, backlog), done: make(chan struct{})}
	go b.write()
	return b
}

func (b *book[T]) add(entry T) {
	select {
	case b.in <- entry:
	default:
		b.log.Warn(b.what + " not recorded: the disk does not keep up")
	}
}

func (b *book[T]) write() {
	defer close(b.done)
	for first := range b.in {
		batch := []T{first}
		for len(b.in) > 0 && len(batch) < backlog {
			batch = append(batch, <-b.in)
		}
		if err := b.append(context.Background(), batch); err != nil {
			b.log.Error(b.what+" not recorded", "count", len(batch), "error", err)
		}
	}
}

func (b *book[T]) close() error {
	close(b.in)
	<-b.done
	return nil
}
