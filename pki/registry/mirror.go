package registry

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	"github.com/tcpboot/tcpboot/pki/fleet"
)

// A mirror is a second SQLite database with what a RADIUS server may see of the
// first: the facts of the boards that are admitted, and nothing else. The server
// reads it, and never opens the registry.
//
// It is written under the registry's write lock alone, and never admits more than
// the registry does. A change takes its boards out of the mirror before it
// becomes true, and puts those back in that are admitted after it did. In between
// they stand in the table unsettled, so that a program that was killed there is
// found out, and its work finished, when the registry is opened next. The mirror
// is changed in place: a server that has the file open would not notice another
// one in its place. It has no write-ahead log, which readers would have to write.
type mirror struct {
	path string
	db   *sql.DB
}

const mirrorVersion = 1

// everything, in the place of a MAC, stands for all boards.
const everything = ""

const mirrorSchema = `
CREATE TABLE radcheck (
	id INTEGER NOT NULL, username TEXT NOT NULL, attribute TEXT NOT NULL, op TEXT NOT NULL, value TEXT NOT NULL,
	PRIMARY KEY (username, id)
) WITHOUT ROWID;
CREATE TABLE radreply (
	id INTEGER NOT NULL, username TEXT NOT NULL, attribute TEXT NOT NULL, op TEXT NOT NULL, value TEXT NOT NULL,
	PRIMARY KEY (username, id)
) WITHOUT ROWID;
CREATE TABLE unsettled (mac TEXT NOT NULL PRIMARY KEY) WITHOUT ROWID;
INSERT INTO unsettled VALUES ('');
PRAGMA user_version = 1`

// openMirror opens the mirror at path, and makes an empty one, mode 0640, when
// there is none.
func openMirror(ctx context.Context, path string) (*mirror, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL, 0o640)
	if err == nil {
		err = errors.Join(f.Chmod(0o640), f.Close()) // whatever the umask says: another user reads it
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(connector{dsn: mirrorDSN(abs), readOnly: true}) // which only means: no write-ahead log to keep
	db.SetMaxOpenConns(1)
	m := &mirror{path, db}
	if err = m.prepare(ctx); err == nil {
		_, err = db.ExecContext(ctx, "PRAGMA journal_mode = DELETE")
	}
	if err != nil {
		return nil, errors.Join(m.wrong(err), db.Close())
	}
	return m, nil
}

// mirrorDSN spells the settings. What was rolled forward must not roll back when
// the power fails: EXTRA syncs the folder too, after the journal has gone. A
// transaction stays in memory until it commits, so that logins wait for the
// commit alone.
func mirrorDSN(path string) string {
	q := url.Values{
		"mode":       {"rw"},
		"_txlock":    {"immediate"},
		"_defensive": {"1"},
		"_dqs":       {"0"},
		"_pragma": {"busy_timeout(30000)", "temp_store(MEMORY)", "synchronous(EXTRA)",
			"cache_spill(0)", "secure_delete(1)"},
	}
	return (&url.URL{Scheme: "file", Path: filepath.ToSlash(path), RawQuery: q.Encode()}).String()
}

// prepare makes the tables of a new mirror.
func (m *mirror) prepare(ctx context.Context) error {
	return inTx(ctx, m.db, nil, func(tx *sql.Tx) error {
		var version, tables int
		err := tx.QueryRowContext(ctx, "SELECT user_version, (SELECT count(*) FROM sqlite_schema) FROM pragma_user_version").Scan(&version, &tables)
		switch {
		case err != nil:
			return err
		case version > mirrorVersion:
			return fmt.Errorf("version %d: %w", version, ErrNewer)
		case version == 0 && tables > 0:
			return errors.New("not a database of tcpboot")
		case version == 0:
			return execute(ctx, tx, mirrorSchema)
		}
		return nil
	})
}

func (m *mirror) wrong(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("database of the RADIUS server, %s: %w", m.path, err)
}

// An editor is one transaction that changes the mirror.
type editor struct {
	ctx      context.Context
	tx       *sql.Tx
	prepared map[string]*sql.Stmt
}

// edit runs do in a transaction.
func (m *mirror) edit(ctx context.Context, do func(*editor) error) error {
	err := inTx(ctx, m.db, nil, func(tx *sql.Tx) error {
		return do(&editor{context.WithoutCancel(ctx), tx, make(map[string]*sql.Stmt)})
	})
	return m.wrong(err)
}

// exec runs one statement, prepared at its first use.
func (e *editor) exec(query string, args ...any) (err error) {
	s := e.prepared[query]
	if s == nil {
		if s, err = e.tx.PrepareContext(e.ctx, query); err != nil {
			return err
		}
		e.prepared[query] = s
	}
	_, err = s.ExecContext(e.ctx, args...)
	return err
}

// withhold takes boards out, and remembers that they are not settled.
func (m *mirror) withhold(ctx context.Context, macs []fleet.MAC) error {
	return m.edit(ctx, func(e *editor) error {
		for _, mac := range macs {
			err := errors.Join(e.remove(mac.String()),
				e.exec("INSERT INTO unsettled VALUES ($1) ON CONFLICT DO NOTHING", mac.String()))
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// remove takes one board out.
func (e *editor) remove(mac string) error {
	return errors.Join(e.exec("DELETE FROM radcheck WHERE username = $1", mac), e.exec("DELETE FROM radreply WHERE username = $1", mac))
}

// unsettled returns the boards whose changes were cut off, and whether that is
// said of all boards.
func (m *mirror) unsettled(ctx context.Context) (macs []string, all bool, err error) {
	for mac, err := range query(ctx, m.db, scanText, "SELECT mac FROM unsettled") {
		if err != nil {
			return nil, false, m.wrong(err)
		}
		if mac == everything {
			all = true
			continue
		}
		macs = append(macs, mac)
	}
	return macs, all, nil
}

func scanText(rows *sql.Rows) (s string, err error) { return s, rows.Scan(&s) }

// put makes the rows of one board those that it has by its facts: none, when it
// is not admitted.
func (e *editor) put(mac string, d *fleet.Device) error {
	if err := e.remove(mac); err != nil || d == nil {
		return err
	}
	return errors.Join(
		e.insert("INSERT INTO radcheck (id, username, attribute, op, value) VALUES ($1, $2, $3, ':=', $4)", mac, facts(d)),
		e.insert("INSERT INTO radreply (id, username, attribute, op, value) VALUES ($1, $2, $3, ':=', $4)", mac, replies(d)))
}

func (e *editor) insert(statement, mac string, list []fact) error {
	for _, f := range list {
		if err := e.exec(statement, f.id, mac, f.attribute, f.value); err != nil {
			return err
		}
	}
	return nil
}

// settled forgets that a board was unsettled.
func (e *editor) settled(mac string) error {
	return e.exec("DELETE FROM unsettled WHERE mac = $1", mac)
}
