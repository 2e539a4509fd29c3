package main

import (
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

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
	ts.Setenv("DATABASE", strings.Replace(url, "owner@", "", 1))
	ts.Setenv("PGUSER", "owner")
}
