package registrytest

import (
	"reflect"
	"testing"
	"time"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/registry"
)

// RunReports runs the contract of what Visits keep of reports. v is empty.
func RunReports(t *testing.T, v *registry.Visits) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, *registry.Visits)
	}{
		{"last of a board", lastReport},
		{"failures", failures},
		{"tally", tally},
		{"bounded", boundedReports},
		{"stops", stops},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, v) })
	}
}

// said is what the n-th board reports of a release, some time after the clock.
func said(n int, release string, outcome fleet.Outcome, after time.Duration) fleet.Report {
	r := fleet.Report{MAC: MAC(n), Manifest: fleet.Sum([]byte(release)), Outcome: outcome, Time: NewClock().Now().Add(after)}
	if outcome == fleet.Failed {
		r.Cause = fleet.Invalid
	}
	return r
}

func reported(t *testing.T, v *registry.Visits, reports ...fleet.Report) {
	t.Helper()
	if err := v.Report(t.Context(), reports); err != nil {
		t.Fatal(err)
	}
}

// lastReport: a later one replaces an earlier one, and a confirmation is not
// undone by the activation before it, told again.
func lastReport(t *testing.T, v *registry.Visits) {
	const release = "last"
	activated, confirmed := said(1, release, fleet.Activated, 1), said(1, release, fleet.Confirmed, 2)
	failed := said(1, release, fleet.Failed, 5)
	for _, row := range []struct {
		name   string
		report []fleet.Report
		want   fleet.Report
	}{
		{"first", []fleet.Report{activated}, activated},
		{"later", []fleet.Report{confirmed}, confirmed},
		{"older", []fleet.Report{activated}, confirmed},
		{"activated again", []fleet.Report{said(1, release, fleet.Activated, 3)}, confirmed},
		{"confirmed again, two at once", []fleet.Report{said(1, release, fleet.Confirmed, 3), said(1, release, fleet.Confirmed, 4)}, said(1, release, fleet.Confirmed, 4)},
		{"failed after all", []fleet.Report{failed}, failed},
		{"tried again", []fleet.Report{said(1, release, fleet.Activated, 6)}, said(1, release, fleet.Activated, 6)},
	} {
		reported(t, v, row.report...)
		got, _, err := v.Reports(t.Context(), MAC(1))
		if err != nil || len(got) != 1 || got[0] != row.want {
			t.Errorf("%s: got %+v, %v, want %+v", row.name, got, err, row.want)
		}
	}
	if err := v.Report(t.Context(), []fleet.Report{said(2, release, fleet.Activated, 1), said(3, release, "exploded", 1)}); err == nil {
		t.Error("an unknown outcome is taken")
	}
	if got, _, err := v.Reports(t.Context(), MAC(2)); err != nil || len(got) > 0 {
		t.Errorf("half a batch is kept: %+v, %v", got, err)
	}
}

func failures(t *testing.T, v *registry.Visits) {
	at := func(after ...time.Duration) (all []time.Time) {
		for _, d := range after {
			all = append(all, NewClock().Now().Add(d))
		}
		return all
	}
	for _, row := range []struct {
		name   string
		report fleet.Report
		want   []time.Time
	}{
		{"one", said(10, "bad", fleet.Failed, 1), at(1)},
		{"two", said(10, "bad", fleet.Failed, 2), at(1, 2)},
		{"a try between", said(10, "bad", fleet.Activated, 3), at(1, 2)},
		{"three", said(10, "bad", fleet.Failed, 4), at(1, 2, 4)},
		{"confirmed", said(10, "bad", fleet.Confirmed, 5), nil},
		{"again", said(10, "bad", fleet.Failed, 6), at(6)},
	} {
		reported(t, v, row.report)
		_, got, err := v.Reports(t.Context(), MAC(10))
		if err != nil || !reflect.DeepEqual(got[row.report.Manifest], row.want) {
			t.Errorf("%s: got %v, %v, want %v", row.name, got, err, row.want)
		}
	}
	for n := range registry.MaxFailures + 3 {
		reported(t, v, said(10, "bad", fleet.Failed, time.Duration(10+n)))
	}
	_, got, err := v.Reports(t.Context(), MAC(10))
	if all := got[fleet.Sum([]byte("bad"))]; err != nil || len(all) != registry.MaxFailures || !all[0].Equal(at(13)[0]) {
		t.Errorf("of many: %v, %v", all, err)
	}
}

