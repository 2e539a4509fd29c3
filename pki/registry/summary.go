package registry

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/tcpboot/tcpboot/pki/fleet"
)

// A Summary is a fleet in numbers.
type Summary struct {
	States  map[fleet.State]int
	Levels  map[int]int // Active boards by the level of their loader
	Changed time.Time   // when a board that is not Pending changed last

	Oldest time.Time // when the oldest credential without an end was issued
	Old    int       // those issued before the time that was asked for
	Graces int       // boards whose old credential is good beside the new one
	Bare   int       // Active boards without a credential: a restore left them so
	Dead   int       // serials that a CRL lists
}

// Summary counts what Devices would yield, in the database. old is the time before
// which a credential counts as old.
func (f *Fleet) Summary(ctx context.Context, old time.Time) (s Summary, err error) {
	s = Summary{States: make(map[fleet.State]int), Levels: make(map[int]int)}
	err = inTx(ctx, f.db, f.snapshot, func(tx *sql.Tx) error {
		if err := s.countBoards(ctx, tx); err != nil {
			return err
		}
		return s.countCredentials(ctx, tx, timeText(f.now()), timeText(old))
	})
	return s, err
}

func (s *Summary) countBoards(ctx context.Context, tx *sql.Tx) error {
	type group struct {
		state   fleet.State
		level   int
		boards  int
		changed string
	}
	scan := func(rows *sql.Rows) (g group, err error) {
		return g, rows.Scan(&g.state, &g.level, &g.boards, &g.changed)
	}
	for g, err := range query(ctx, tx, scan, "SELECT state, loader_level, count(*), max(changed) FROM device GROUP BY state, loader_level") {
		if err != nil {
			return err
		}
		s.States[g.state] += g.boards
		if g.state == fleet.Active {
			s.Levels[g.level] += g.boards
		}
		var changed time.Time
		if err := parseTime(&changed, g.changed); err != nil {
			return err
		}
		if g.state != fleet.Pending {
			s.Changed = latest(s.Changed, changed)
		}
	}
	return nil
}

// countCredentials goes through them once. At most one of a board has no end.
func (s *Summary) countCredentials(ctx context.Context, tx *sql.Tx, now, old string) error {
	var oldest sql.NullString
	var live, pending, oldPending, strays int
	err := tx.QueryRowContext(ctx, `
		SELECT min(CASE WHEN ended IS NULL AND until IS NULL THEN issued END),
			count(CASE WHEN ended IS NULL AND until IS NULL THEN 1 END),
			count(CASE WHEN ended IS NULL AND until IS NULL AND issued < $1 THEN 1 END),
			count(CASE WHEN ended IS NULL AND until > $2 THEN 1 END),
			count(CASE WHEN ended IS NOT NULL OR until <= $2 THEN 1 END)
		FROM credential`, old, now).Scan(&oldest, &live, &s.Old, &s.Graces, &s.Dead)
	if err != nil {
		return fmt.Errorf("registry: %w", err)
	}
	err = tx.QueryRowContext(ctx, `
		SELECT count(*), count(CASE WHEN c.issued < $1 THEN 1 END), (SELECT count(*) FROM stray)
		FROM credential c JOIN device d ON d.mac = c.mac WHERE d.state = 'pending' AND c.ended IS NULL`, old).Scan(&pending, &oldPending, &strays)
	if err != nil {
		return fmt.Errorf("registry: %w", err)
	}
	s.Bare = s.States[fleet.Active] + pending - live
	s.Old -= oldPending
	s.Dead += strays
	return parseOptionalTime(&s.Oldest, oldest)
}

// OldCredentials returns the Active boards whose newest credential was issued
// before a time, the oldest first, at most limit of them.
func (f *Fleet) OldCredentials(ctx context.Context, old time.Time, limit int) ([]fleet.MAC, error) {
	return f.someBoards(ctx, `
		SELECT c.mac FROM credential c JOIN device d ON d.mac = c.mac
		WHERE c.ended IS NULL AND c.until IS NULL AND c.issued < $1 AND d.state = 'active' ORDER BY c.issued, c.mac LIMIT $2`, timeText(old), limit)
}

// BareBoards returns the Active boards without a credential, at most limit of them.
func (f *Fleet) BareBoards(ctx context.Context, limit int) ([]fleet.MAC, error) {
	return f.someBoards(ctx, `
		SELECT d.mac FROM device d WHERE d.state = 'active'
			AND NOT EXISTS (SELECT 1 FROM credential c WHERE c.mac = d.mac AND c.ended IS NULL AND c.until IS NULL)
		ORDER BY d.mac LIMIT $1`, limit)
}

func (f *Fleet) someBoards(ctx context.Context, q string, args ...any) (macs []fleet.MAC, err error) {
	scan := func(rows *sql.Rows) (m fleet.MAC, err error) {
		var text string
		if err = rows.Scan(&text); err != nil {
			return m, err
		}
		return m, parseHex(m[:], text)
	}
	for m, err := range query(ctx, f.db, scan, q, args...) {
		if err != nil {
			return nil, err
		}
		macs = append(macs, m)
	}
	return macs, nil
}

// A Standing is where one board stands, and since when: its revocation, or else
// its enrolment.
type Standing struct {
	MAC   fleet.MAC
	State fleet.State
	Since time.Time
}

// Standings yields where every board stands, ordered by MAC, and nothing else
// of them. After an error it yields no more.
func (f *Fleet) Standings(ctx context.Context) iter.Seq2[Standing, error] {
	return query(ctx, f.db, scanStanding, "SELECT mac, state, coalesce(revoked, enrolled) FROM device ORDER BY mac")
}

func scanStanding(rows *sql.Rows) (s Standing, err error) {
	var mac, since string
	if err = rows.Scan(&mac, &s.State, &since); err != nil {
		return s, err
	}
	return s, errors.Join(parseHex(s.MAC[:], mac), parseTime(&s.Since, since))
}
