package radius_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/radius"
	"github.com/tcpboot/tcpboot/pki/registry"
	"github.com/tcpboot/tcpboot/pki/registry/registrytest"
)

// A database is a registry together with what a RADIUS server reads of it.
type database struct {
	*registry.Fleet
	t   *testing.T
	url string // that the server is given
}

// onDatabases runs a test on each kind of database.
func onDatabases(t *testing.T, test func(t *testing.T, d *database)) {
	t.Parallel()
	for name, make := range map[string]func(*testing.T) *database{"PostgreSQL": onPostgres, "SQLite": onSQLite} {
		t.Run(name, func(t *testing.T) {
			program(t, "freeradius", "freeradius")
			t.Parallel()
			test(t, make(t))
		})
	}
}

// anHourAgo is the registry's clock: a grace that is over by that of the server
// still stands in the database.
func anHourAgo() time.Time { return time.Now().Add(-time.Hour) }

// onPostgres lets the server read as a role of its own.
func onPostgres(t *testing.T) *database {
	if found, err := filepath.Glob("/usr/lib/freeradius/rlm_sql_postgresql.so"); err != nil || len(found) == 0 {
		t.Fatal("rlm_sql_postgresql is missing: install the Debian package freeradius-postgresql")
	}
	p := registrytest.Server(t)
	url := p.Database(t)
	d := open(t, url, registry.Options{Who: "test", Now: anHourAgo})
	role := "radius_" + filepath.Base(strings.SplitN(strings.SplitN(url, "@/", 2)[1], "?", 2)[0])
	if err := p.Run(url, "CREATE ROLE "+role+" LOGIN IN ROLE tcpboot_radius"); err != nil {
		t.Fatal(err)
	}
	d.url = registrytest.As(role, url)
	return d
}

// onSQLite lets the server read a file that it may not write.
func onSQLite(t *testing.T) *database {
	dir := folder(t)
	path := filepath.Join(dir, "radius.db")
	d := open(t, "sqlite:"+filepath.Join(dir, "tcpboot.db"), registry.Options{Who: "test", Now: anHourAgo, RADIUS: path})
	if os.Geteuid() == 0 {
		if err := errors.Join(os.Chmod(dir, 0o711), os.Chown(path, 0, nobody)); err != nil {
			t.Fatal(err)
		}
	}
	d.url = "sqlite:" + path
	return d
}

