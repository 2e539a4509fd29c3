package main

import (
	"context"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/registry"
)

// cmdReport is a board that proved itself and reports of a release, now or some time
// ago; the site is the working folder:
//
//	report MAC MANIFEST OUTCOME [CAUSE [AGO]]
func cmdReport(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 || len(args) > 5 {
		ts.Fatalf("usage: report MAC MANIFEST OUTCOME [CAUSE [AGO]]")
	}
	args = append(args, "", "")
	r := fleet.Report{Outcome: fleet.Outcome(args[2]), Cause: fleet.Cause(args[3]), Time: time.Now()}
	var err error
	r.MAC, err = fleet.ParseMAC(args[0])
	ts.Check(err)
	r.Manifest, err = fleet.ParseDigest(args[1])
	ts.Check(err)
	if args[4] != "" {
		ago, err := time.ParseDuration(args[4])
		ts.Check(err)
		r.Time = r.Time.Add(-ago)
	}
	visits, err := registry.OpenVisits(context.Background(), ts.MkAbs("visits.db"))
	ts.Check(err)
	ts.Check(visits.Report(context.Background(), []fleet.Report{r}))
	ts.Check(visits.Close())
}
