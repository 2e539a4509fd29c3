package registry

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/tcpboot/tcpboot/pki/fleet"
)

// Bounds of what is kept of one board. Only boards that proved themselves report,
// and each fills its own rows alone.
const (
	maxReports  = 8  // releases
	MaxFailures = 16 // of one release, since it was last confirmed
)

// Report remembers what boards said of releases, in one transaction: of one board
// and release the last, but that it is activated says nothing new of one that is
// confirmed. A report that is older than the one remembered changes nothing. The
// server must know that each is from its board.
func (v *Visits) Report(ctx context.Context, reports []fleet.Report) error {
	// In one order, so that two servers never wait for each other.
	reports = slices.SortedStableFunc(slices.Values(reports), func(a, b fleet.Report) int { return bytes.Compare(a.MAC[:], b.MAC[:]) })
	return inTx(ctx, v.db, nil, func(tx *sql.Tx) error {
		for _, r := range reports {
			if err := v.report(ctx, tx, r); err != nil {
				return fmt.Errorf("report of %s: %w", r.MAC, err)
			}
		}
		return nil
	})
}

func (v *Visits) report(ctx context.Context, tx *sql.Tx, r fleet.Report) error {
	if err := r.Check(); err != nil {
		return err
	}
	var last said
	for have, err := range query(ctx, tx, scanSaid, selectReport+" WHERE mac = $1 AND manifest = $2"+v.forUpdate, r.MAC.String(), r.Manifest.Hex()) {
		if err != nil {
			return err
		}
		last = have
	}
	if r.Time.Before(last.Time) || r.Outcome == fleet.Activated && last.Outcome == fleet.Confirmed {
		return nil
	}
	err := execute(ctx, tx, `
		INSERT INTO report (mac, manifest, outcome, cause, time, failures) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (mac, manifest) DO UPDATE SET outcome = $3, cause = $4, time = $5, failures = $6`,
		r.MAC.String(), r.Manifest.Hex(), string(r.Outcome), string(r.Cause), timeText(r.Time), timesText(last.failuresAfter(r)))
	if err != nil || !last.Time.IsZero() {
		return err
	}
	return execute(ctx, tx, `
		DELETE FROM report WHERE mac = $1 AND manifest IN (
			SELECT manifest FROM report WHERE mac = $1 ORDER BY time DESC, manifest LIMIT 1000 OFFSET $2)`, r.MAC.String(), maxReports)
}

// said is a report with the failures before it.
type said struct {
	fleet.Report
	failures []time.Time
}

// failuresAfter are the failures that are known once r is.
func (s said) failuresAfter(r fleet.Report) []time.Time {
	switch r.Outcome {
	case fleet.Confirmed:
		return nil
	case fleet.Failed:
		all := append(s.failures, r.Time)
		return all[max(0, len(all)-MaxFailures):]
	}
	return s.failures
}

const selectReport = "SELECT mac, manifest, outcome, cause, time, failures FROM report"

func scanSaid(rows *sql.Rows) (s said, err error) {
	var mac, manifest, at, failures string
	if err = rows.Scan(&mac, &manifest, &s.Outcome, &s.Cause, &at, &failures); err != nil {
		return s, err
	}
	return s, errors.Join(parseHex(s.MAC[:], mac), parseHex(s.Manifest[:], manifest), parseTime(&s.Time, at), parseTimes(&s.failures, failures))
}

func timesText(times []time.Time) string {
	var all []string
	for _, t := range times {
		all = append(all, timeText(t))
	}
	return strings.Join(all, " ")
}

func parseTimes(into *[]time.Time, text string) error {
	for s := range strings.FieldsSeq(text) {
		var t time.Time
		if err := parseTime(&t, s); err != nil {
			return err
		}
		*into = append(*into, t)
	}
	return nil
}

