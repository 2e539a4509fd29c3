// Package registry is the device database of one site: every board, every
// credential it was ever issued, what each channel offers, which numbers were
// given away, and an audit trail of who changed what. It is the only truth;
// CRLs and RADIUS files are renderings of it.
//
// # Changes
//
// Each change is one transaction that also writes its audit rows: when the
// method returns nil the change is on disk, with its trail, and survives a power
// cut; when it returns an error, nothing changed. Many processes may hold the
// same registry; changes queue up, readers see the state before or after one
// and never the middle.
//
// A board passes Pending → Active → Revoked and never back. Add makes it
// Pending, with the public half of its credential, while the delivery is
// written; Activate is the moment from which the board is admitted; Revoke is
// final. The database itself refuses steps back and deletions, so that a hand at
// a SQL prompt cannot take them by accident.
//
// At most one credential of a board is live without an end. Rotate ends it, now
// or after a grace. The serial of a dead credential stays for the CRL; its NT
// hash, which is as good as a password, is erased.
//
// # Time
//
// Changes are refused with [ErrClock] while the clock stands before the last
// audit row: a CRL, a grace or a trail dated by such a clock would be wrong for
// good. Differences up to [ClockTolerance] are taken for what they are, a clock
// being set or two machines disagreeing a little, and the change then bears the
// time of the last row, so that times in the trail never fall.
//
// # Audit trail
//
// Rows are numbered 1, 2, 3 … without gaps. The hash of a row is the SHA-256 of
//
//	"tcpboot/v1/audit" 0x00
//	prev               32 bytes: the hash of the row before, zero bytes for row 1
//	sequence           8 bytes, big-endian
//	time, who, action, subject, detail
//	                   each as its length in bytes (4 bytes, big-endian) and its bytes
//
// where time is the text in the row, RFC 3339 in UTC with nine digits of
// fraction, and detail is JSON text, taken as it stands. For example
//
//	sequence 1, prev zero
//	time     2026-01-02T03:04:05.000000006Z
//	who      alice
//	action   device.revoke
//	subject  240ac4000001
//	detail   {"reason":"lost"}
//
// hashes to
//
//	8e101f87b7cd51f20ed7991277edc07a8fa1ab266cf753d97907c69bb65bf1da
//
// A row that was removed, changed or moved breaks the chain at a place that
// [Fleet.VerifyAudit] names. A trail that was computed anew as a whole, or a
// database put back to an older state, is found only by comparing with a [Head]
// kept elsewhere, which is why manifests and CRLs carry one.
//
// # PostgreSQL
//
// Where several machines change the fleet the registry lies in a PostgreSQL
// database, in a schema of its own, tcpboot. The methods, their promises and the
// SQL behind them are the same; a contract test runs on both. Beyond that the
// server keeps duties apart, see [Grant]; writes the name of the role that has
// logged in, and no other, into the trail; and holds the [Visits] too. A RADIUS
// server reads the views radcheck and radreply.
//
// The URL holds no password. libpq's ways of keeping one work (PGPASSFILE,
// PGSERVICE), and so do certificates (sslcert, sslkey). Across a network the
// server must prove its name, unless the URL says otherwise (sslmode).
//
// What is erased from a table stays in PostgreSQL's dead rows until they are
// vacuumed, in its log and in its backups: NT hashes of dead credentials too.
//
// # Files
//
// The embedded store is one SQLite file, mode 0600, with its write-ahead log
// beside it (-wal, -shm); all three belong together. Erased means overwritten: a
// page that held an NT hash is written anew, and closing the Fleet empties the
// log, unless somebody is reading just then. The visits of boards lie in a file of their own,
// [Visits], so that an image server needs no write access to the registry. What a
// RADIUS server may see lies in a third one, see Options.RADIUS.
package registry

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Options say who opens a registry, and how.
type Options struct {
	// Who is written into the audit rows: the operating-system user, as a rule.
	// It must be set unless ReadOnly is. PostgreSQL knows who has logged in, so
	// there the rows bear the name of the role instead.
	Who string

	// Now is the clock. Nil means time.Now.
	Now func() time.Time

	// ReadOnly opens without the means to change anything. It works beside a
	// writer, and needs read access to the file, its -wal and its -shm alone.
	ReadOnly bool

	// Mark is letters and digits that nobody else knows, by which Create knows a
	// registry on PostgreSQL for its own: one that bears the mark and has no board
	// yet is what a Create left whose caller was killed, and is opened instead of
	// refused. "" is none.
	Mark string

	// RADIUS is the path of a database for a RADIUS server on this machine to
	// read, on a site whose registry is SQLite; "" when there is none. It is made,
	// mode 0640, when it does not exist; the server needs a way to it and read
	// access. Every change keeps it up to date, and so a board that is revoked is
	// out of it, on disk, before Revoke returns. When that fails nothing is
	// changed. When a change was made but what it admits anew could not be
	// written, the error says so: those boards stay out until the registry is
	// opened again. It is not looked at when ReadOnly.
	RADIUS string
}

