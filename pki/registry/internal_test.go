package registry

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tcpboot/tcpboot/pki/fleet"
)

// TestMigrationsStay pins what was released: databases out there were made by
// exactly these bytes.
func TestMigrationsStay(t *testing.T) {
	for _, row := range []struct {
		store store
		want  []string
	}{
		{fleetStore, []string{
			"8acd75a6810c933b8256d2c2e920a95c2d2e280657eb05a2ef72002cb122d843",
			"accfb0bd3e8b0a7330c63de8137c544c2296be736cde98fbb42fd88da4ba13e6",
			"29c7fce86b505ede0215241bcc40d9296224919db0507468b32fa5cbfb029398",
			"487425db7bb00fc07b2a44ddc63f3af14208fbcb8cbfaabc3b958b8fb5d1a766",
			"794ba553d8ba864f3bc862f520b9ba5980177c1092fac4dc9f232697d38fd957",
		}},
		{visitsStore, []string{
			"dbbae015fbfa118d15926e842761d9876f3b1dd1790aab93211b565f4c68702b",
			"5a89d7330c8d428be404dcf9799ab3283b03a56b3028e41d9d6c5e22c8bf4e5f",
			"5b6821d06ddb72e2766609be65c5cbeeb5e1c03b50d3e499a88d44f37c669532",
		}},
		{postgresFleet, []string{
			"3bdf33d93ae7a79fba2b12163d50e6cfa5395473504ae82e76ae581e9ae59015",
			"a388d356ff1fd3ecd4e10c7d20bc035d819e15bd90e9462f4c8d9862a80b02e9",
			"e6799e92528a02b4833e8a09c858bff402ad6420e3ba8d5b3b14871254548ad0",
			"951f6d710c98e845511b1a1dea82425f70ae2f74fcb651be0ae97412e0dc70de",
			"ab19160099d3c1a59d2648a43c80751eb8e762f4e8c272dd747ff59e72a93d80",
		}},
		{postgresVisits, []string{
			"ff492ed1e041886d899672dc9dc415f75c89cf344990f59efb7345fd7e8f0db7",
			"4bccb62ca0dd1f1c4192a7a1bcbe117c5df7503f81d3b12c3752b21015461213",
			"ed1c1c7f9652ef0daa6024266199a13ec4159cafa25e80eebf9b1dc3b5b327e8",
		}},
	} {
		var got []string
		for _, m := range row.store.migrations {
			sum := sha256.Sum256([]byte(m))
			got = append(got, hex.EncodeToString(sum[:]))
		}
		if strings.Join(got, " ") != strings.Join(row.want, " ") {
			t.Errorf("%s: migrations %q, want %q", row.store.kind, got, row.want)
		}
	}
}

// TestMigrate brings a database forward, and leaves it as it was when a step
// fails.
func TestMigrate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	s := store{dialect: inSQLite, kind: "test", migrations: []string{"CREATE TABLE a (x TEXT)"}, synchronous: "FULL"}
	if err := createDatabase(t.Context(), path, s); err != nil {
		t.Fatal(err)
	}
	version := func() (n int, tables string) {
		db, err := connect(path, s, true)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		err = db.QueryRow("SELECT version, (SELECT group_concat(name) FROM sqlite_schema WHERE type = 'table' AND length(name) = 1) FROM schema_version").Scan(&n, &tables)
		if err != nil {
			t.Fatal(err)
		}
		return n, tables
	}
	for _, row := range []struct {
		name     string
		add      string
		readOnly bool
		ok       bool
		version  int
		tables   string
	}{
		{"nothing to do", "", false, true, 1, "a"},
		{"older, read-only", "CREATE TABLE b (x TEXT)", true, false, 1, "a"},
		{"older", "", false, true, 2, "a,b"},
		{"half a step", "CREATE TABLE c (x TEXT); CREATE TABLE a (x TEXT)", false, false, 2, "a,b"},
	} {
		if row.add != "" {
			s.migrations = append(s.migrations, row.add)
		}
		db, err := openDatabase(t.Context(), path, s, row.readOnly)
		if err == nil {
			err = db.Close()
		}
		if n, tables := version(); (err == nil) != row.ok || n != row.version || tables != row.tables {
			t.Errorf("%s: %v, version %d with %s; want version %d with %s", row.name, err, n, tables, row.version, row.tables)
		}
	}
}

// TestIssuersOfOld brings a registry forward in which no credential says by which
// CA it is: that is the first.
func TestIssuersOfOld(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	old := fleetStore
	old.migrations = old.migrations[:1]
	if err := createDatabase(t.Context(), path, old); err != nil {
		t.Fatal(err)
	}
	db, err := openDatabase(t.Context(), path, old, false)
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.Exec(`INSERT INTO device VALUES ('240a00000001', '', 'esp32', 'stable', 0, 'tls', 'active', '', 0, '', '', '', '2026', '2026', NULL, '');
		INSERT INTO credential (serial, mac, certificate, issued) VALUES ('` + strings.Repeat("4", 32) + `', '240a00000001', '` + strings.Repeat("5", 64) + `', '2026-01-02T03:04:05.000000006Z')`)
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	f, err := Open(t.Context(), "sqlite:"+path, Options{Who: "test"})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if n, err := f.Live(t.Context(), fleet.Digest{}); n != 1 || err != nil {
		t.Errorf("%d live by the first CA, %v", n, err)
	}
}

