package main

import (
	"context"
	"os"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/tcpboot/tcpboot/pki/registry"
	"github.com/tcpboot/tcpboot/pki/registry/registrytest"
)

// cmdDatabase makes an empty database on the tests' own PostgreSQL. Its URL, in
// which no role stands, goes into $DATABASE, and PGUSER becomes its owner.
//
//	database
func cmdDatabase(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: database")
	}
	p, err := registrytest.OneServer()
	ts.Check(err)
	url, err := p.NewDatabase()
	ts.Check(err)
	_, behind, _ := strings.Cut(url, "@")
	name, _, _ := strings.Cut(strings.TrimPrefix(behind, "/"), "?")
	ts.Setenv("DATABASE", "postgres://"+behind)
	ts.Setenv("BEHIND", behind)
	ts.Setenv("DB", name)
	ts.Setenv("PGUSER", "owner")
}

// onPostgres moves the registry of the script's site, which is empty, into a new
// database.
func onPostgres(ts *testscript.TestScript) {
	cmdDatabase(ts, false, nil)
	f, err := registry.Create(context.Background(), "postgres://owner@"+ts.Getenv("BEHIND"), registry.Options{Who: "test"})
	ts.Check(err)
	ts.Check(f.Close())
	cmdReplace(ts, false, []string{"tcpboot.yaml", "sqlite:tcpboot.db", ts.Getenv("DATABASE")})
	for _, file := range []string{"tcpboot.db", "tcpboot.db-wal", "tcpboot.db-shm", headFile} {
		ts.Check(os.Remove(ts.MkAbs(file)))
	}
}