func open(t *testing.T, url string, o registry.Options) *database {
	t.Helper()
	f, err := registry.Create(context.Background(), url, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return &database{Fleet: f, t: t}
}

// start starts a server that reads the database.
func (d *database) start(s *site, eap fleet.EAP) *lab {
	d.t.Helper()
	srv := s.server(eap)
	srv.Database = d.url
	return start(d.t, srv, nil, nil)
}

// add enters boards as Pending.
func (d *database) add(boards ...*board) {
	d.t.Helper()
	var entries []registry.Entry
	for _, b := range boards {
		b.Device.Name = "'; --%{User-Name}" + b.Device.MAC.String()
		b.Hardware, b.Channel = "esp32", "stable"
		entries = append(entries, registry.Entry{Device: b.Device, Admission: b.proof()})
	}
	d.ok(d.Add(d.t.Context(), entries))
}

// enrol enters boards and activates them.
func (d *database) enrol(boards ...*board) {
	d.t.Helper()
	d.add(boards...)
	for _, b := range boards {
		d.ok(d.Activate(d.t.Context(), []fleet.MAC{b.Device.MAC}))
	}
}

// rotate gives a board another credential and returns it as it was.
func (d *database) rotate(b *board, grace time.Duration) *board {
	d.t.Helper()
	before := b.rotate(time.Time{})
	d.ok(d.Rotate(d.t.Context(), b.Device.MAC, b.proof(), "", grace))
	return before
}

func (d *database) revoke(boards ...*board) {
	d.t.Helper()
	var macs []fleet.MAC
	for _, b := range boards {
		macs = append(macs, b.Device.MAC)
	}
	d.ok(d.Revoke(d.t.Context(), macs, "lost"))
}

// proof is what the registry keeps of b's credential.
func (b *board) proof() fleet.Admission { return b.Credential.Admission(b.EAP) }

func (d *database) ok(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

// A change in the registry counts at the next login, and nothing is done to the
// server: it is neither told nor started again.
func TestSQLAtOnce(t *testing.T) {
	onDatabases(t, func(t *testing.T, d *database) {
		s := newSite()
		lost := s.enroll("246f28aa1001", all, 101)
		stays := s.enroll("246f28aa1002", all, 102)
		turned := s.enroll("246f28aa1003", all, 0)
		later := s.enroll("246f28aa1004", all, 104)
		d.enrol(lost, stays, turned)
		d.add(later)
		l := d.start(s, all)
		each := func(what string, b *board, want, vlan string) (rows []row) {
			for name, method := range map[string]string{"EAP-TLS": useTLS, "PEAP": usePEAP, "TTLS-PAP": usePAP, "TTLS-MSCHAPv2": useMSCHAPv2} {
				rows = append(rows, row{what + ", " + name, b.by(method), want, vlan})
			}
			return rows
		}
		l.logins(slices.Concat(
			each("before, lost", lost, accept, "101"), each("before, stays", stays, accept, "102"),
			each("before, turned", turned, accept, ""), each("pending", later, reject, "")))

		d.revoke(lost)
		before := d.rotate(turned, 0)
		d.ok(d.Activate(t.Context(), []fleet.MAC{later.Device.MAC}))
		l.logins(slices.Concat(
			each("revoked", lost, reject, ""), each("stays", stays, accept, "102"), each("rotated", turned, accept, ""),
			each("rotated, the old one", before, reject, ""), each("activated", later, accept, "104")))

		d.ok(d.Change(t.Context(), stays.Device.MAC, registry.Change{EAP: new(fleet.TLS), VLAN: new(fleet.VLAN(7))}))
		l.logins([]row{
			{"by TLS alone now", stays.by(useTLS), accept, "7"},
			{"by PEAP no more", stays.by(usePEAP), reject, ""},
			{"by TTLS no more", stays.by(usePAP), reject, ""},
		})
	})
}

// What the file authorize lets in and keeps out, the database does too.
func TestSQLLogins(t *testing.T) {
	onDatabases(t, func(t *testing.T, d *database) {
		s := newSite()
		a, b := s.enroll("246f28aa1001", all, 101), s.enroll("246f28aa1002", all, 102)
		tls, peap, ttls := s.enroll("246f28aa1003", fleet.TLS, 0), s.enroll("246f28aa1004", fleet.PEAP, 0), s.enroll("246f28aa1005", fleet.TTLS, 0)
		open, over := s.enroll("246f28aa1006", all, 0), s.enroll("246f28aa1007", all, 0)
		number := s.enroll("100e00000000", all, 0) // which a careless column would take for a number
		d.enrol(a, b, tls, peap, ttls, open, over, number)
		openOld, overOld := d.rotate(open, 2*time.Hour), d.rotate(over, time.Hour-time.Second)
		unlisted := s.enroll("246f28aa1001", all, 0)
		l := d.start(s, all)
		rows := []row{
			{"EAP-TLS", a.by(useTLS), accept, "101"},
			{"PEAP, anonymous outside", a.by(usePEAP, outer("anonymous")), accept, "101"},
			{"station with hyphens", a.by(usePAP, from("24-6F-28-AA-10-01")), accept, "101"},
			{"digits and an e, EAP-TLS", number.by(useTLS), accept, ""},
			{"digits and an e, PEAP", number.by(usePEAP), accept, ""},

			{"wrong password", a.by(usePEAP, knowing("wrong")), reject, ""},
			{"another board's password", a.by(usePAP, knowing(b.Password)), reject, ""},
			{"another board's certificate", a.by(useTLS, showing(b.cert())), reject, ""},
			{"another board's certificate and identity", a.by(useTLS, as("246f28aa1002"), showing(b.cert())), reject, ""},
			{"another board inside the tunnel", a.by(usePEAP, as("246f28aa1002"), knowing(b.Password)), reject, ""},
			{"another station", a.by(useTLS, from("246f28aa1002")), reject, ""},
			{"a certificate that was never listed", a.by(useTLS, showing(unlisted.cert())), reject, ""},
			{"unknown board", a.by(useTLS, as("246f28aa1009"), from("246f28aa1009")), reject, ""},
			{"upper-case identity", a.by(useTLS, as("246F28AA1001")), reject, ""},

			{"tls by EAP-TLS", tls.by(useTLS), accept, ""},
			{"tls by PEAP", tls.by(usePEAP), reject, ""},
			{"tls by TTLS-PAP", tls.by(usePAP), reject, ""},
			{"peap by EAP-TLS", peap.by(useTLS), reject, ""},
			{"peap by PEAP", peap.by(usePEAP), accept, ""},
			{"peap by TTLS-PAP", peap.by(usePAP), reject, ""},
			{"ttls by EAP-TLS", ttls.by(useTLS), reject, ""},
			{"ttls by PEAP", ttls.by(usePEAP), reject, ""},
			{"ttls by TTLS-PAP", ttls.by(usePAP), accept, ""},

			{"grace, old certificate", openOld.by(useTLS), accept, ""},
			{"grace, old password, PEAP", openOld.by(usePEAP), accept, ""},
			{"grace, old password, TTLS-PAP", openOld.by(usePAP), accept, ""},
		}
		rows = append(rows,
			row{"grace over, new certificate", over.by(useTLS), accept, ""},
			row{"grace over, old certificate", overOld.by(useTLS), reject, ""},
			row{"grace over, old password, PEAP", overOld.by(usePEAP), reject, ""},
			row{"grace over, old password, TTLS-PAP", overOld.by(usePAP), reject, ""})
		l.logins(rows)

		var attempts []row
		for _, hostile := range []string{
			"' OR '1'='1", "246f28aa1001'--", "'; DELETE FROM radcheck; --", "246f28aa1001' UNION SELECT 1,'x','Auth-Type','Accept',':='--",
			"%{sql:SELECT 1}", "%{User-Name}", `\'`, "=27 OR 1=1", "DEFAULT",
			"%{boards:DELETE FROM radcheck}", "%{boards:SELECT tcpboot.seen('246f28aa1006','" + open.proof().Serial.String() + "')}",
			"246f28aa1006'; SELECT tcpboot.seen('246f28aa1006','" + open.proof().Serial.String() + "'); --",
			"246f28aa1001\n", "\n246f28aa1001", "246f28aa1001\r\nTcpboot-Methods := tls", "x\n' OR 1=1 --\n", "`id`", "${confdir}", "$INCLUDE x",
		} {
			attempts = append(attempts,
				row{"identity " + hostile, a.by(usePAP, as(hostile)), reject, ""},
				row{"identity and station " + hostile, a.by(useTLS, as(hostile), from(hostile)), reject, ""})
		}
		facts, head := d.facts(), must(d.Head(t.Context()))
		l.logins(attempts)
		if now := must(d.Head(t.Context())); !maps.EqualFunc(facts, d.facts(), slices.Equal[[]string]) || now != head {
			t.Errorf("somebody changed what the server reads, or the trail went on from %v to %v", head, now)
		}
		l.logins([]row{{"the database is as it was", a.by(usePEAP), accept, "101"}})
	})
}

// A board that was seen with its new credential has no use for the old one. Where
// the server can tell the registry, the grace is over then, whatever its time.
func TestSQLSeen(t *testing.T) {
	onDatabases(t, func(t *testing.T, d *database) {
		s := newSite()
		boards := map[string]*board{
			useTLS: s.enroll("246f28aa1001", all, 101), usePEAP: s.enroll("246f28aa1002", fleet.PEAP, 0),
			usePAP: s.enroll("246f28aa1003", fleet.TTLS, 0), useMSCHAPv2: s.enroll("246f28aa1004", all, 0),
		}
		old, vlans := make(map[string]*board), map[string]string{useTLS: "101"}
		for method, b := range boards {
			d.enrol(b)
			old[method] = d.rotate(b, 10*time.Hour)
		}
		l := d.start(s, all)
		each := func(what string, of map[string]*board, want string) (rows []row) {
			for method, b := range of {
				r := row{what + " by " + method, b.by(method), want, ""}
				if want == accept {
					r.vlan = vlans[method]
				}
				rows = append(rows, r)
			}
			return rows
		}
		l.logins(each("in its grace, old", old, accept))
		l.logins(each("in its grace, old again", old, accept))
		l.logins(each("new", boards, accept))
		if strings.HasPrefix(d.url, "sqlite:") {
			l.logins(each("seen, and nobody told, old", old, accept))
			return
		}
		l.logins(each("seen, old", old, reject))
		l.logins(each("seen, new", boards, accept))
		d.checkSeen(boards, old)
		p := registrytest.Server(t)
		d.ok(p.Run(registrytest.As("owner", d.url), "REVOKE EXECUTE ON FUNCTION seen(text, text) FROM tcpboot_radius"))
		l.logins(each("who cannot tell, new", boards, accept))
	})
}

// checkSeen looks at what the registry makes of it: graces are over for all who
// ask, and with the next change on the record too.
func (d *database) checkSeen(boards, old map[string]*board) {
	d.t.Helper()
	dead := func() (serials []fleet.Serial) {
		for r, err := range d.Revocations(d.t.Context()) {
			d.ok(err)
			serials = append(serials, r.Serial)
		}
		return serials
	}
	for range 2 {
		for method, b := range boards {
			got := must(d.Device(d.t.Context(), b.Device.MAC))
			if len(got.Admissions) != 1 || got.Admissions[0].Serial != b.proof().Serial {
				d.t.Errorf("%s: admitted are %+v", method, got.Admissions)
			}
			if !slices.Contains(dead(), old[method].proof().Serial) {
				d.t.Errorf("%s: the old serial is not among the dead", method)
			}
		}
		d.ok(d.Expire(d.t.Context())) // again, after a change
	}
	told := 0
	for r, err := range d.Audit(d.t.Context()) {
		d.ok(err)
		if r.Action == "credential.supersede" {
			told++
		}
	}
	logins := make(map[fleet.Serial]bool)
	for l, err := range d.Logins(d.t.Context()) {
		d.ok(err)
		logins[l.Serial] = !l.Last.Before(l.First) && time.Since(l.Last) < time.Minute
	}
	if told != len(boards) || len(logins) != 2*len(boards) {
		d.t.Errorf("%d rows in the trail and %d logins of %d boards", told, len(logins), len(boards))
	}
	for _, b := range boards {
		if !logins[b.proof().Serial] {
			d.t.Errorf("no login with %s just now", b.proof().Serial)
		}
	}
}

// The database says of every board what the file authorize says.
func TestSQLFacts(t *testing.T) {
	onDatabases(t, func(t *testing.T, d *database) {
		s := newSite()
		var boards []*board
		next := func(eap fleet.EAP, vlan fleet.VLAN) *board {
			b := s.enroll(fmt.Sprintf("246f28aa10%02x", len(boards)), eap, vlan)
			boards = append(boards, b)
			return b
		}
		for eap := fleet.EAP(1); eap <= all; eap++ {
			plain, inGrace := next(eap, fleet.VLAN(eap)), next(eap, 0)
			d.enrol(plain, inGrace)
			d.rotate(inGrace, time.Hour)
			for now := fleet.EAP(1); now <= all; now++ { // methods that it was not issued for, so with or without a password
				changed := next(eap, 0)
				d.enrol(changed)
				d.rotate(changed, 200*365*24*time.Hour)
				d.ok(d.Change(t.Context(), changed.Device.MAC, registry.Change{EAP: &now}))
			}
		}
		d.add(next(all, 0))
		revoked := next(all, 9)
		d.enrol(revoked)
		d.revoke(revoked)

		want := new(bytes.Buffer)
		d.ok(radius.Authorize(want, d.Devices(t.Context(), registry.Filter{})))
		wantFacts := factsOf(want.String())
		got := d.facts()
		for _, user := range slices.Sorted(maps.Keys(wantFacts)) {
			if !slices.Equal(got[user], wantFacts[user]) {
				t.Errorf("%s: got\n%s\nwant\n%s", user, strings.Join(got[user], "\n"), strings.Join(wantFacts[user], "\n"))
			}
			delete(got, user)
		}
		if len(got) != 0 || len(wantFacts) < 50 {
			t.Errorf("%d boards, and beyond them %v", len(wantFacts), got)
		}
	})
}

var factText = regexp.MustCompile(`(Tcpboot-\S+) := '?([^', ]*(?:,[^', ]+)*)'?`)

// factsOf reads a file authorize.
func factsOf(authorize string) map[string][]string {
	facts := make(map[string][]string)
	for line := range strings.Lines(authorize) {
		user, rest, _ := strings.Cut(line, " ")
		if strings.HasPrefix(user, "#") {
			continue
		}
		for _, m := range factText.FindAllStringSubmatch(strings.TrimSpace(rest), -1) {
			facts[user] = append(facts[user], m[1]+" := "+m[2])
		}
	}
	return facts
}

// facts reads what the server reads.
func (d *database) facts() map[string][]string {
	d.t.Helper()
	driver, source, table := "pgx", d.url, "tcpboot.radcheck"
	if path, ok := strings.CutPrefix(d.url, "sqlite:"); ok {
		driver, source, table = "sqlite", path, "radcheck"
	}
	db := must(sql.Open(driver, source))
	defer db.Close()
	rows := must(db.Query("SELECT username, attribute || ' ' || op || ' ' || value FROM " + table + " ORDER BY username, id"))
	defer rows.Close()
	facts := make(map[string][]string)
	for rows.Next() {
		var user, fact string
		d.ok(rows.Scan(&user, &fact))
		facts[user] = append(facts[user], fact)
	}
	d.ok(rows.Err())
	return facts
}

// While the database does not answer nobody gets in, and afterwards everybody
// does, by itself.
func TestSQLDown(t *testing.T) {
	t.Parallel()
	d := onPostgres(t)
	s := newSite()
	b := s.enroll("246f28aa1001", all, 0)
	d.enrol(b)
	l := d.start(s, all)
	methods := func(want string) []row {
		return []row{
			{want + " by EAP-TLS", b.by(useTLS), want, ""}, {want + " by PEAP", b.by(usePEAP), want, ""},
			{want + " by TTLS-PAP", b.by(usePAP), want, ""}, {want + " by TTLS-MSCHAPv2", b.by(useMSCHAPv2), want, ""},
		}
	}
	l.logins(methods(accept))
	p, role := registrytest.Server(t), strings.TrimPrefix(strings.Split(d.url, "@")[0], "postgres://")
	d.ok(p.Run(p.URL("owner", "postgres"), "ALTER ROLE "+role+" NOLOGIN",
		"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '"+role+"'"))
	l.logins(methods(reject))
	d.ok(p.Run(p.URL("owner", "postgres"), "ALTER ROLE "+role+" LOGIN"))
	patience := time.After(30 * time.Second)
	for l.try(t, b.by(useTLS)).verdict != accept { // it asks the database again a second after a failure
		select {
		case <-patience:
			t.Fatalf("still out after 30 s\n%s", l.output)
		default:
		}
	}
	l.logins(methods(accept))
}

func TestSQLGolden(t *testing.T) {
	for name, url := range map[string]string{
		"sql-sqlite":   "sqlite:../radius.db",
		"sql-postgres": "postgres://freeradius@db.example.org:5433/site?sslmode=verify-full&sslrootcert=/etc/ssl/ca.pem&passfile=/etc/freeradius/pgpass",
	} {
		srv := newSite().server(all)
		srv.Database = url
		var m memory
		if err := radius.Export(srv, nil, m.create); err != nil {
			t.Fatal(err)
		}
		if m.files["authorize"] != nil {
			t.Error("a file authorize, which nobody reads")
		}
		compare(t, name, map[string]*bytes.Buffer{"sql.conf": m.files["sql.conf"], "radiusd.conf": m.files["radiusd.conf"]})
	}
}

// Nothing of what is refused gets into a file.
func TestRefusedDatabase(t *testing.T) {
	s := newSite()
	for _, row := range []struct{ name, url, want string }{
		{"another kind", "mysql://hunter2@h/n", "want sqlite"},
		{"no kind", "hunter2", "want sqlite"},
		{"password", "postgres://u:hunter2@localhost/n", "passfile"},
		{"password as a parameter", "postgres://u@localhost/n?password=hunter2", "passfile"},
		{"no URL", "postgres://u:hunter2@local host/n", "not a URL"},
		{"no user", "postgres://localhost/n", "USER"},
		{"no name", "postgres://u@localhost/", "NAME"},
		{"across the network without proof", "postgres://u@db.example.org/n", "sslmode=verify-full"},
		{"across the network by parameter", "postgres://u@/n?host=10.0.0.1", "sslmode=verify-full"},
		{"unknown parameter", "postgres://u@localhost/n?options=-cx", "unknown parameter"},
		{"name with a quote", "postgres://u@localhost/n'%20user='owner", "dbname"},
		{"user that expands", "postgres://%25%7Bx%7D@localhost/n", "user"},
		{"file with a line end", "postgres://u@localhost/n?passfile=a%0A}", "passfile"},
		{"file that expands", "postgres://u@localhost/n?passfile=${confdir}", "passfile"},
		{"no path", "sqlite:", "path"},
		{"path with a quote", `sqlite:a"b`, "path"},
		{"path that expands", "sqlite:%{x}", "path"},
		{"path with a backslash", `sqlite:a\b`, "path"},
	} {
		t.Run(row.name, func(t *testing.T) {
			srv := s.server(all)
			srv.Database = row.url
			var m memory
			err := radius.Export(srv, nil, m.create)
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Fatalf("error %v, want one with %q", err, row.want)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("error %q tells the password", err)
			}
			if len(m.files) != 0 {
				t.Errorf("wrote %d files", len(m.files))
			}
		})
	}
}
