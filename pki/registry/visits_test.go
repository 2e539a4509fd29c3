package registry_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/registry"
	"github.com/tcpboot/tcpboot/pki/registry/registrytest"
)

func TestVisits(t *testing.T) {
	ctx, name := t.Context(), filepath.Join(t.TempDir(), "visits.db")
	if _, err := registry.ReadVisits(ctx, name); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("before any server wrote: %v", err)
	}
	v, err := registry.OpenVisits(ctx, name)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	r, err := registry.ReadVisits(ctx, name)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()

	now := registrytest.NewClock().Now()
	visit := fleet.Visit{MAC: registrytest.MAC(1), Time: now, Remote: "[2001:db8::1]:5", Protocol: "v1", Version: "1.0",
		Sent: 1 << 40, Verdict: "served"}
	hostile := fleet.Visit{MAC: registrytest.MAC(2), Time: now, Remote: strings.Repeat("x", 300), Protocol: "'; DROP TABLE visit; --",
		Version: "a\x00b", Verdict: "a\xffb\n"}
	clipped := hostile
	clipped.Remote, clipped.Version, clipped.Verdict = strings.Repeat("x", 256), "ab", "ab\n"
	older, newer := visit, visit
	older.Time, older.Verdict = now.Add(-time.Nanosecond), "older"
	newer.Time, newer.Verdict = now.Add(time.Nanosecond), "newer"
	for _, row := range []struct {
		name   string
		append []fleet.Visit
		mac    fleet.MAC
		want   fleet.Visit
	}{
		{"first", []fleet.Visit{visit, hostile}, visit.MAC, visit},
		{"hostile", nil, hostile.MAC, clipped},
		{"older", []fleet.Visit{older}, visit.MAC, visit},
		{"newer, then older", []fleet.Visit{newer, older}, visit.MAC, newer},
	} {
		if err := v.Append(ctx, row.append); err != nil {
			t.Fatal(err)
		}
		if got, err := r.Last(ctx, row.mac); err != nil || got != row.want {
			t.Errorf("%s: got %+v, %v, want %+v", row.name, got, err, row.want)
		}
	}
	if _, err := r.Last(ctx, registrytest.MAC(3)); !errors.Is(err, fleet.ErrUnknown) {
		t.Errorf("a board that never came: %v", err)
	}
	if err := r.Append(ctx, []fleet.Visit{visit}); err == nil {
		t.Error("a reader appended")
	}
}

