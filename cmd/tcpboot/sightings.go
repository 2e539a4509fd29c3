package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"time"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/registry"
)

// sightings yields when boards were seen last, by image servers and at RADIUS,
// ordered by MAC, and whether anybody looked.
func (s *session) sightings(ctx context.Context) (all iter.Seq2[fleet.Visit, error], done func() error, looked bool, err error) {
	visits, err := registry.ReadVisits(ctx, s.visits())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, false, nil
	}
	if err != nil {
		return nil, nil, false, err
	}
	return byMAC(visits.All(ctx), logins(s.fleet.Logins(ctx))), visits.Close, true, nil
}

// logins are those at RADIUS as sightings.
func logins(all iter.Seq2[registry.Login, error]) iter.Seq2[fleet.Visit, error] {
	return func(yield func(fleet.Visit, error) bool) {
		for l, err := range all {
			if !yield(fleet.Visit{MAC: l.MAC, Time: l.Last, Remote: "RADIUS", Protocol: "eap"}, err) {
				return
			}
		}
	}
}

// byMAC is both, in the order that each of them has.
func byMAC(a, b iter.Seq2[fleet.Visit, error]) iter.Seq2[fleet.Visit, error] {
	return func(yield func(fleet.Visit, error) bool) {
		next, stop := iter.Pull2(b)
		defer stop()
		second, err, more := next()
		for first, failed := range a {
			for more && (err != nil || bytes.Compare(second.MAC[:], first.MAC[:]) < 0) {
				if !yield(second, err) {
					return
				}
				second, err, more = next()
			}
			if !yield(first, failed) {
				return
			}
		}
		for more && yield(second, err) {
			second, err, more = next()
		}
	}
}

// lookAtSightings goes through boards and sightings side by side, both in the
// order of MACs: neither is gathered.
func lookAtSightings(s *session, st *siteStatus) error {
	all, done, looked, err := s.sightings(s.ctx())
	if err != nil || !looked {
		return err
	}
	w := &watcher{limits: st.limits}
	err = w.watch(s.fleet.Standings(s.ctx()), all)
	if err := errors.Join(err, done()); err != nil {
		return err
	}
	w.tell(s, st)
	return nil
}

// A watcher sorts boards by whether and when they were seen.
type watcher struct {
	limits
	never, stale, knocking sample
}

func (w *watcher) watch(boards iter.Seq2[registry.Standing, error], seen iter.Seq2[fleet.Visit, error]) error {
	next, stop := iter.Pull2(seen)
	defer stop()
	visit, err, more := next()
	for b, failed := range boards {
		if failed != nil {
			return failed
		}
		for more && err == nil && bytes.Compare(visit.MAC[:], b.MAC[:]) < 0 { // of a board that nobody knows
			visit, err, more = next()
		}
		var last fleet.Visit
		for more && err == nil && visit.MAC == b.MAC {
			if visit.Time.After(last.Time) {
				last = visit
			}
			visit, err, more = next()
		}
		if err != nil {
			return err
		}
		w.sort(b, last)
	}
	return err
}

// sort looks at when a board was seen last; the zero Visit: never.
func (w *watcher) sort(b registry.Standing, last fleet.Visit) {
	switch {
	case b.State == fleet.Revoked && last.Time.After(b.Since):
		w.knocking.add(fmt.Sprintf("%s  %s from %s by %s", b.MAC, last.Time.UTC().Format(time.DateTime), last.Remote, last.Protocol))
	case b.State != fleet.Active:
	case last.Time.IsZero() && b.Since.Before(w.seen):
		w.never.add(fmt.Sprintf("%s  enrolled on %s", b.MAC, day(b.Since)))
	case !last.Time.IsZero() && last.Time.Before(w.seen):
		w.stale.add(fmt.Sprintf("%s  on %s from %s", b.MAC, day(last.Time), last.Remote))
	}
}

func (w *watcher) tell(s *session, st *siteStatus) {
	st.Seen = &seenStatus{w.never.n, w.stale.n, w.knocking.n}
	age, asked := s.cli.String("stale"), s.cli.IsSet("stale")
	if w.knocking.n > 0 {
		st.find(true, finding{Kind: "knocking", Text: fmt.Sprintf("%d revoked boards, or somebody in their name, still knock", w.knocking.n)}.about(w.knocking))
	}
	if w.never.n > 0 {
		st.find(asked, finding{Kind: "never-seen", Text: fmt.Sprintf("%d active boards were never seen, and enrolled longer than %s ago", w.never.n, age)}.about(w.never))
	}
	if w.stale.n > 0 {
		st.find(asked, finding{Kind: "not-seen", Text: fmt.Sprintf("%d active boards were not seen for %s", w.stale.n, age)}.about(w.stale))
	}
}
