package registry

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/tcpboot/tcpboot/pki/fleet"
)

// ClockTolerance is how far the clock may stand behind the last audit row. It
// covers a clock being stepped by NTP, a leap second and two machines that
// disagree, and stays far below the hour by which CRLs are dated back.
const ClockTolerance = 5 * time.Second

// A writer is one transaction under the write lock: what it reads stays true
// until it commits.
type writer struct {
	*Fleet
	tx       *sql.Tx
	ctx      context.Context // of the statements
	now      time.Time
	at       string // now, as text
	head     Head
	prepared map[string]*sql.Stmt
	touched  []fleet.MAC // whose admission changes
	rows     [][]any     // of the audit trail, not written yet
}

// write runs do in a transaction. Everything do does becomes true together with
// its audit rows, or nothing does.
func (f *Fleet) write(ctx context.Context, do func(*writer) error) error {
	if f.session == "" {
		return errors.New("registry: opened read-only")
	}
	for try := 1; ; try++ {
		withheld, err := f.tryWrite(ctx, do)
		if withheld {
			err = f.reflected(ctx, err)
		}
		if err == nil || try == tries || !f.again(err) {
			return told(err)
		}
	}
}

// tries is how often a change is tried that the database undid for another's sake.
const tries = 5

// tryWrite reports whether boards were withheld from the mirror, whatever became
// of the change.
func (f *Fleet) tryWrite(ctx context.Context, do func(*writer) error) (withheld bool, err error) {
	err = inTx(ctx, f.db, f.change, func(tx *sql.Tx) error {
		w := &writer{Fleet: f, tx: tx, ctx: f.statements(ctx), prepared: make(map[string]*sql.Stmt)}
		if err := w.begin(); err != nil {
			return err
		}
		if err := do(w); err != nil {
			return err
		}
		if err := w.end(); err != nil || f.mirror == nil || len(w.touched) == 0 {
			return err
		}
		withheld = true
		return f.mirror.withhold(w.ctx, w.touched)
	})
	return withheld, err
}

// touch says that the admission of a board changes.
func (w *writer) touch(mac fleet.MAC) { w.touched = append(w.touched, mac) }

// reflected puts what the registry admits back into the mirror, after a change
// that was made or not.
func (f *Fleet) reflected(ctx context.Context, made error) error {
	err := f.settle(context.WithoutCancel(ctx))
	if err == nil || made != nil {
		return errors.Join(made, err)
	}
	return fmt.Errorf("registry: the change is made, but boards that it admits cannot log in yet: %w", err)
}

// begin reads where the audit trail stands, sets the time of the change, and
// ends the graces that are over.
func (w *writer) begin() (err error) {
	var last time.Time
	if w.head, last, err = readHead(w.ctx, w.tx, w.forUpdate); err != nil {
		return err
	}
	w.now = w.Fleet.now().UTC().Round(0)
	if w.now.Before(last.Add(-ClockTolerance)) {
		return fmt.Errorf("%w: it shows %s, the last change was at %s", ErrClock,
			w.now.Format(time.RFC3339), last.Format(time.RFC3339))
	}
	if w.now.Before(last) {
		w.now = last
	}
	w.at = timeText(w.now)
	if !w.endsGraces {
		return nil
	}
	return w.expire()
}

// end writes what is left of the trail, and records its last row once more.
func (w *writer) end() error {
	if err := w.writeTrail(); err != nil {
		return err
	}
	_, err := w.exec("UPDATE audit_head SET sequence = $1, time = $2, hash = $3 WHERE sequence < $1",
		int64(w.head.Sequence), w.at, w.head.Hash.Hex())
	return err
}

// exec runs one statement and returns how many rows it changed. The embedded
// database prepares it at its first use; the client of the other one keeps the
// statements of a connection prepared by itself.
func (w *writer) exec(query string, args ...any) (rows int64, err error) {
	execute := w.tx.ExecContext
	if w.embedded {
		s, err := w.prepare(query)
		if err != nil {
			return 0, err
		}
		execute = func(ctx context.Context, _ string, args ...any) (sql.Result, error) {
			return s.ExecContext(ctx, args...)
		}
	}
	result, err := execute(w.ctx, query, args...)
	if err != nil {
		return 0, fmt.Errorf("registry: %w", err)
	}
	return result.RowsAffected()
}

// row runs a query for one row.
func (w *writer) row(query string, args ...any) *sql.Row {
	return w.tx.QueryRowContext(w.ctx, query, args...)
}

func (w *writer) prepare(query string) (s *sql.Stmt, err error) {
	if s = w.prepared[query]; s != nil {
		return s, nil
	}
	if s, err = w.tx.PrepareContext(w.ctx, query); err == nil {
		w.prepared[query] = s
	}
	return s, err
}
