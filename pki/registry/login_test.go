package registry_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/registry"
	"github.com/tcpboot/tcpboot/pki/registry/registrytest"
)

// TestSeen is what the RADIUS server's role can do to the registry, and what whoever
// steals that role cannot: it ends the grace of a board that was rotated, and no
// more.
func TestSeen(t *testing.T) {
	p, ctx := registrytest.Server(t), t.Context()
	url := createOn(t, p)
	login(t, p, "the_radius", "tcpboot_radius")
	login(t, p, "the_enrol", "tcpboot_enrol")
	radius := registrytest.As("the_radius", url)
	f := open(t, registrytest.As("the_enrol", url))
	var entries []registry.Entry
	for n := range 4 {
		e := registrytest.Entry(n)
		e.Device.EAP, e.Admission = fleet.PEAP, registrytest.WithPassword(e.Admission)
		entries = append(entries, e)
	}
	registrytest.Enrol(t, f, entries[:3]...)
	if err := f.Add(ctx, entries[3:]); err != nil { // and leave it Pending
		t.Fatal(err)
	}
	for n := range 2 {
		if err := f.Rotate(ctx, registrytest.MAC(n), registrytest.WithPassword(registrytest.Admission(n, 1)), "", time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Revoke(ctx, []fleet.MAC{registrytest.MAC(2)}, "lost"); err != nil {
		t.Fatal(err)
	}
	seen := func(board, of, credential int) {
		t.Helper()
		call := fmt.Sprintf("SELECT seen('%s', '%s')", registrytest.MAC(board), registrytest.Admission(of, credential).Serial)
		if err := p.Run(radius, call); err != nil {
			t.Fatal(err)
		}
	}
	admissions := func(board int) int {
		t.Helper()
		d, err := f.Device(ctx, registrytest.MAC(board))
		if err != nil {
			t.Fatal(err)
		}
		return len(d.Admissions)
	}
	head := func() registry.Head {
		t.Helper()
		h, err := f.Head(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}

	before := head()
	seen(0, 0, 0) // with the old one
	seen(0, 1, 1) // another's
	seen(0, 0, 7) // that never was
	seen(2, 2, 0) // revoked
	seen(3, 3, 0) // not yet active
	for _, statement := range []string{
		"INSERT INTO login VALUES ('', '', '', '', false)", "SELECT * FROM login", "SELECT * FROM superseded", "SELECT refuse()",
		"UPDATE credential SET until = NULL", "SELECT seen('x'' OR 1=1', '')::text::oid::regclass, * FROM device",
	} {
		if err := p.Run(radius, statement); err == nil {
			t.Errorf("the RADIUS server may %s", statement)
		}
	}
	if err := p.Run(registrytest.As("the_enrol", url), "SELECT seen('', '')"); err == nil {
		t.Error("others may say what was seen")
	}
	if err := f.Expire(ctx); err != nil {
		t.Fatal(err)
	}
	if admissions(0) != 2 || admissions(1) != 2 || admissions(3) != 0 || head() != before {
		t.Errorf("%d, %d, %d credentials in force, trail from %v to %v", admissions(0), admissions(1), admissions(3), before, head())
	}

	seen(0, 0, 1)
	if admissions(0) != 1 || admissions(1) != 2 {
		t.Errorf("seen with the new one: %d credentials in force; not seen: %d", admissions(0), admissions(1))
	}
	if err := f.Expire(ctx); err != nil {
		t.Fatal(err)
	}
	// The next grace is the next one's: what was seen before does not end it.
	if err := f.Rotate(ctx, registrytest.MAC(0), registrytest.WithPassword(registrytest.Admission(0, 2)), "", time.Hour); err != nil {
		t.Fatal(err)
	}
	seen(0, 0, 1)
	if err := f.Expire(ctx); err != nil || admissions(0) != 2 {
		t.Errorf("the next grace: %d credentials in force, %v", admissions(0), err)
	}
	var serials []fleet.Serial
	for l, err := range f.Logins(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		serials = append(serials, l.Serial)
	}
	if len(serials) != 2 || serials[0] != registrytest.Admission(0, 0).Serial || serials[1] != registrytest.Admission(0, 1).Serial {
		t.Errorf("logins with %v", serials)
	}
	if _, err := f.VerifyAudit(ctx); err != nil {
		t.Error(err)
	}
}
