package registry

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/tcpboot/tcpboot/pki/fleet"
)

// maxVisits bounds the boards whose last visit is kept: twice the largest fleet,
// in about 300 MB.
const maxVisits = 2_000_000

// Visits is a database of its own that remembers the last visit of each board.
// Image servers write it, beside a registry that they only read.
//
// On the old protocol a MAC is a claim, and anybody on the network can claim
// any number of them. So only the last visits of a bounded number of boards are
// kept. When there are more, claims that were sent nothing are forgotten first,
// oldest first, and only then visits that were: whoever makes up MACs displaces
// other made-up ones, and no board that was ever served.
//
// The same database holds what boards that proved themselves report of releases,
// and which offers servers hold back for it: both are written where the registry
// is only read.
type Visits struct {
	*dialect
	db      *sql.DB
	limit   int
	unasked atomic.Int64 // visits appended since the boards were counted last
}

// OpenVisits opens visits for reading and writing. path is that of a file, which
// is made, mode 0600, when there is none; or the URL of a registry on PostgreSQL,
// which has a table for them. Close it.
func OpenVisits(ctx context.Context, path string) (*Visits, error) {
	if isServer(path) {
		return openVisits(ctx, path, false)
	}
	// Another server may be faster, and then the file is whole.
	if err := createDatabase(ctx, path, visitsStore); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("visits %s: %w", path, err)
	}
	return openVisits(ctx, path, false)
}

// ReadVisits opens the visits at path for reading alone. The error wraps
// fs.ErrNotExist when no server has written any yet.
func ReadVisits(ctx context.Context, path string) (*Visits, error) {
	return openVisits(ctx, path, true)
}

func openVisits(ctx context.Context, path string, readOnly bool) (*Visits, error) {
	if isServer(path) {
		db, err := server(path).open(ctx, postgresVisits, readOnly)
		if err != nil {
			return nil, fmt.Errorf("visits %s: %w", server(path), err)
		}
		return &Visits{dialect: inPostgres, db: db, limit: maxVisits}, nil
	}
	db, err := openDatabase(ctx, path, visitsStore, readOnly)
	if err != nil {
		return nil, fmt.Errorf("visits %s: %w", path, err)
	}
	return &Visits{dialect: inSQLite, db: db, limit: maxVisits}, nil
}

// Close releases the database.
func (v *Visits) Close() error { return v.db.Close() }

// Append remembers visits, in one transaction. An older visit than the one
// remembered changes nothing, so servers need not agree on an order: unless that
// one lies in the future. It was written by a clock that was ahead, and would hide
// the board until then. Text beyond 256 bytes and what is no UTF-8 is cut off.
func (v *Visits) Append(ctx context.Context, visits []fleet.Visit) error {
	// In one order, so that two servers never wait for each other.
	visits = slices.SortedStableFunc(slices.Values(visits), func(a, b fleet.Visit) int { return bytes.Compare(a.MAC[:], b.MAC[:]) })
	return inTx(ctx, v.db, nil, func(tx *sql.Tx) error {
		for _, visit := range visits {
			if err := appendVisit(ctx, tx, visit); err != nil {
				return fmt.Errorf("visit of %s: %w", visit.MAC, err)
			}
		}
		if v.unasked.Add(int64(len(visits))) <= int64(v.limit/64) {
			return nil // counting takes too long to be done each time
		}
		v.unasked.Store(0)
		return v.prune(ctx, tx)
	})
}

func appendVisit(ctx context.Context, tx *sql.Tx, v fleet.Visit) error {
	return execute(ctx, tx, `
		INSERT INTO visit (mac, time, remote, protocol, version, sent, verdict) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (mac) DO UPDATE SET time = $2, remote = $3, protocol = $4, version = $5, sent = $6, verdict = $7
		WHERE visit.time <= $2 OR visit.time > $8`,
		v.MAC.String(), timeText(v.Time), clip(v.Remote), clip(v.Protocol), clip(v.Version), v.Sent, clip(v.Verdict), timeText(time.Now()))
}

func clip(s string) string {
	if len(s) > maxText {
		s = s[:maxText]
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, ""), "\x00", "")
}

// prune forgets what is beyond the limit.
func (v *Visits) prune(ctx context.Context, tx *sql.Tx) error {
	var n int
	if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM visit").Scan(&n); err != nil {
		return err
	}
	if n <= v.limit {
		return nil
	}
	return execute(ctx, tx, `
		DELETE FROM visit WHERE mac IN (
			SELECT mac FROM visit ORDER BY (protocol = 'v1' AND sent = 0) DESC, time LIMIT $1)`, n-v.limit)
}

const selectVisit = "SELECT mac, time, remote, protocol, version, sent, verdict FROM visit"

// Last returns the last visit of a board. The error wraps fleet.ErrUnknown when
// none is remembered.
func (v *Visits) Last(ctx context.Context, mac fleet.MAC) (fleet.Visit, error) {
	for visit, err := range query(ctx, v.db, scanVisit, selectVisit+" WHERE mac = $1", mac.String()) {
		return visit, err
	}
	return fleet.Visit{}, fmt.Errorf("visits of %s: %w", mac, fleet.ErrUnknown)
}

// All yields the last visit of every board, ordered by MAC. After an error it
// yields no more.
func (v *Visits) All(ctx context.Context) iter.Seq2[fleet.Visit, error] {
	return query(ctx, v.db, scanVisit, selectVisit+" ORDER BY mac")
}

func scanVisit(rows *sql.Rows) (v fleet.Visit, err error) {
	var mac, at string
	if err = rows.Scan(&mac, &at, &v.Remote, &v.Protocol, &v.Version, &v.Sent, &v.Verdict); err != nil {
		return v, err
	}
	err = errors.Join(parseHex(v.MAC[:], mac), parseTime(&v.Time, at))
	return v, err
}
