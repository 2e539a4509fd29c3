package server

import (
	"sync"
	"time"

	"github.com/tcpboot/tcpboot/pki/fleet"
)

// returns counts the boards that come back too quickly for the image they just
// got. The record is kept per MAC and source address, so that whoever forges a
// MAC elsewhere does not park its honest owner.
type returns struct {
	limits Limits
	now    func() time.Time

	mu   sync.Mutex
	seen map[visitor]*record
}

type visitor struct {
	mac    fleet.MAC
	source source
}

type record struct {
	image   [20]byte
	quick   int       // returns in a row
	running int       // downloads that have not ended
	last    time.Time // when a download last began or ended
	until   time.Time // not before then
}

const maxRecords = 1 << 16

func newReturns(l Limits, now func() time.Time) *returns {
	return &returns{limits: l, now: now, seen: map[visitor]*record{}}
}

// wait returns how long v must not get image: zero unless this is one quick
// return too many, or was and the time is not over.
func (r *returns) wait(v visitor, image [20]byte) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	rec := r.seen[v]
	if rec == nil || rec.image != image {
		return 0
	}
	if rec.until.IsZero() && r.count(rec) >= r.limits.QuickReturns {
		rec.until = r.now().Add(r.limits.Decay)
	}
	return max(0, rec.until.Sub(r.now()))
}

// count returns the quick returns of a board that returns now. The count falls
// by one for each Decay after the first: who was parked for one Decay has one
// try, not a new row of them.
func (r *returns) count(rec *record) int {
	gone := r.now().Sub(rec.last)
	switch {
	case !rec.until.IsZero():
		return rec.quick
	case rec.running > 0 || gone <= r.limits.QuickReturn:
		return rec.quick + 1
	}
	return max(0, rec.quick-int((gone-r.limits.Decay)/r.limits.Decay))
}

// given records that v begins to get image.
func (r *returns) given(v visitor, image [20]byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	rec := r.seen[v]
	switch {
	case rec == nil:
		r.makeRoom()
		rec = &record{image: image}
		r.seen[v] = rec
	case rec.image != image:
		rec.image, rec.quick = image, 0
	default:
		rec.quick = r.count(rec)
	}
	rec.running++
	rec.last, rec.until = r.now(), time.Time{}
}

// ended records that v's download is over.
func (r *returns) ended(v visitor) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if rec := r.seen[v]; rec != nil {
		rec.running--
		rec.last = r.now()
	}
}

// makeRoom forgets a record when there are too many, one that no longer matters
// if it meets such a one early.
func (r *returns) makeRoom() {
	if len(r.seen) < maxRecords {
		return
	}
	var victim visitor
	tried := 0
	for v, rec := range r.seen { // in random order
		if rec.running > 0 {
			continue
		}
		victim = v
		if tried++; tried == 16 || r.count(rec) == 0 {
			break
		}
	}
	delete(r.seen, victim)
}
