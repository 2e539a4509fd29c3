package registry_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/registry"
	"github.com/tcpboot/tcpboot/pki/registry/registrytest"
)

// TestContractOnPostgres opens the registry as roles of the names that the
// contract says, each a member of the group of admins.
func TestContractOnPostgres(t *testing.T) {
	p := registrytest.Server(t)
	login(t, p, "alice", "tcpboot_admin")
	login(t, p, "bob", "tcpboot_admin")
	registrytest.Run(t, func(t *testing.T) registrytest.Opener {
		url := createOn(t, p)
		return func(t *testing.T, o registry.Options) *registry.Fleet {
			role := o.Who
			if role == "" {
				role = "alice"
			}
			f, err := registry.Open(t.Context(), registrytest.As(role, url), o)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { f.Close() })
			return f
		}
	})
}

// createOn makes a registry in a new database and returns its owner's URL.
func createOn(t *testing.T, p *registrytest.Postgres) string {
	t.Helper()
	url := p.Database(t)
	f, err := registry.Create(t.Context(), url, someone)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return url
}

// login makes a role that is a member of a group, in a server on which a
// registry has been created or not.
func login(t *testing.T, p *registrytest.Postgres, role, group string) {
	t.Helper()
	if err := p.Run(p.URL("owner", "postgres"),
		"DO $$ BEGIN CREATE ROLE "+group+" NOLOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$",
		"DO $$ BEGIN CREATE ROLE "+role+" LOGIN IN ROLE "+group+"; EXCEPTION WHEN duplicate_object THEN NULL; END $$",
	); err != nil {
		t.Fatal(err)
	}
}

func TestCreateOnPostgres(t *testing.T) {
	p, ctx := registrytest.Server(t), t.Context()
	url := p.Database(t)
	if _, err := registry.Open(ctx, url, someone); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an empty database: %v", err)
	}
	missing := strings.Replace(url, "@/", "@/no_", 1)
	for name, open := range map[string]func(context.Context, string, registry.Options) (*registry.Fleet, error){
		"open": registry.Open, "create": registry.Create,
	} {
		if _, err := open(ctx, missing, someone); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s no database: %v", name, err)
		}
	}
	var wait sync.WaitGroup
	made := make([]error, 4)
	for n := range made {
		wait.Go(func() {
			f, err := registry.Create(ctx, url, someone)
			if made[n] = err; err == nil {
				made[n] = f.Close()
			}
		})
	}
	wait.Wait()
	first := slices.Index(made, nil)
	for n, err := range made {
		if n != first && !errors.Is(err, fs.ErrExist) {
			t.Errorf("made at once: %v", made)
		}
	}
	if err := p.Run(url, "UPDATE schema_version SET version = 99 WHERE kind = 'fleet'"); err != nil {
		t.Fatal(err)
	}
	for _, o := range []registry.Options{someone, {ReadOnly: true}} {
		if _, err := registry.Open(ctx, url, o); !errors.Is(err, registry.ErrNewer) {
			t.Errorf("newer: %v", err)
		}
	}
	if v, err := registry.OpenVisits(ctx, url); err != nil {
		t.Errorf("visits, which are not newer: %v", err)
	} else if err := v.Close(); err != nil {
		t.Error(err)
	}
	if _, err := registry.Grant(ctx, url); !errors.Is(err, registry.ErrNewer) {
		t.Errorf("grant on a newer registry: %v", err)
	}
	with := someone
	with.RADIUS = filepath.Join(t.TempDir(), "radius.db")
	if _, err := registry.Open(ctx, createOn(t, p), with); err == nil {
		t.Error("a mirror beside PostgreSQL is taken")
	}
}

