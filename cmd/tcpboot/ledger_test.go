package main

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/registry"
	"github.com/tcpboot/tcpboot/pki/registry/registrytest"
	"github.com/tcpboot/tcpboot/release/server"
	"github.com/tcpboot/tcpboot/release/sitedoc"
)

// withLedger gives h the reports of its site, as serve does.
func (h *served) withLedger(log *slog.Logger) {
	h.Helper()
	visits, err := registry.OpenVisits(context.Background(), filepath.Join(h.dir, "visits.db"))
	if err != nil {
		h.Fatal(err)
	}
	h.Cleanup(func() { visits.Close() })
	h.ledger = &ledger{visits: visits, settings: h.settings, log: log}
}

// reported is what h does with what boards say.
func (h *served) reported(all ...fleet.Report) {
	h.Helper()
	if err := h.ledger.visits.Report(context.Background(), all); err != nil {
		h.Fatal(err)
	}
}

func (h *served) nothingFor(d fleet.Device) {
	h.Helper()
	if _, err := h.Pick(context.Background(), d); !errors.Is(err, server.ErrNothing) {
		h.Fatalf("the board gets %v, want nothing", err)
	}
}

// failedBoard is what the n-th board reports of what is offered.
func (h *served) failedBoard(n int) fleet.Report {
	return fleet.Report{MAC: registrytest.MAC(n), Manifest: h.offered[0].Manifest, Outcome: fleet.Failed, Cause: fleet.Unconfirmed, Time: time.Now()}
}

// TestServerStops: a server holds an offer back as soon as it knows of too many
// failures, also after a restart, and until somebody resumes it.
func TestServerStops(t *testing.T) {
	h, log := newServed(t), new(strings.Builder)
	h.withLedger(slog.New(slog.NewTextHandler(log, nil)))
	w := &watch{shelf: h.shelf, log: h.ledger.log}
	look := func() (recheck bool) {
		h.ledger.notBefore = time.Time{}
		return w.look(context.Background(), time.Now())
	}
	h.run("release", "publish", "1.0", "--stop", "2")
	look()
	h.gets(esp32Board, "1.0")
	h.reported(h.failedBoard(1))
	h.reported(h.failedBoard(1)) // one board is one board, however often it fails
	h.reported(fleet.Report{MAC: registrytest.MAC(2), Manifest: h.offered[0].Manifest, Outcome: fleet.Confirmed, Time: time.Now()})
	if look() {
		t.Error("boards that wait are asked about again for one failure")
	}
	h.gets(esp32Board, "1.0")

	h.reported(h.failedBoard(3))
	look()
	h.nothingFor(esp32Board)
	if said := log.String(); strings.Count(said, "rollout stopped") != 1 || !strings.Contains(said, "2 failed and 0 fell silent") {
		t.Errorf("the log says %s", said)
	}
	again := &served{T: t, shelf: h.open(), dir: h.dir, env: h.env, arrived: h.arrived}
	again.withLedger(slog.New(slog.DiscardHandler))
	again.refreshes(offers)
	again.nothingFor(esp32Board)

	// A server whose clock is ahead stops no longer either.
	ahead := fleet.Stop{Manifest: h.offered[0].Manifest, Time: time.Now().Add(time.Hour), Reason: "2 failed"}
	if err := h.ledger.visits.Stop(context.Background(), ahead); err != nil {
		t.Fatal(err)
	}
	h.run("release", "resume")
	if look(); h.now.Load().offers[0].Paused {
		t.Error("still held back when it is resumed")
	}
	h.gets(esp32Board, "1.0")
}

// TestServerBoxes: a board that fails again and again is not offered what it fails
// at; a claim of the old protocol is not even looked up.
func TestServerBoxes(t *testing.T) {
	h := newServed(t)
	h.withLedger(slog.New(slog.DiscardHandler))
	ours := esp32Board
	ours.Loader.Level = 2
	for range 3 {
		h.gets(ours, "1.0")
		r := h.failedBoard(1)
		r.MAC = ours.MAC
		if err := h.ledger.visits.Report(context.Background(), []fleet.Report{r}); err != nil {
			t.Fatal(err)
		}
	}
	h.nothingFor(ours)
	h.gets(esp32Board, "1.0")
	if choice, err := h.decide(context.Background(), sitedoc.Firmware, ours, time.Now().Add(25*time.Hour)); err != nil || choice.Release.Manifest.Version != "1.0" {
		t.Errorf("a day later: %+v, %v", choice, err)
	}
	h.ledger.visits.Close()
	h.gets(ours, "1.0") // what cannot be read keeps nothing from a board
}
