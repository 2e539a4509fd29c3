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
		err = f.Close()
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

// withhold takes boards out, and remembers that they are not settled.
func (m *mirror) withhold(ctx context.Context, macs []fleet.MAC) error {
	return m.wrong(inTx(ctx, m.db, nil, func(tx *sql.Tx) error {
		for _, mac := range macs {
			err := errors.Join(remove(ctx, tx, mac.String()),
				execute(ctx, tx, "INSERT INTO unsettled VALUES ($1) ON CONFLICT DO NOTHING", mac.String()))
			if err != nil {
				return err
			}
		}
		return nil
	}))
}

// remove takes one board out.
func remove(ctx context.Context, tx *sql.Tx, mac string) error {
	return errors.Join(
		execute(ctx, tx, "DELETE FROM radcheck WHERE username = $1", mac),
		execute(ctx, tx, "DELETE FROM radreply WHERE username = $1", mac))
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
func put(ctx context.Context, tx *sql.Tx, mac string, d *fleet.Device) error {
	if err := remove(ctx, tx, mac); err != nil {
		return err
	}
	if d == nil {
		return nil
	}
	for table, rows := range map[string][]fact{"radcheck": facts(d), "radreply": replies(d)} {
		for _, r := range rows {
			err := execute(ctx, tx, "INSERT INTO "+table+" (id, username, attribute, op, value) VALUES ($1, $2, $3, ':=', $4)",
				r.id, mac, r.attribute, r.value)
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// settled forgets that boards were unsettled.
func settled(ctx context.Context, tx *sql.Tx, mac string) error {
	return execute(ctx, tx, "DELETE FROM unsettled WHERE mac = $1", mac)
}

// reflect opens the mirror and finishes what was cut off in it.
func (f *Fleet) reflect(ctx context.Context, path string) (err error) {
	if !f.embedded {
		return errors.New("registry: a RADIUS server reads PostgreSQL itself, and no database beside it")
	}
	if f.mirror, err = openMirror(ctx, path); err != nil {
		return err
	}
	_, all, err := f.mirror.unsettled(ctx)
	switch {
	case err != nil:
		return err
	case all:
		return f.SyncRADIUS(ctx)
	}
	return f.settle(ctx)
}

// settle finishes what is unsettled, by what the registry says now.
func (f *Fleet) settle(ctx context.Context) error {
	return inTx(ctx, f.db, f.change, func(truth *sql.Tx) error {
		macs, _, err := f.mirror.unsettled(ctx)
		if err != nil || len(macs) == 0 {
			return err
		}
		at := timeText(f.now())
		return f.mirror.wrong(inTx(ctx, f.mirror.db, nil, func(tx *sql.Tx) error {
			for _, mac := range macs {
				d, err := admitted(ctx, truth, at, mac)
				if err != nil {
					return err
				}
				if err := errors.Join(put(ctx, tx, mac, d), settled(ctx, tx, mac)); err != nil {
					return err
				}
			}
			return nil
		}))
	})
}

// admitted returns the board, nil when nothing admits it.
func admitted(ctx context.Context, truth *sql.Tx, at, mac string) (*fleet.Device, error) {
	for d, err := range deviceRows(ctx, truth, selectDevice+" WHERE d.mac = $2", at, mac) {
		if err != nil || len(d.Admissions) == 0 {
			return nil, err
		}
		return &d, nil
	}
	return nil, nil
}

// SyncRADIUS compares every board in the RADIUS server's database with the
// registry, and mends what differs, in place. Nobody needs it unless somebody
// else has written that database: changes keep it up to date, and Open makes it
// and finishes what was cut off.
func (f *Fleet) SyncRADIUS(ctx context.Context) error {
	switch {
	case f.mirror == nil:
		return errors.New("registry: opened without a database for the RADIUS server")
	case f.session == "":
		return errors.New("registry: opened read-only")
	}
	for after := everything; ; {
		last, err := f.syncFrom(ctx, after)
		if err != nil {
			return err
		}
		if last == "" {
			break
		}
		after = last
	}
	return f.mirror.wrong(inTx(ctx, f.mirror.db, nil, func(tx *sql.Tx) error { return settled(ctx, tx, everything) }))
}

// syncBoards is how many boards are compared while others wait for the lock.
const syncBoards = 5000

// syncFrom compares the next boards after a MAC and returns the last of them, ""
// when there are no more.
func (f *Fleet) syncFrom(ctx context.Context, after string) (last string, err error) {
	err = inTx(ctx, f.db, f.change, func(truth *sql.Tx) error {
		boards, err := f.nextBoards(ctx, truth, after)
		if err != nil {
			return err
		}
		until := "g" // behind all MACs
		if len(boards) == syncBoards {
			last = boards[len(boards)-1].MAC.String()
			until = last
		}
		return f.mirror.compare(ctx, after, until, boards)
	})
	return last, err
}

func (f *Fleet) nextBoards(ctx context.Context, truth *sql.Tx, after string) (boards []fleet.Device, err error) {
	for d, err := range deviceRows(ctx, truth, selectDevice+" WHERE d.state = 'active' AND d.mac > $2 ORDER BY d.mac", timeText(f.now()), after) {
		if err != nil {
			return nil, err
		}
		if boards = append(boards, d); len(boards) == syncBoards {
			break
		}
	}
	return boards, nil
}

// compare mends the boards after one MAC, up to another.
func (m *mirror) compare(ctx context.Context, after, until string, boards []fleet.Device) error {
	return m.wrong(inTx(ctx, m.db, nil, func(tx *sql.Tx) error {
		have, err := present(ctx, tx, after, until)
		if err != nil {
			return err
		}
		for i := range boards {
			mac := boards[i].MAC.String()
			if have[mac] != summary(&boards[i]) {
				if err := put(ctx, tx, mac, &boards[i]); err != nil {
					return err
				}
			}
			delete(have, mac)
		}
		for mac := range have {
			if err := remove(ctx, tx, mac); err != nil {
				return err
			}
		}
		return execute(ctx, tx, "DELETE FROM unsettled WHERE mac > $1 AND mac <= $2", after, until)
	}))
}

// present summarizes the rows of the boards in the mirror.
func present(ctx context.Context, tx *sql.Tx, after, until string) (map[string]string, error) {
	have := make(map[string]string)
	scan := func(rows *sql.Rows) (r [2]string, err error) { return r, rows.Scan(&r[0], &r[1]) }
	for r, err := range query(ctx, tx, scan, `
		SELECT username, id || ' ' || attribute || ' ' || op || ' ' || value FROM (
			SELECT 1 AS list, username, id, attribute, op, value FROM radcheck WHERE username > $1 AND username <= $2
			UNION ALL
			SELECT 2, username, id, attribute, op, value FROM radreply WHERE username > $1 AND username <= $2
		) ORDER BY username, list, id`, after, until) {
		if err != nil {
			return nil, err
		}
		have[r[0]] += r[1] + "\n"
	}
	return have, nil
}

// summary is the rows that a board should have, in the form of present.
func summary(d *fleet.Device) (s string) {
	for _, r := range append(facts(d), replies(d)...) {
		s += fmt.Sprintf("%d %s := %s\n", r.id, r.attribute, r.value)
	}
	return s
}