// TestServerURLs are URLs that are refused before anybody is asked.
func TestServerURLs(t *testing.T) {
	for _, row := range []struct{ name, url, want string }{
		{"password", "postgres://u:hunter2@localhost/n", "PGPASSFILE"},
		{"empty password", "postgres://u:@localhost/n", "PGPASSFILE"},
		{"password as a parameter", "postgres://u@localhost/n?password=hunter2", "PGPASSFILE"},
		{"password of a key", "postgres://u@localhost/n?sslpassword=hunter2", "PGPASSFILE"},
		{"no URL", "postgres://u:hunter2@local host/n", "not a URL"},
		{"bad parameter", "postgres://u@localhost/n?sslmode=hunter2", "sslmode"},
		{"across the network", "postgres://u@db.example.org/n", "db.example.org need not prove"},
		{"one of several across the network", "postgres://u@localhost,10.0.0.1/n", "10.0.0.1 need not prove"},
		{"by parameter", "postgres://u@/n?host=10.0.0.1", "10.0.0.1 need not prove"},
	} {
		t.Run(row.name, func(t *testing.T) {
			for _, f := range []func() error{
				func() error { _, err := registry.Open(t.Context(), row.url, someone); return err },
				func() error { _, err := registry.OpenVisits(t.Context(), row.url); return err },
				func() error { _, err := registry.Grant(t.Context(), row.url); return err },
				func() error { return registry.Vacant(t.Context(), row.url, "") },
			} {
				err := f()
				if err == nil || !strings.Contains(err.Error(), row.want) {
					t.Fatalf("error %v, want one with %q", err, row.want)
				}
				if strings.Contains(err.Error(), "hunter2") && row.name != "bad parameter" {
					t.Errorf("error %q tells the password", err)
				}
			}
		})
	}
}

