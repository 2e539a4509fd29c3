package main

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/registry"
)

// What was added before the end is written, and what comes later harms nobody.
func TestVisitBookEnds(t *testing.T) {
	visits, err := registry.OpenVisits(t.Context(), filepath.Join(t.TempDir(), "visits.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer visits.Close()
	b := newVisitBook(visits, slog.New(slog.DiscardHandler))
	for n := range byte(200) {
		b.add(fleet.Visit{MAC: fleet.MAC{0x24, 0x6f, 0x28, 0, 0, n}, Time: time.Now()})
	}
	b.close()
	b.add(fleet.Visit{MAC: fleet.MAC{0x24, 0x6f, 0x28, 1}, Time: time.Now()})
	n := 0
	for _, err := range visits.All(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n != 200 {
		t.Errorf("%d visits are written, want 200", n)
	}
}
