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

// sightings yields the last time that each board was seen, ordered by MAC, and
// whether anybody looked. Whoever sees boards in another way is asked here too.
func (s *session) sightings(ctx context.Context) (all iter.Seq2[fleet.Visit, error], done func() error, looked bool, err error) {
	visits, err := registry.ReadVisits(ctx, s.visits())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, false, nil
	}
	if err != nil {
		return nil, nil, false, err
	}
	return visits.All(ctx), visits.Close, true, nil
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
		if err != nil {
			return err
		}
		if more && visit.MAC == b.MAC {
			w.sort(b, visit.Time, visit)
		} else {
			w.sort(b, time.Time{}, visit)
		}
	}
	return err
}

func (w *watcher) sort(b registry.Standing, last time.Time, v fleet.Visit) {
	switch {
	case b.State == fleet.Revoked && last.After(b.Since):
		w.knocking.add(fmt.Sprintf("%s  %s from %s by %s", b.MAC, last.UTC().Format(time.DateTime), v.Remote, v.Protocol))
	case b.State != fleet.Active:
	case last.IsZero() && b.Since.Before(w.seen):
		w.never.add(fmt.Sprintf("%s  enrolled on %s", b.MAC, day(b.Since)))
	case !last.IsZero() && last.Before(w.seen):
		w.stale.add(fmt.Sprintf("%s  on %s from %s", b.MAC, day(last), v.Remote))
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