// TestPassword logs in over TCP by a password that lies in a file of its own.
func TestPassword(t *testing.T) {
	p := registrytest.Server(t)
	url := createOn(t, p)
	if err := p.Run(url, "CREATE ROLE carol LOGIN PASSWORD 'hunter2' IN ROLE tcpboot_admin"); err != nil {
		t.Fatal(err)
	}
	database := strings.TrimPrefix(strings.Split(url, "?")[0], "postgres://owner@/")
	tcp := fmt.Sprintf("postgres://carol@127.0.0.1:%d/%s", p.Port, database)
	passfile := filepath.Join(t.TempDir(), "pgpass")
	t.Setenv("PGPASSFILE", passfile)
	for password, want := range map[string]bool{"hunter2": true, "hunter3": false} {
		line := fmt.Sprintf("127.0.0.1:%d:%s:carol:%s\n", p.Port, database, password)
		if err := os.WriteFile(passfile, []byte(line), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := registry.Open(t.Context(), tcp, someone)
		if (err == nil) != want || err != nil && strings.Contains(err.Error(), password) {
			t.Errorf("%s: %v", password, err)
		}
		if err == nil {
			registrytest.Enrol(t, f, registrytest.Entry(1))
			for r, err := range f.Audit(t.Context()) {
				if err != nil || r.Who != "carol" {
					t.Errorf("row by %q, %v", r.Who, err)
				}
			}
			if err := f.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestAccidentsOnPostgres tries at a SQL prompt what the database must refuse by
// itself, from its owner too.
func TestAccidentsOnPostgres(t *testing.T) {
	p := registrytest.Server(t)
	url := createOn(t, p)
	f := open(t, url)
	for _, statement := range append(accidents(t, f),
		"TRUNCATE audit",
		"TRUNCATE device CASCADE",
		"DELETE FROM audit_head",
		"INSERT INTO audit SELECT sequence + 100, time, 'nobody', action, subject, detail, prev, hash FROM audit",
		"UPDATE credential SET certificate = repeat('0', 64) WHERE ended IS NULL",
		"INSERT INTO radcheck VALUES (1, 'x', 'Auth-Type', ':=', 'Accept')",
	) {
		if err := p.Run(url, statement); err == nil {
			t.Errorf("taken: %s", statement)
		}
	}
	if _, err := f.VerifyAudit(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestRoles gives each duty what it needs and nothing else.
func TestRoles(t *testing.T) {
	p, ctx := registrytest.Server(t), t.Context()
	url := createOn(t, p)
	as := func(duty string) string {
		login(t, p, "the_"+duty, "tcpboot_"+duty)
		return registrytest.As("the_"+duty, url)
	}
	password := func(n int) registry.Entry {
		e := registrytest.Entry(n)
		e.Device.EAP = fleet.TLS | fleet.PEAP
		e.Admission = registrytest.WithPassword(e.Admission)
		return e
	}
	owner := open(t, url)
	registrytest.Enrol(t, owner, password(1), password(2))
	if err := owner.Rotate(ctx, registrytest.MAC(2), registrytest.WithPassword(registrytest.Admission(2, 1)), "", time.Nanosecond); err != nil {
		t.Fatal(err) // whose grace only some of them may end
	}
	first := firstRow(t, owner)
	offer := fleet.Offer{Hardware: "esp32", Channel: "stable", Version: "1", Manifest: fleet.Sum(nil), Sequence: 1, Published: time.Unix(0, 0).UTC()}
	sequence := uint64(0)
	verbs := map[string]func(f *registry.Fleet) error{
		"enrol": func(f *registry.Fleet) error {
			n := 100 + int(sequence)
			sequence++
			return errors.Join(f.Add(ctx, []registry.Entry{password(n)}), f.Activate(ctx, []fleet.MAC{registrytest.MAC(n)}),
				f.Rotate(ctx, registrytest.MAC(n), registrytest.Admission(n, 1), "", 0), f.Revoke(ctx, []fleet.MAC{registrytest.MAC(n)}, "lost"))
		},
		"sign": func(f *registry.Fleet) error {
			return f.CRLNumber(ctx, func(_ uint64, previous time.Time) (time.Time, error) { return previous.Add(time.Hour), nil })
		},
		"publish": func(f *registry.Fleet) error {
			n, err := f.Number(ctx, "esp32", "1", []string{"stable"}, 0, nil)
			offer.Sequence = n.Sequences["stable"]
			return errors.Join(err, f.Publish(ctx, fleet.Offer{}, offer), f.Withdraw(ctx, offer, ""))
		},
		"audit": func(f *registry.Fleet) error { _, err := f.VerifyAudit(ctx); return err },
		"read": func(f *registry.Fleet) error {
			_, err := f.Device(ctx, registrytest.MAC(1))
			_, offers := f.Offers(ctx)
			_, stamp := f.Stamp(ctx)
			_, revocation := f.Revocation(ctx, registrytest.Admission(1, 0).Serial)
			for _, e := range f.Revocations(ctx) {
				err = errors.Join(err, e)
			}
			holds := f.Holds(ctx, registry.Head{}, first)
			return errors.Join(err, offers, stamp, revocation, holds)
		},
		"hash": func(f *registry.Fleet) error {
			d, err := f.Device(ctx, registrytest.MAC(1))
			if err == nil && d.Admissions[0].NTHash.IsZero() {
				return errors.New("shown without")
			}
			return err
		},
		"visit": func(*registry.Fleet) error { return nil },
	}
	for duty, may := range map[string]string{
		"admin": "enrol sign publish audit read hash visit", "enrol": "enrol sign audit read hash", "publish": "publish audit read", "serve": "read visit", "radius": "",
	} {
		f, err := registry.Open(ctx, as(duty), registry.Options{Who: "x"})
		if (err == nil) != (may != "") {
			t.Errorf("%s opens the registry: %v", duty, err)
		}
		for verb, do := range verbs {
			if err != nil {
				break
			}
			want := slices.Contains(strings.Fields(may), verb)
			got := do(f)
			if verb == "visit" {
				got = visit(t, as(duty))
			}
			if (got == nil) != want {
				t.Errorf("%s tries to %s: %v", duty, verb, got)
			}
		}
		if f != nil {
			f.Close()
		}
		for _, statement := range []string{"CREATE TABLE tcpboot.x (y text)", "DROP VIEW radcheck", "ALTER TABLE audit DISABLE TRIGGER ALL", "DELETE FROM device", "TRUNCATE visit"} {
			if p.Run(as(duty), statement) == nil {
				t.Errorf("%s may %s", duty, statement)
			}
		}
	}
	for table, want := range map[string]bool{"radcheck": true, "radreply": true, "device": false, "credential": false, "audit": false,
		"audit_head": false, "offer": false, "crl": false, "visit": false, "schema_version": false, "release_counter": false, "release_sequence": false} {
		if err := p.Run(as("radius"), "SELECT * FROM "+table); (err == nil) != want {
			t.Errorf("the RADIUS server reads %s: %v", table, err)
		}
		if err := p.Run(as("stranger"), "SELECT * FROM "+table); err == nil {
			t.Errorf("a stranger reads %s", table)
		}
	}
	roles, err := registry.Grant(ctx, url)
	if err := errors.Join(err, p.Run(as("radius"), "SELECT * FROM radcheck")); err != nil {
		t.Errorf("granted again: %v", err)
	}
	for _, r := range roles {
		if duty := strings.TrimPrefix(r.Name, "tcpboot_"); !r.There || !slices.Contains(r.Members, "the_"+duty) {
			t.Errorf("told %+v", r)
		}
	}
}

// TestGrantBringsVisitsForward: both stores of an older program become what this one
// reads and writes, the visits after what they are granted with.
func TestGrantBringsVisitsForward(t *testing.T) {
	p := registrytest.Server(t)
	url := createOn(t, p)
	old := []string{"DROP TABLE report, stop, latch, renewal", "UPDATE schema_version SET version = 1 WHERE kind = 'visits'",
		"ALTER TABLE offer DROP plan, DROP reason, DROP previous", "UPDATE schema_version SET version = 4 WHERE kind = 'fleet'"}
	if err := p.Run(url, old...); err != nil {
		t.Fatal(err)
	}
	login(t, p, "server_of_old", "tcpboot_serve")
	server := registrytest.As("server_of_old", url)
	if err := visit(t, server); !errors.Is(err, registry.ErrDenied) {
		t.Errorf("before: %v", err)
	}
	if _, err := registry.Grant(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	if err := visit(t, server); err != nil {
		t.Errorf("after: %v", err)
	}
}

// What servers keep of boards beside their visits, as their role may.
func TestLatchesAndRenewalsOnPostgres(t *testing.T) {
	p := registrytest.Server(t)
	v, err := registry.OpenVisits(t.Context(), createOn(t, p))
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	latch(t, v)
	renewals(t, v)
}

func firstRow(t *testing.T, f *registry.Fleet) registry.Head {
	t.Helper()
	for r, err := range f.Audit(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		return registry.Head{Sequence: r.Sequence, Hash: r.Hash}
	}
	t.Fatal("no rows")
	return registry.Head{}
}

func visit(t *testing.T, url string) error {
	v, err := registry.OpenVisits(t.Context(), url)
	if err != nil {
		return err
	}
	seen := fleet.Visit{MAC: registrytest.MAC(1), Time: registrytest.NewClock().Now(), Protocol: "v1", Sent: 1 << 40}
	err = v.Append(t.Context(), []fleet.Visit{seen})
	if got, last := v.Last(t.Context(), seen.MAC); err == nil && (last != nil || got != seen) {
		err = fmt.Errorf("got %+v, %w", got, last)
	}
	said := fleet.Report{MAC: seen.MAC, Manifest: fleet.Sum(nil), Outcome: fleet.Activated, Time: seen.Time}
	err = errors.Join(err, v.Report(t.Context(), []fleet.Report{said}), v.Stop(t.Context(), fleet.Stop{Manifest: said.Manifest, Time: seen.Time}))
	return errors.Join(err, v.Close())
}

// TestLostRace lets somebody at a SQL prompt lock, in the other order, what a
// change needs. The server undoes the change, and it is tried again.
func TestLostRace(t *testing.T) {
	p, ctx := registrytest.Server(t), t.Context()
	url := createOn(t, p)
	f := open(t, url+"&deadlock_timeout=100ms")
	registrytest.Enrol(t, f, registrytest.Entry(1))
	hand, err := pgx.Connect(ctx, url+"&deadlock_timeout=1h&search_path=tcpboot")
	if err != nil {
		t.Fatal(err)
	}
	defer hand.Close(ctx)
	run := func(statement string) {
		t.Helper()
		if _, err := hand.Exec(ctx, statement); err != nil {
			t.Fatal(err)
		}
	}
	run("BEGIN")
	run("SELECT * FROM device FOR UPDATE")
	ended := make(chan error)
	go func() { ended <- f.Revoke(ctx, []fleet.MAC{registrytest.MAC(1)}, "lost") }()
	for locked := false; !locked; {
		if err := hand.QueryRow(ctx, "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted").Scan(&locked); err != nil {
			t.Fatal(err)
		}
	}
	run("SELECT * FROM audit_head FOR UPDATE") // which the change holds, until it is undone
	run("COMMIT")
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if d, err := f.Device(ctx, registrytest.MAC(1)); err != nil || d.State != fleet.Revoked {
		t.Errorf("%+v, %v", d, err)
	}
	if _, err := f.VerifyAudit(ctx); err != nil {
		t.Error(err)
	}
}
