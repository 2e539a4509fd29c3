package main

import (
	"context"
	"database/sql"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/registry"
)

// A board that was heard is latched at once, and no board waits for a disk that
// does not take it: not for one that somebody has locked, nor for one that is full
// or may only be read. It is written as soon as that is over.
func TestLatchesOnABadDisk(t *testing.T) {
	for name, spoil := range map[string]func(t *testing.T, db *sql.DB) (mend func()){
		"locked": func(t *testing.T, db *sql.DB) func() {
			conn, err := db.Conn(t.Context())
			if err == nil {
				_, err = conn.ExecContext(t.Context(), "BEGIN IMMEDIATE")
			}
			if err != nil {
				t.Fatal(err)
			}
			return func() { conn.ExecContext(t.Context(), "ROLLBACK"); conn.Close() }
		},
		"refusing": func(t *testing.T, db *sql.DB) func() {
			if _, err := db.ExecContext(t.Context(), "ALTER TABLE latch RENAME TO gone"); err != nil {
				t.Fatal(err)
			}
			return func() { db.ExecContext(t.Context(), "ALTER TABLE gone RENAME TO latch") }
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "visits.db")
			visits, err := registry.OpenVisits(t.Context(), path)
			if err != nil {
				t.Fatal(err)
			}
			defer visits.Close()
			db, err := sql.Open("sqlite", path)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			mend := spoil(t, db)
			told := make(lineSignal, 100)
			l := newLatches(visits, slog.New(slog.NewTextHandler(told, nil)))
			m := fleet.MAC{0x24, 0x6f, 0x28, 0xaa, 0x10, 2}
			began := time.Now()
			l.Latch(m, []byte("certificate"))
			if latched, err := l.Latched(t.Context(), m); !latched || err != nil {
				t.Errorf("latched %v, %v", latched, err)
			}
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("the board waited for %v", took)
			}
			if name == "refusing" {
				<-told
			}
			mend()
			l.Latch(m, []byte("certificate"))
			l.close()
			if since, err := visits.Latched(context.Background(), m); since.IsZero() || err != nil {
				t.Errorf("not written: %v", err)
			}
		})
	}
}

// A lineSignal is a log that says when there is a line.
type lineSignal chan struct{}

func (s lineSignal) Write(line []byte) (int, error) {
	s <- struct{}{}
	return len(line), nil
}
