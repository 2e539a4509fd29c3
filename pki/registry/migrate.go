package registry

import (
	"cmp"
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
)

//go:embed sqlite/fleet/0001.sql
var fleet1 string

//go:embed sqlite/visits/0001.sql
var visits1 string

// The stores. A visit lost in a power cut is told again by the board's next
// one, so visits are spared the wait for the disk at each commit.
var (
	fleetStore  = store{kind: "fleet", migrations: []string{fleet1}, synchronous: "FULL"}
	visitsStore = store{kind: "visits", migrations: []string{visits1}, synchronous: "NORMAL"}
)

const schemaTable = "CREATE TABLE schema_version (kind TEXT NOT NULL PRIMARY KEY, version INTEGER NOT NULL) STRICT"

// initialize fills an empty database. The table that names kind and version
// comes with the first migration, in one transaction.
func initialize(ctx context.Context, db *sql.DB, s store) error {
	return inTx(ctx, db, nil, func(tx *sql.Tx) error {
		if err := execute(ctx, tx, schemaTable); err != nil {
			return err
		}
		if err := execute(ctx, tx, "INSERT INTO schema_version VALUES ($1, 0)", s.kind); err != nil {
			return err
		}
		return upgrade(ctx, tx, s, 0)
	})
}

// migrate brings db up to the last migration of s, forward only.
func migrate(ctx context.Context, db *sql.DB, s store, readOnly bool) error {
	version, err := schemaVersion(ctx, db, s)
	switch {
	case err != nil:
		return err
	case version == len(s.migrations):
		return nil
	case readOnly:
		return fmt.Errorf("schema %d is older than this program's %d, and cannot be brought up to date read-only", version, len(s.migrations))
	}
	return inTx(ctx, db, nil, func(tx *sql.Tx) error {
		version, err := schemaVersion(ctx, tx, s) // again: somebody may have been faster
		if err != nil {
			return err
		}
		return upgrade(ctx, tx, s, version)
	})
}

// A querier is a database or a transaction.
type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

func schemaVersion(ctx context.Context, db querier, s store) (version int, err error) {
	var tables int
	err = db.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema WHERE name = 'schema_version'").Scan(&tables)
	if err != nil {
		return 0, err
	}
	if tables == 0 {
		return 0, errors.New("not a database of tcpboot")
	}
	err = db.QueryRowContext(ctx, "SELECT version FROM schema_version WHERE kind = $1", s.kind).Scan(&version)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return 0, fmt.Errorf("not a database of kind %s", s.kind)
	case err != nil:
		return 0, err
	case version > len(s.migrations):
		return 0, fmt.Errorf("schema %d: %w: this one knows schemas up to %d", version, ErrNewer, len(s.migrations))
	}
	return version, nil
}

func upgrade(ctx context.Context, tx *sql.Tx, s store, version int) error {
	for i, migration := range s.migrations[version:] {
		if err := execute(ctx, tx, migration); err != nil {
			return fmt.Errorf("migration %d: %w", version+i+1, err)
		}
	}
	return execute(ctx, tx, "UPDATE schema_version SET version = $1 WHERE kind = $2", len(s.migrations), s.kind)
}

func execute(ctx context.Context, tx *sql.Tx, query string, args ...any) error {
	_, err := tx.ExecContext(ctx, query, args...)
	return err
}

// inTx runs f in a transaction, and commits when f returns nil.
func inTx(ctx context.Context, db *sql.DB, o *sql.TxOptions, f func(*sql.Tx) error) error {
	tx, err := db.BeginTx(ctx, o)
	if err != nil {
		return fmt.Errorf("registry: begin: %w", err)
	}
	defer tx.Rollback() // does nothing after a commit
	if err := f(tx); err != nil {
		return cmp.Or(ctx.Err(), err) // a cancelled transaction fails in many words
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("registry: commit: %w", err)
	}
	return nil
}