func tally(t *testing.T, v *registry.Visits) {
	start := NewClock().Now()
	reported(t, v,
		said(20, "a", fleet.Confirmed, 0), said(21, "a", fleet.Confirmed, time.Hour), said(22, "a", fleet.Failed, 2*time.Hour),
		said(23, "a", fleet.Activated, time.Hour), said(24, "a", fleet.Activated, 3*time.Hour), said(25, "b", fleet.Confirmed, time.Hour),
		said(22, "b", fleet.Confirmed, 3*time.Hour), said(24, "b", fleet.Failed, 2*time.Hour)) // boards count once, as of the last they said
	for _, row := range []struct {
		name       string
		manifests  string
		since, now time.Duration
		within     time.Duration
		want       fleet.Tally
	}{
		{"all", "a", 0, 4 * time.Hour, 0, fleet.Tally{Activated: 2, Confirmed: 2, Failed: 1}},
		{"two statements of it", "ab", 0, 4 * time.Hour, 0, fleet.Tally{Activated: 2, Confirmed: 4}},
		{"one of them is silent", "ba", 0, 4 * time.Hour, 2 * time.Hour, fleet.Tally{Activated: 1, Confirmed: 4, Silent: 1}},
		{"none", "", 0, 4 * time.Hour, 0, fleet.Tally{}},
		{"one is silent", "a", 0, 4 * time.Hour, 2 * time.Hour, fleet.Tally{Activated: 1, Confirmed: 2, Failed: 1, Silent: 1}},
		{"to the moment", "a", 0, 3 * time.Hour, 2 * time.Hour, fleet.Tally{Activated: 1, Confirmed: 2, Failed: 1, Silent: 1}},
		{"before it", "a", 0, 3*time.Hour - 1, 2 * time.Hour, fleet.Tally{Activated: 2, Confirmed: 2, Failed: 1}},
		{"since later", "a", 90 * time.Minute, 4 * time.Hour, 2 * time.Hour, fleet.Tally{Activated: 1, Failed: 1, Silent: 1}},
		{"since it is silent", "a", 3*time.Hour + 1, 4 * time.Hour, 2 * time.Hour, fleet.Tally{Activated: 1}},
	} {
		var manifests []fleet.Digest
		for _, m := range row.manifests {
			manifests = append(manifests, fleet.Sum([]byte(string(m))))
		}
		got, err := v.Tally(t.Context(), manifests, start.Add(row.since), start.Add(row.now), row.within)
		if err != nil || got != row.want {
			t.Errorf("%s: got %+v, %v, want %+v", row.name, got, err, row.want)
		}
	}
	var macs []fleet.MAC
	for r, err := range v.ReportsOf(t.Context(), fleet.Sum([]byte("a"))) {
		if err != nil {
			t.Fatal(err)
		}
		macs = append(macs, r.MAC)
	}
	if want := []fleet.MAC{MAC(23), MAC(24), MAC(20), MAC(21), MAC(22)}; !reflect.DeepEqual(macs, want) {
		t.Errorf("reports of one release: %v, want %v", macs, want)
	}
}

// boundedReports: a board that makes up releases displaces its own reports alone.
func boundedReports(t *testing.T, v *registry.Visits) {
	reported(t, v, said(31, "first", fleet.Confirmed, 0))
	for n := range 20 {
		reported(t, v, said(30, string(rune('A'+n)), fleet.Failed, time.Duration(n)))
	}
	got, _, err := v.Reports(t.Context(), MAC(30))
	if err != nil || len(got) != 8 || got[0].Manifest != fleet.Sum([]byte("T")) || got[7].Manifest != fleet.Sum([]byte("M")) {
		t.Errorf("%d reports are kept, %v: %+v", len(got), err, got)
	}
	if got, _, err := v.Reports(t.Context(), MAC(31)); err != nil || len(got) != 1 {
		t.Errorf("another board's: %+v, %v", got, err)
	}
}

func stops(t *testing.T, v *registry.Visits) {
	stop := func(reason string, after time.Duration) fleet.Stop {
		return fleet.Stop{Manifest: fleet.Sum(nil), Time: NewClock().Now().Add(after), Reason: reason}
	}
	for _, row := range []struct {
		name      string
		put, want fleet.Stop
	}{
		{"first", stop("5 failed", 1), stop("5 failed", 1)},
		{"older", stop("4 failed", 0), stop("5 failed", 1)},
		{"anew", stop("9 failed", 2), stop("9 failed", 2)},
	} {
		if err := v.Stop(t.Context(), row.put); err != nil {
			t.Fatal(err)
		}
		if got, err := v.Stops(t.Context()); err != nil || len(got) != 1 || got[0] != row.want {
			t.Errorf("%s: got %+v, %v, want %+v", row.name, got, err, row.want)
		}
	}
}