// Reports returns what a board last said of each release, the newest first, and
// when it failed since it last confirmed one, the newest last: at most MaxFailures
// times.
func (v *Visits) Reports(ctx context.Context, mac fleet.MAC) (reports []fleet.Report, failures map[fleet.Digest][]time.Time, err error) {
	failures = map[fleet.Digest][]time.Time{}
	for s, err := range query(ctx, v.db, scanSaid, selectReport+" WHERE mac = $1 ORDER BY time DESC, manifest", mac.String()) {
		if err != nil {
			return nil, nil, err
		}
		reports = append(reports, s.Report)
		if len(s.failures) > 0 {
			failures[s.Manifest] = s.failures
		}
	}
	return reports, failures, nil
}

// ReportsOf yields what boards last said of a release, by outcome and then time.
// After an error it yields no more.
func (v *Visits) ReportsOf(ctx context.Context, manifest fleet.Digest) iter.Seq2[fleet.Report, error] {
	scan := func(rows *sql.Rows) (fleet.Report, error) {
		s, err := scanSaid(rows)
		return s.Report, err
	}
	return query(ctx, v.db, scan, selectReport+" WHERE manifest = $1 ORDER BY outcome, time, mac", manifest.Hex())
}

// Tally counts the boards by what they last said of any of the statements of a
// release, where that was since a time. A board that activated one more than within
// before now, and said nothing since, is silent; it is so from that moment on. Zero
// within gives boards all the time they want.
func (v *Visits) Tally(ctx context.Context, manifests []fleet.Digest, since, now time.Time, within time.Duration) (t fleet.Tally, err error) {
	quiet := time.Time{}
	if within > 0 {
		quiet = now.Add(-within)
	}
	reports, of := v.lastSaid(manifests)
	err = v.db.QueryRowContext(ctx, `
		SELECT count(CASE WHEN outcome = 'activated' AND time > $3 THEN 1 END),
			count(CASE WHEN outcome = 'confirmed' AND time >= $2 THEN 1 END),
			count(CASE WHEN outcome = 'failed' AND time >= $2 THEN 1 END),
			count(CASE WHEN outcome = 'activated' AND time <= $3 AND time >= $4 THEN 1 END)
		FROM `+reports,
		of, timeText(since), timeText(quiet), timeText(since.Add(-within))).Scan(&t.Activated, &t.Confirmed, &t.Failed, &t.Silent)
	if err != nil {
		return fleet.Tally{}, fmt.Errorf("registry: %w", told(err))
	}
	return t, nil
}

// lastSaid selects one report of each board. Of one statement there is only one, and
// an index answers alone; of several it takes the last.
func (v *Visits) lastSaid(manifests []fleet.Digest) (from string, of any) {
	if len(manifests) == 1 {
		return "report WHERE manifest = $1", manifests[0].Hex()
	}
	var all []string
	for _, m := range manifests {
		all = append(all, m.Hex())
	}
	return `(SELECT outcome, time, row_number() OVER (PARTITION BY mac ORDER BY time DESC, manifest) AS place
		FROM report WHERE ` + v.in("manifest", "$1") + ") AS said WHERE place = 1", v.list(all)
}

// Stop remembers that servers hold an offer back, in place of an older stop of it.
func (v *Visits) Stop(ctx context.Context, s fleet.Stop) error {
	return inTx(ctx, v.db, nil, func(tx *sql.Tx) error {
		return execute(ctx, tx, `
			INSERT INTO stop (manifest, time, reason) VALUES ($1, $2, $3)
			ON CONFLICT (manifest) DO UPDATE SET time = $2, reason = $3 WHERE stop.time < $2`,
			s.Manifest.Hex(), timeText(s.Time), clip(s.Reason))
	})
}

// Stops returns the stops that are remembered, by manifest. One counts until its
// offer is resumed.
func (v *Visits) Stops(ctx context.Context) (all []fleet.Stop, err error) {
	scan := func(rows *sql.Rows) (s fleet.Stop, err error) {
		var manifest, at string
		if err = rows.Scan(&manifest, &at, &s.Reason); err != nil {
			return s, err
		}
		return s, errors.Join(parseHex(s.Manifest[:], manifest), parseTime(&s.Time, at))
	}
	for s, err := range query(ctx, v.db, scan, "SELECT manifest, time, reason FROM stop ORDER BY manifest") {
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}
