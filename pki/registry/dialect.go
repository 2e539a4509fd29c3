package registry

import (
	"context"
	"database/sql"
	"embed"
	"encoding/json"
	"fmt"
)

// A dialect is what the two databases say differently. Everything else is said
// once, for both: two implementations of what may change when would drift apart.
type dialect struct {
	embedded bool // in this process: see writer

	tables      string // asks whether there is a schema table
	schemaTable string // makes it
	lockSchema  string // keeps others from making or migrating it until the transaction ends
	grants      string // what follows a migration

	forUpdate string // after the query by which a change begins: takes the write lock
	within    string // a format: a column is one of the texts that list makes, by its placeholder
	list      func(texts []string) any

	change   *sql.TxOptions
	snapshot *sql.TxOptions // every read sees the same state
	again    func(error) bool
}

//go:embed sqlite/fleet/*.sql sqlite/visits/*.sql
//go:embed postgres/fleet/*.sql postgres/visits/*.sql postgres/grants.sql
var scripts embed.FS

func script(name string) string {
	text, err := scripts.ReadFile(name)
	if err != nil {
		panic(err) // it is part of the program
	}
	return string(text)
}

// scriptsOf are the first n migrations of a folder, in their order.
func scriptsOf(folder string, n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = script(fmt.Sprintf("%s/%04d.sql", folder, i+1))
	}
	return all
}

var inSQLite = &dialect{
	embedded:    true,
	tables:      "SELECT count(*) FROM sqlite_schema WHERE name = 'schema_version'",
	schemaTable: "CREATE TABLE schema_version (kind TEXT NOT NULL PRIMARY KEY, version INTEGER NOT NULL) STRICT",
	within:      "%s IN (SELECT value FROM json_each(%s))",
	list:        jsonList,
	snapshot:    &sql.TxOptions{ReadOnly: true},
	again:       func(error) bool { return false }, // who waits for the lock gets it
}

// In PostgreSQL the row of the audit head is the write lock. Under it a
// transaction needs no higher isolation: each statement sees what is committed,
// and nobody else commits.
var inPostgres = &dialect{
	tables: "SELECT count(*) FROM pg_tables WHERE schemaname = 'tcpboot' AND tablename = 'schema_version'",
	schemaTable: `
		DO $$ BEGIN
			IF to_regnamespace('tcpboot') IS NULL THEN
				CREATE SCHEMA tcpboot;
			END IF;
		END $$;
		CREATE TABLE tcpboot.schema_version (kind text NOT NULL PRIMARY KEY, version integer NOT NULL)`,
	lockSchema: "SELECT pg_advisory_xact_lock(x'746370626f6f74'::bigint)", // "tcpboot"
	grants:     script("postgres/grants.sql"),
	forUpdate:  " FOR UPDATE",
	within:     "%s = ANY(%s)", // as an array: of a set it does not know the size
	list:       func(texts []string) any { return texts },
	change:     &sql.TxOptions{Isolation: sql.LevelReadCommitted},
	snapshot:   &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true},
	again:      lostRace,
}

// The stores. A visit lost in a power cut is told again by the board's next
// one, so visits are spared the wait for the disk at each commit.
var (
	fleetStore  = store{inSQLite, "fleet", scriptsOf("sqlite/fleet", 4), "FULL"}
	visitsStore = store{inSQLite, "visits", scriptsOf("sqlite/visits", 2), "NORMAL"}

	postgresFleet  = store{inPostgres, "fleet", scriptsOf("postgres/fleet", 4), ""}
	postgresVisits = store{inPostgres, "visits", scriptsOf("postgres/visits", 2), ""}
)

// in is a term that holds when column is one of the texts that list made.
func (d *dialect) in(column, placeholder string) string {
	return fmt.Sprintf(d.within, column, placeholder)
}

func jsonList(texts []string) any {
	text, err := json.Marshal(texts)
	if err != nil {
		panic(err) // texts always marshal
	}
	return string(text)
}

// statements is the context of a transaction's statements. The driver of the
// embedded database starts a goroutine per statement for a context that can end,
// which would double the cost of a bulk enrolment; the transaction itself still
// ends with ctx. A statement on a server may wait for the lock.
func (d *dialect) statements(ctx context.Context) context.Context {
	if d.embedded {
		return context.WithoutCancel(ctx)
	}
	return ctx
}

// run executes a script, unless it is empty.
func run(ctx context.Context, tx *sql.Tx, script string) error {
	if script == "" {
		return nil
	}
	return execute(ctx, tx, script)
}
