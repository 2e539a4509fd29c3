package release

import (
	"fmt"
	"slices"
	"time"

	"github.com/tcpboot/tcpboot/pki/fleet"
)

// A Penalty says when a board that fails at a release again and again is not offered
// it any more, and for how long: each try wears its flash and takes it out of
// service. Zero numbers penalize nobody.
type Penalty struct {
	Failures int           // since it last confirmed the release
	Burst    int           // or so many
	Within   time.Duration // in that time
	Lasts    time.Duration // from the last failure
}

// DefaultPenalty is what people in the field came to.
var DefaultPenalty = Penalty{Failures: 3, Burst: 5, Within: 180 * time.Second, Lasts: 24 * time.Hour}

// Boxed says of releases, by the digest of their manifests, until when a board is not
// offered them.
type Boxed map[fleet.Digest]time.Time

// Box returns what a board is not offered now. reports are what it last said, and
// failures the times at which it failed, newest last, by the manifest; c knows which
// manifests state the same program, of which a confirmation ends the failures before.
// When the time is over it gets the release once more, and is in the box again after
// its next failure.
func (p Penalty) Box(c *Catalog, reports []fleet.Report, failures map[fleet.Digest][]time.Time, now time.Time) Boxed {
	boxed := Boxed{}
	for n, times := range c.failuresByName(reports, failures) {
		if until := p.until(times); until.After(now) {
			for _, r := range c.byName[n] {
				boxed[r.Digest] = until
			}
		}
	}
	return boxed
}

func (c *Catalog) failuresByName(reports []fleet.Report, failures map[fleet.Digest][]time.Time) map[name][]time.Time {
	all := map[name][]time.Time{}
	for manifest, times := range failures {
		if r, known := c.Release(manifest); known {
			all[r.name()] = append(all[r.name()], times...)
		}
	}
	for _, said := range reports {
		if r, known := c.Release(said.Manifest); known && said.Outcome == fleet.Confirmed {
			all[r.name()] = slices.DeleteFunc(all[r.name()], func(at time.Time) bool { return !at.After(said.Time) })
		}
	}
	for _, times := range all {
		slices.SortFunc(times, time.Time.Compare)
	}
	return all
}

// until is when the penalty for failures ends; zero when there is none.
func (p Penalty) until(failures []time.Time) time.Time {
	n := len(failures)
	often := p.Failures > 0 && n >= p.Failures
	quickly := p.Burst > 0 && n >= p.Burst && failures[n-1].Sub(failures[n-p.Burst]) <= p.Within
	if !often && !quickly {
		return time.Time{}
	}
	return failures[n-1].Add(p.Lasts)
}

// reason says why a board is not offered a release; "" when it is.
func (b Boxed) reason(release fleet.Digest) string {
	until, in := b[release]
	if !in {
		return ""
	}
	return fmt.Sprintf("failed on this board again and again: not offered before %s", until.UTC().Format(time.DateTime))
}
