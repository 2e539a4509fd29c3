package registry

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"net/url"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

// A server is a PostgreSQL database by its URL.
type server string

// parameters are those of each session, where the URL does not say otherwise. A
// client that stands still in the middle of a change gives its lock up.
var parameters = map[string]string{
	"application_name":                    "tcpboot",
	"lock_timeout":                        "30s",
	"idle_in_transaction_session_timeout": "5min",
}

// isServer reports whether where is a URL for PostgreSQL.
func isServer(where string) bool {
	scheme, _, _ := strings.Cut(where, ":")
	return scheme == "postgres" || scheme == "postgresql"
}

// config reads the URL. Its errors keep the URL to themselves: it may hold a
// password, by mistake.
func (s server) config(readOnly bool) (*pgx.ConnConfig, error) {
	u, err := url.Parse(string(s))
	if err != nil {
		return nil, errors.New("database: not a URL: want postgres://USER@HOST/NAME")
	}
	_, password := u.User.Password()
	query := u.Query()
	if password || query.Has("password") || query.Has("sslpassword") {
		return nil, errors.New("database: a password does not belong into a URL: PGPASSFILE names a file for it")
	}
	c, err := pgx.ParseConfig(string(s))
	if err != nil {
		return nil, fmt.Errorf("database: %w", hide(err, string(s)))
	}
	if !query.Has("sslmode") {
		if err := proven(&c.Config); err != nil {
			return nil, err
		}
	}
	for name, value := range parameters {
		if c.RuntimeParams[name] == "" {
			c.RuntimeParams[name] = value
		}
	}
	c.RuntimeParams["search_path"] = "tcpboot, pg_temp" // nobody's table shadows ours
	c.RuntimeParams["synchronous_commit"] = "on"        // what is acknowledged survives a power cut
	if readOnly {
		c.RuntimeParams["default_transaction_read_only"] = "on"
	}
	return c, nil
}

// hide takes the URL out of the words of an error.
func hide(err error, url string) error {
	return errors.New(strings.ReplaceAll(err.Error(), url, "URL"))
}

// proven refuses a connection across a network on which the server need not
// prove its name: NT hashes travel on it.
func proven(c *pgconn.Config) error {
	tries := []*pgconn.FallbackConfig{{Host: c.Host, TLSConfig: c.TLSConfig}}
	for _, t := range append(tries, c.Fallbacks...) {
		if !local(t.Host) && (t.TLSConfig == nil || t.TLSConfig.InsecureSkipVerify) {
			return fmt.Errorf("database: %s need not prove that it is: say sslmode=verify-full in the URL, with sslrootcert=FILE or sslrootcert=system", t.Host)
		}
	}
	return nil
}

// local reports whether a connection to host stays on this machine.
func local(host string) bool {
	ip, err := netip.ParseAddr(host)
	return strings.HasPrefix(host, "/") || host == "localhost" || err == nil && ip.IsLoopback()
}

// String names the database without the rest of the URL.
func (s server) String() string {
	u, err := url.Parse(string(s))
	if err != nil {
		return "postgres"
	}
	return "postgres " + u.Host + u.Path
}

func (s server) connect(readOnly bool) (*sql.DB, error) {
	c, err := s.config(readOnly)
	if err != nil {
		return nil, err
	}
	db := stdlib.OpenDB(*c)
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections / 4)
	return db, nil
}

// create makes the schema in a database that exists, or finds that an earlier
// one with this mark has made it.
func (s server) create(ctx context.Context, mark string) error {
	db, err := s.connect(false)
	if err != nil {
		return err
	}
	defer db.Close()
	err = initialize(ctx, db, mark, postgresFleet, postgresVisits)
	if errors.Is(err, fs.ErrExist) {
		return ours(ctx, db, mark)
	}
	return told(err)
}

// ours returns nil for a registry that bears the mark and has no board yet, and
// ErrTaken for all others.
func ours(ctx context.Context, db *sql.DB, mark string) error {
	var ours bool
	err := db.QueryRowContext(ctx, `
		SELECT EXISTS (SELECT FROM schema_version WHERE kind = $1) AND NOT EXISTS (SELECT FROM device)`, begunBy+mark).Scan(&ours)
	if err != nil || !ours || mark == "" {
		return ErrTaken
	}
	return nil
}

// Vacant says why Create would not make a registry in a database of PostgreSQL,
// as things stand, and changes nothing. Of a file, which Create looks at by
// itself, it says nothing.
func Vacant(ctx context.Context, url, mark string) error {
	if !isServer(url) {
		return nil
	}
	s := server(url)
	db, err := s.connect(true)
	if err == nil {
		err = errors.Join(told(vacant(ctx, db, mark)), db.Close())
	}
	if err != nil {
		return fmt.Errorf("registry %s: %w", s, err)
	}
	return nil
}

func vacant(ctx context.Context, db *sql.DB, mark string) error {
	var tables int
	if err := db.QueryRowContext(ctx, inPostgres.tables).Scan(&tables); err != nil {
		return err
	}
	if tables > 0 {
		return ours(ctx, db, mark)
	}
	var may bool
	err := db.QueryRowContext(ctx, `
		SELECT CASE WHEN to_regnamespace('tcpboot') IS NULL THEN has_database_privilege(current_database(), 'CREATE')
			ELSE has_schema_privilege(to_regnamespace('tcpboot')::oid, 'CREATE') END`).Scan(&may)
	if err == nil && !may {
		err = fmt.Errorf("%w: CREATE, to make a schema", ErrDenied)
	}
	return err
}

// openFleet opens a registry that exists.
func (s server) openFleet(ctx context.Context, readOnly bool) (*sql.DB, error) {
	return s.open(ctx, postgresFleet, readOnly)
}

func (s server) open(ctx context.Context, store store, readOnly bool) (*sql.DB, error) {
	db, err := s.connect(readOnly)
	if err != nil {
		return nil, err
	}
	if err := migrate(ctx, db, store, readOnly); err != nil {
		return nil, errors.Join(told(err), db.Close())
	}
	return db, nil
}

// code is the SQLSTATE of an error, "" when no server said it.
func code(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// lostRace says of an error that the whole transaction may be tried again: the
// server undid it in favour of another. Our own changes wait for each other;
// such an error needs somebody who locks rows by hand, or a setting that
// raises the isolation.
func lostRace(err error) bool { return code(err) == "40001" || code(err) == "40P01" }

// introduce asks who the session is and what it may see. The trail bears the
// name of the role, which the server has verified, instead of one that the
// program says.
func (f *Fleet) introduce(ctx context.Context) error {
	return f.db.QueryRowContext(ctx, `
		SELECT session_user, has_column_privilege('credential', 'nt_hash', 'SELECT'),
			has_column_privilege('credential', 'ended', 'UPDATE')`).Scan(&f.who, &f.seesHashes, &f.endsGraces)
}
