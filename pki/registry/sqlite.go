package registry

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	"modernc.org/sqlite"
)

// A file is the path of a SQLite database.
type file string

func (f file) create(ctx context.Context, _ string) error {
	return createDatabase(ctx, string(f), fleetStore)
}

func (f file) openFleet(ctx context.Context, readOnly bool) (*sql.DB, error) {
	return openDatabase(ctx, string(f), fleetStore, readOnly)
}

// connections bounds the pool: each holds a page cache. A loop over an iterator
// holds one while it runs.
const connections = 16

// createDatabase makes path a database of kind s. It is made under another name
// and linked into place when it is whole, so nobody ever opens half of one, and
// of many who make it at once one wins: the others get fs.ErrExist.
func createDatabase(ctx context.Context, path string, s store) error {
	if _, err := os.Lstat(path); err == nil {
		return &fs.PathError{Op: "create", Path: path, Err: fs.ErrExist}
	}
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".new-*") // mode 0600, and SQLite gives its log the same
	if err != nil {
		return err
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		defer os.Remove(file.Name() + suffix)
	}
	if err := errors.Join(file.Close(), fill(ctx, file.Name(), s)); err != nil {
		return err
	}
	if err := os.Link(file.Name(), path); err != nil {
		return err
	}
	return syncFolder(path)
}

// fill makes an empty file a database; when it returns, the log is empty and the
// file is on disk.
func fill(ctx context.Context, path string, s store) error {
	db, err := connect(path, s, false)
	if err != nil {
		return err
	}
	return errors.Join(initialize(ctx, db, "", s), db.Close())
}

// syncFolder makes the name of a new file survive a power cut.
func syncFolder(path string) error {
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// openDatabase opens a database that exists.
func openDatabase(ctx context.Context, path string, s store, readOnly bool) (*sql.DB, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	db, err := connect(path, s, readOnly)
	if err != nil {
		return nil, err
	}
	if err := migrate(ctx, db, s, readOnly); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

func connect(path string, s store, readOnly bool) (*sql.DB, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(connector{dsn(abs, s, readOnly), readOnly})
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections / 4)
	return db, nil
}

// dsn spells the settings of each connection. Transactions begin IMMEDIATE: a
// change takes the write lock before it reads what it decides on, and waits for
// it up to the busy timeout, which outlasts a bulk enrolment's transaction. What
// SQLite sorts, it sorts in memory: rows hold NT hashes, and temporary files lie
// elsewhere.
func dsn(path string, s store, readOnly bool) string {
	q := url.Values{
		"_pragma":    {"busy_timeout(30000)", "foreign_keys(1)", "temp_store(MEMORY)"},
		"_defensive": {"1"},
		"_dqs":       {"0"},
		"_error_rc":  {"1"},
	}
	if readOnly {
		q.Set("mode", "ro")
		q.Add("_pragma", "query_only(1)")
	} else {
		q.Set("mode", "rw")
		q.Set("_txlock", "immediate")
		q["_pragma"] = append(q["_pragma"],
			"journal_mode(WAL)", "synchronous("+s.synchronous+")",
			"cache_size(-16384)", "journal_size_limit(16777216)", "secure_delete(1)")
	}
	return (&url.URL{Scheme: "file", Path: filepath.ToSlash(path), RawQuery: q.Encode()}).String()
}

// emptyLog copies the write-ahead log into the database and cuts it to nothing.
// A reader may prevent that; then it waits for the next one.
func emptyLog(db *sql.DB) {
	ctx := context.Background()
	conn, err := db.Conn(ctx)
	if err != nil {
		return
	}
	defer conn.Close()
	if _, err := conn.ExecContext(ctx, "PRAGMA busy_timeout(100)"); err == nil {
		conn.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)")
	}
}

// A connector opens connections that leave the write-ahead log in its place
// when the last of them is closed. Otherwise a reader that may not create files
// could not open the database while no writer has it open.
type connector struct {
	dsn      string
	readOnly bool
}

func (c connector) Driver() driver.Driver { return &sqlite.Driver{} }

func (c connector) Connect(context.Context) (driver.Conn, error) {
	conn, err := c.Driver().Open(c.dsn)
	if err != nil || c.readOnly {
		return conn, err
	}
	if _, err := conn.(sqlite.FileControl).FileControlPersistWAL("main", 1); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}