// A Fleet is all devices of one site, and the audit trail. It may be used by
// many goroutines at once. Close it.
type Fleet struct {
	*dialect
	db      *sql.DB
	who     string
	now     func() time.Time
	session string // names this Fleet among all that ever were; "" when read-only

	// What a role of PostgreSQL may not do is left out.
	seesHashes, endsGraces bool

	mirror *mirror // nil when there is none
}

// A place is where databases lie: a file, or a server.
type place interface {
	create(ctx context.Context, mark string) error
	openFleet(ctx context.Context, readOnly bool) (*sql.DB, error)
}

// locate reads a registry's URL. Its error keeps the URL to itself, because that
// may hold a password.
func locate(url string) (place, *dialect, error) {
	if isServer(url) {
		return server(url), inPostgres, nil
	}
	path, err := sqlitePath(url)
	return file(path), inSQLite, err
}

// Create makes an empty registry and opens it. url is "sqlite:PATH" or
// "postgres://USER@HOST/NAME", a database that exists. The error wraps
// fs.ErrExist when there is a file of that name, or the database holds a registry
// already, unless that bears Options.Mark. A Create that was killed leaves none,
// at most a file PATH.new-… that nobody needs.
func Create(ctx context.Context, url string, o Options) (*Fleet, error) {
	where, _, err := locate(url)
	if err != nil {
		return nil, err
	}
	if o.ReadOnly {
		return nil, errors.New("registry: cannot be created read-only")
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	if err := where.create(ctx, o.Mark); err != nil {
		return nil, fmt.Errorf("registry %s: %w", where, err)
	}
	return Open(ctx, url, o)
}

// Open opens the registry at url and brings an older schema up to this
// program's, unless it is read-only. The error wraps fs.ErrNotExist when there
// is no registry, ErrNewer when a newer program has written it.
func Open(ctx context.Context, url string, o Options) (*Fleet, error) {
	where, dialect, err := locate(url)
	if err != nil {
		return nil, err
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	db, err := where.openFleet(ctx, o.ReadOnly)
	if err != nil {
		return nil, fmt.Errorf("registry %s: %w", where, err)
	}
	f := &Fleet{dialect: dialect, db: db, who: o.Who, now: o.Now, seesHashes: true, endsGraces: true}
	if f.now == nil {
		f.now = time.Now
	}
	if !o.ReadOnly {
		f.session = rand.Text()
	}
	if !f.embedded {
		if err := f.introduce(ctx); err != nil {
			return nil, errors.Join(fmt.Errorf("registry %s: %w", where, err), db.Close())
		}
	}
	if o.RADIUS != "" && !o.ReadOnly {
		if err := f.reflect(ctx, o.RADIUS); err != nil {
			return nil, errors.Join(err, f.Close())
		}
	}
	return f, nil
}

// Close releases the database. What was acknowledged before is on disk already.
func (f *Fleet) Close() error {
	if f.embedded && f.session != "" {
		emptyLog(f.db)
	}
	err := f.db.Close()
	if f.mirror != nil {
		err = errors.Join(err, f.mirror.db.Close())
	}
	return err
}

func (o Options) check() error {
	if o.Who == "" && !o.ReadOnly {
		return errors.New("registry: nobody named to write into the audit trail")
	}
	return checkText("audit name", o.Who)
}

// sqlitePath returns PATH of "sqlite:PATH". Its error keeps the rest of another
// kind of URL to itself, because that may hold a password.
func sqlitePath(url string) (string, error) {
	scheme, path, ok := strings.Cut(url, ":")
	switch {
	case !ok:
		return "", errors.New("database: want sqlite:PATH or postgres://USER@HOST/NAME")
	case scheme != "sqlite":
		return "", fmt.Errorf("database: no support for %q: want sqlite:PATH or postgres://USER@HOST/NAME", scheme)
	case path == "":
		return "", errors.New("database sqlite: no path")
	}
	return path, nil
}
