package main

import (
	"crypto/sha256"
	"database/sql"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/tcpboot/tcpboot/menuconfig/kconfig"
)

// cmdTree writes a folder's files, modes and digests into a file, to compare two
// states of it:  tree DIR FILE
func cmdTree(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: tree DIR FILE")
	}
	lines := tree(ts, args[0])
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(strings.Join(lines, "\n")+"\n"), 0o644))
}

// tree lists what lies in a folder: names, modes, digests. Of a database it says
// what it holds, because SQLite moves pages between its files while nothing
// changes. What a server that runs beside writes is left out.
func tree(ts *testscript.TestScript, dir string) (lines []string) {
	root := ts.MkAbs(dir)
	ts.Check(filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		what, err := contents(path, d)
		if what != ignored {
			lines = append(lines, fmt.Sprintf("%s %v %s", name, info.Mode(), what))
		}
		return err
	}))
	return lines
}

const ignored = "ignored"

// contents is the digest of what a file holds.
func contents(path string, d fs.DirEntry) (string, error) {
	switch ext := filepath.Ext(path); {
	case d.IsDir():
		return "", nil
	case ext == ".db-shm", ext == ".db-wal", ext == ".lock", d.Name() == "visits.db":
		return ignored, nil
	case ext == ".db":
		return databaseDigest(path)
	}
	text, err := os.ReadFile(path)
	return fmt.Sprintf("%x", sha256.Sum256(text)), err
}

// databaseDigest hashes every row of every table.
func databaseDigest(path string) (string, error) {
	db, err := sql.Open("sqlite", "file:"+path+"?mode=ro")
	if err != nil {
		return "", err
	}
	defer db.Close()
	tables, err := column(db, "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	for _, table := range tables {
		rows, err := allRows(db, table)
		if err != nil {
			return "", err
		}
		slices.Sort(rows)
		fmt.Fprintf(sum, "%s %q\n", table, rows)
	}
	return fmt.Sprintf("%x", sum.Sum(nil)), nil
}

func column(db *sql.DB, query string) (values []string, err error) {
	rows, err := db.Query(query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var v string
		if err := rows.Scan(&v); err != nil {
			return nil, err
		}
		values = append(values, v)
	}
	return values, rows.Err()
}

// allRows is each row of a table as text.
func allRows(db *sql.DB, table string) (texts []string, err error) {
	rows, err := db.Query("SELECT * FROM " + table)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	values, places := make([]any, len(names)), make([]any, len(names))
	for i := range values {
		places[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(places...); err != nil {
			return nil, err
		}
		texts = append(texts, fmt.Sprint(values...))
	}
	return texts, rows.Err()
}

// cmdSQL changes a database behind tcpboot's back; "untrigger" takes away the
// triggers that would refuse.
//
//	sql FILE STATEMENT|untrigger
func cmdSQL(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: sql FILE STATEMENT")
	}
	db, err := sql.Open("sqlite", ts.MkAbs(args[0]))
	ts.Check(err)
	defer db.Close()
	statement := args[1]
	if statement == "untrigger" {
		triggers, err := column(db, "SELECT 'DROP TRIGGER ' || name || ';' FROM sqlite_schema WHERE type = 'trigger'")
		ts.Check(err)
		statement = strings.Join(triggers, "\n")
	}
	_, err = db.Exec(statement)
	if neg == (err == nil) {
		ts.Fatalf("%s: error %v", args[1], err)
	}
}

// cmdValue compares an option of an sdkconfig file, as the build reads it, with
// a text:  value FILE OPTION TEXT
func cmdValue(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: value FILE OPTION TEXT")
	}
	config, err := kconfig.ReadDefaults(args[0], []byte(ts.ReadFile(args[0])))
	ts.Check(err)
	got, ok := config.Get(args[1])
	if same := ok && got.Text == args[2]; same == neg {
		ts.Fatalf("%s: %s is %q, %v; want %q", args[0], args[1], got.Text, ok, args[2])
	}
}