// TestPlans asks how the questions that are asked most often are answered: by
// an index, and without sorting, which would hold all boards at once.
func TestPlans(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	f, err := Create(t.Context(), "sqlite:"+path, Options{Who: "test"})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	one, two := []fleet.State{fleet.Pending}, []fleet.State{fleet.Pending, fleet.Active}
	for _, row := range []struct {
		name   string
		filter Filter
		want   string
	}{
		{"all", Filter{}, "SCAN d"},
		{"a state", Filter{States: one}, "device_state (state=?)"},
		{"states", Filter{States: two}, "SCAN d"},
		{"a group", Filter{Hardware: "a", Channel: "b"}, "device_group (hardware=? AND channel=?)"},
		{"a group in a state", Filter{Hardware: "a", Channel: "b", States: one}, "device_group (hardware=? AND channel=?)"},
		{"hardware", Filter{Hardware: "a"}, "SCAN d"},
		{"a channel", Filter{Channel: "a"}, "SCAN d"},
		{"MACs", Filter{MACs: []fleet.MAC{{}}}, "SEARCH d USING PRIMARY KEY (mac=?)"},
		{"words", Filter{Match: "a", States: two}, "SCAN d"},
	} {
		where, args := row.filter.where(f.dialect, "")
		checkPlan(t, row.name, explain(t, f, selectDevice+where+" ORDER BY d.mac", args...), row.want)
	}
	if plan := explain(t, f, f.countLive(), "", "[]"); !strings.Contains(plan, "COVERING INDEX credential_issuer (issuer=?)") {
		t.Errorf("live credentials of a CA: %s", plan)
	}
	checkPlan(t, "one", explain(t, f, selectDevice+" WHERE d.mac = $2", "", ""), "SEARCH d USING PRIMARY KEY (mac=?)")
}

// TestBulkPlans asks so for what a bulk enrolment asks: no statement of it looks at
// all boards.
func TestBulkPlans(t *testing.T) {
	f, err := Create(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "x.db"), Options{Who: "test"})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, row := range []struct {
		name, query string
		args        []any
		want        string
	}{
		{"boards that are there", f.selectThere(), []any{"[]"}, "(mac=?)"},
		{"owners of names", f.selectOwners(), []any{"[]"}, "device_name (name=?)"},
		{"activation", f.activation(), []any{"[]", "", ""}, "mac=?)"},
	} {
		plan := explain(t, f, row.query, row.args...)
		if !strings.Contains(plan, "SEARCH device") || !strings.Contains(plan, row.want) || strings.Contains(plan, "SCAN device") {
			t.Errorf("%s: %s", row.name, plan)
		}
	}
}

func checkPlan(t *testing.T, name, plan, want string) {
	t.Helper()
	if !strings.Contains(plan, want) || !strings.Contains(plan, "credential_live (mac=?)") || strings.Contains(plan, "TEMP B-TREE") {
		t.Errorf("%s: %s", name, plan)
	}
}

func explain(t *testing.T, f *Fleet, query string, args ...any) string {
	t.Helper()
	rows, err := f.db.Query("EXPLAIN QUERY PLAN "+query, args...)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var plan []string
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			t.Fatal(err)
		}
		plan = append(plan, detail)
	}
	return strings.Join(plan, "; ")
}

// TestSum is the example of the package comment, whose hash was computed by
// another program.
func TestSum(t *testing.T) {
	r := Row{Sequence: 1, Time: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC), Who: "alice", Action: "device.revoke",
		Subject: "240ac4000001", Detail: json.RawMessage(`{"reason":"lost"}`)}
	const want = "8e101f87b7cd51f20ed7991277edc07a8fa1ab266cf753d97907c69bb65bf1da"
	if got := r.Sum().Hex(); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	zone := r
	zone.Time = r.Time.In(time.FixedZone("", 3600))
	if zone.Sum() != r.Sum() {
		t.Error("the zone of the time changes the hash")
	}
}

// TestLimit fills the visits beyond their limit with made-up boards.
func TestLimit(t *testing.T) {
	v, err := OpenVisits(t.Context(), filepath.Join(t.TempDir(), "visits.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	v.limit = 10
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	visit := func(n int, protocol string, sent int64) fleet.Visit {
		return fleet.Visit{MAC: fleet.MAC{2, 0, 0, 0, byte(n >> 8), byte(n)}, Time: start.Add(time.Duration(n) * time.Second),
			Protocol: protocol, Sent: sent}
	}
	real := []fleet.Visit{visit(0, "v1", 1<<20), visit(1, "v2", 0), visit(2, "v2", 1<<20)}
	if err := v.Append(t.Context(), real); err != nil {
		t.Fatal(err)
	}
	for n := 3; n < 500; n += 7 {
		var flood []fleet.Visit
		for i := range 7 {
			flood = append(flood, visit(n+i, "v1", 0))
		}
		if err := v.Append(t.Context(), flood); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range real {
		if got, err := v.Last(t.Context(), want.MAC); err != nil || got != want {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
	}
	n := 0
	for _, err := range v.All(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n != v.limit {
		t.Errorf("%d visits kept, want %d", n, v.limit)
	}
	if _, err := v.Last(t.Context(), visit(3, "", 0).MAC); !errors.Is(err, fleet.ErrUnknown) {
		t.Errorf("the oldest made-up board: %v", err)
	}
	for n := range 12 { // more real ones than there is room for: the oldest go
		if err := v.Append(t.Context(), []fleet.Visit{visit(1000+n, "v2", 1)}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := v.Last(t.Context(), real[0].MAC); !errors.Is(err, fleet.ErrUnknown) {
		t.Errorf("the oldest board beyond the limit: %v", err)
	}
}

// A sequence that no registry gives, beside those that one gave, is a thief's.
func TestMarkOfThief(t *testing.T) {
	var m Mark
	for _, n := range []uint64{7, maxNumber + 1, math.MaxUint64} {
		m.Number("esp32", 1, map[string]uint64{"stable": n})
	}
	if got := m.Sequences["esp32"]["stable"]; got != 7 {
		t.Errorf("got %d, want 7", got)
	}
}