// TestVisitsOpenedAtOnce lets servers make the file together.
func TestVisitsOpenedAtOnce(t *testing.T) {
	name := filepath.Join(t.TempDir(), "visits.db")
	var wait sync.WaitGroup
	for n := range 4 {
		wait.Go(func() {
			v, err := registry.OpenVisits(t.Context(), name)
			if err != nil {
				t.Error(err)
				return
			}
			defer v.Close()
			if err := v.Append(t.Context(), []fleet.Visit{{MAC: registrytest.MAC(n)}}); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	v, err := registry.ReadVisits(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	for n := range 4 {
		if _, err := v.Last(t.Context(), registrytest.MAC(n)); err != nil {
			t.Error(err)
		}
	}
}

// TestReports runs the contract on both databases.
func TestReports(t *testing.T) { onBoth(t, registrytest.RunReports) }

// TestClockAhead holds that a visit of the future hides none of those that follow
// once the clock is right again.
func TestClockAhead(t *testing.T) {
	onBoth(t, func(t *testing.T, v *registry.Visits) {
		now := time.Now().UTC()
		for _, row := range []struct {
			name     string
			at, want time.Time
		}{
			{"a clock that is ahead", now.Add(24 * time.Hour), now.Add(24 * time.Hour)},
			{"and further ahead", now.Add(48 * time.Hour), now.Add(48 * time.Hour)},
			{"less far", now.Add(time.Hour), now.Add(time.Hour)},
			{"one that is right", now, now},
			{"an older visit", now.Add(-time.Second), now},
		} {
			if err := v.Append(t.Context(), []fleet.Visit{{MAC: registrytest.MAC(1), Time: row.at}}); err != nil {
				t.Fatal(err)
			}
			if got, err := v.Last(t.Context(), registrytest.MAC(1)); err != nil || !got.Time.Equal(row.want) {
				t.Errorf("%s: got %v, %v, want %v", row.name, got.Time, err, row.want)
			}
		}
	})
}

// onBoth runs a test on empty visits of either database.
func onBoth(t *testing.T, run func(*testing.T, *registry.Visits)) {
	for name, path := range map[string]func(t *testing.T) string{
		"SQLite":     func(t *testing.T) string { return filepath.Join(t.TempDir(), "visits.db") },
		"PostgreSQL": func(t *testing.T) string { return createOn(t, registrytest.Server(t)) },
	} {
		t.Run(name, func(t *testing.T) {
			v, err := registry.OpenVisits(t.Context(), path(t))
			if err != nil {
				t.Fatal(err)
			}
			defer v.Close()
			run(t, v)
		})
	}
}

func TestLatch(t *testing.T) {
	name := filepath.Join(t.TempDir(), "visits.db")
	v, err := registry.OpenVisits(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	latch(t, v)
}

// latch holds v to its promise, on either database.
func latch(t *testing.T, v *registry.Visits) {
	t.Helper()
	mac, other, first := registrytest.MAC(1), registrytest.MAC(2), registrytest.NewClock().Now()
	for _, now := range []time.Time{first, first.Add(time.Hour)} {
		if err := v.Latch(t.Context(), mac, now); err != nil {
			t.Fatal(err)
		}
	}
	for m, want := range map[fleet.MAC]time.Time{mac: first, other: {}} {
		if got, err := v.Latched(t.Context(), m); err != nil || !got.Equal(want) {
			t.Errorf("%s: latched %v, %v; want %v", m, got, err, want)
		}
	}
}

func TestRenewals(t *testing.T) {
	v, err := registry.OpenVisits(t.Context(), filepath.Join(t.TempDir(), "visits.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	renewals(t, v)
}

// renewals holds v to its promise, on either database.
func renewals(t *testing.T, v *registry.Visits) {
	t.Helper()
	ctx, now := t.Context(), registrytest.NewClock().Now()
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	holds := func(want ...registry.Renewal) {
		t.Helper()
		var got []registry.Renewal
		for r, err := range v.Renewals(ctx) {
			ok(err)
			got = append(got, r)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
	asks := func(r registry.Renewal, want []byte) {
		t.Helper()
		if got, err := v.AskRenewal(ctx, r); err != nil || !bytes.Equal(got, want) {
			t.Errorf("got %q, %v; want %q", got, err, want)
		}
	}
	first := registry.Renewal{MAC: registrytest.MAC(1), Asked: now, Key: fleet.Digest{1}, Proved: fleet.Digest{9}, Request: []byte("first")}
	asks(first, nil)
	again := first
	again.Request, again.Asked = []byte("the same key, signed anew"), now.Add(time.Second)
	asks(again, nil)
	holds(first)

	first.Certificate = []byte("certificate")
	ok(v.AnswerRenewal(ctx, first))
	asks(again, first.Certificate)
	ok(v.JoinRenewal(ctx, first.MAC, []byte("the old certificate"), now))
	holds(first)
	first.Joined = now.Add(time.Minute)
	ok(v.JoinRenewal(ctx, first.MAC, first.Certificate, first.Joined))
	ok(v.JoinRenewal(ctx, first.MAC, first.Certificate, now.Add(time.Hour)))
	holds(first)

	other := again
	other.Key = fleet.Digest{2}
	asks(other, nil)
	ok(v.AnswerRenewal(ctx, first)) // too late
	ok(v.EndRenewal(ctx, first))
	holds(other)
	ok(v.EndRenewal(ctx, other))
	holds()
}
