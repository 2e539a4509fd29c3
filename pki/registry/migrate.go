package registry

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
)

// A store is one kind of data: its name in the schema table and its migrations,
// forward only.
type store struct {
	*dialect
	kind        string
	migrations  []string
	synchronous string // how soon SQLite has a commit on disk
}

// initialize fills an empty database, in one transaction. The error wraps
// fs.ErrExist when it is not empty. mark is that of Options.
func initialize(ctx context.Context, db *sql.DB, mark string, stores ...store) error {
	d := stores[0].dialect
	return inTx(ctx, db, nil, func(tx *sql.Tx) error {
		if err := run(ctx, tx, d.lockSchema); err != nil {
			return err
		}
		var tables int
		if err := tx.QueryRowContext(ctx, d.tables).Scan(&tables); err != nil {
			return err
		}
		if tables > 0 {
			return fs.ErrExist
		}
		if err := execute(ctx, tx, d.schemaTable); err != nil {
			return err
		}
		for _, s := range stores {
			if err := execute(ctx, tx, "INSERT INTO schema_version VALUES ($1, 0)", s.kind); err != nil {
				return err
			}
			if err := upgrade(ctx, tx, s, 0); err != nil {
				return err
			}
		}
		if mark != "" {
			if err := execute(ctx, tx, "INSERT INTO schema_version VALUES ($1, 0)", begunBy+mark); err != nil {
				return err
			}
		}
		return run(ctx, tx, d.grants)
	})
}

// begunBy stands before a mark, as the kind of a store of no version.
const begunBy = "begun by "

// migrate brings db up to the last migration of s, forward only.
func migrate(ctx context.Context, db *sql.DB, s store, readOnly bool) error {
	version, err := schemaVersion(ctx, db, s)
	switch {
	case err != nil:
		return err
	case version == len(s.migrations):
		return nil
	case readOnly:
		return fmt.Errorf("schema %d is older than this program's %d: %w", version, len(s.migrations), ErrOlder)
	}
	return inTx(ctx, db, nil, func(tx *sql.Tx) error {
		if err := run(ctx, tx, s.lockSchema); err != nil {
			return err
		}
		version, err := schemaVersion(ctx, tx, s) // again: somebody may have been faster
		if err != nil {
			return err
		}
		if err := upgrade(ctx, tx, s, version); err != nil {
			return err
		}
		return run(ctx, tx, s.grants)
	})
}

// A querier is a database or a transaction.
type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

func schemaVersion(ctx context.Context, db querier, s store) (version int, err error) {
	var tables int
	if err = db.QueryRowContext(ctx, s.tables).Scan(&tables); err != nil {
		return 0, err
	}
	switch {
	case tables == 0 && s.embedded:
		return 0, errors.New("not a database of tcpboot")
	case tables == 0:
		return 0, ErrNoRegistry
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
