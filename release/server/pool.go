package server

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// A Status counts connections.
type Status struct {
	Open      int    `json:"open"`
	Downloads int    `json:"downloads"`
	Proving   int    `json:"proving"`          // in a TLS handshake
	Boards    int    `json:"parked_boards"`    // enrolled and parked
	Strangers int    `json:"parked_strangers"` // parked, and the first to go
	Waiting   int    `json:"waiting"`          // of the parked: for a download slot
	Evicted   uint64 `json:"evicted"`          // strangers, and who did not get to prove otherwise, since the start
	Served    uint64 `json:"served"`           // downloads that a board read to the end, since the start
}

// A pool gives every connection a place and knows how many there are of each
// kind. It ends connections, and wakes the goroutines that read from them, but
// it never reads or writes.
type pool struct {
	limits Limits

	mu      sync.Mutex
	changed *sync.Cond
	stopped bool   // nobody new
	over    bool   // nobody at all
	round   uint64 // counts the rechecks
	n       Status
	places  map[*place]struct{}
	sources map[source]*share
	waiting []*place // for a download slot, in order
}

// A place is one connection's, and is held from arrive to leave.
type place struct {
	conn   net.Conn
	source source
	share  *share
	kind   kind
}

type kind uint8

const (
	arriving    kind = iota
	proving          // in a TLS handshake; the newest go first
	downloading      // has a slot
	board            // parked and kept
	stranger         // parked and the first to go
	ended            // reset by the pool
)

// A share is what one source address holds.
type share struct {
	places, downloads, boards int
	strangers, proving        []*place // newest last
}

func newPool(l Limits) *pool {
	p := &pool{limits: l, places: map[*place]struct{}{}, sources: map[source]*share{}}
	p.changed = sync.NewCond(&p.mu)
	return p
}

// room waits until there is room for one more connection, and calls full before
// it does; it returns false when the server stops.
func (p *pool) room(full func()) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.stopped && p.isFull() {
		p.mu.Unlock()
		full()
		p.mu.Lock()
	}
	for !p.stopped && p.isFull() {
		p.changed.Wait()
	}
	return !p.stopped
}

func (p *pool) isFull() bool {
	return p.n.Open >= p.limits.Connections || p.n.Boards >= p.limits.Parked
}

func (p *pool) arrive(conn net.Conn) *place {
	p.mu.Lock()
	defer p.mu.Unlock()
	at := &place{conn: conn, source: sourceOf(conn.RemoteAddr())}
	if at.share = p.sources[at.source]; at.share == nil {
		at.share = &share{}
		p.sources[at.source] = at.share
	}
	at.share.places++
	p.places[at] = struct{}{}
	p.n.Open++
	if p.over {
		p.end(at)
	}
	return at
}

// leave gives at back. The connection is closed.
func (p *pool) leave(at *place) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.vacate(at)
	delete(p.places, at)
	if at.share.places--; at.share.places == 0 {
		delete(p.sources, at.source)
	}
	p.n.Open--
	p.changed.Broadcast()
}

// vacate takes at out of whatever it is counted as.
func (p *pool) vacate(at *place) {
	switch at.kind {
	case proving:
		p.n.Proving--
		at.share.proving = without(at.share.proving, at)
	case downloading:
		p.n.Downloads--
		at.share.downloads--
		p.passSlot()
	case board:
		p.n.Boards--
		at.share.boards--
		p.waiting = without(p.waiting, at)
	case stranger:
		p.n.Strangers--
		at.share.strangers = without(at.share.strangers, at)
		p.waiting = without(p.waiting, at)
	}
	at.kind = arriving
	p.changed.Broadcast()
}

func without(list []*place, at *place) []*place {
	if i := slices.Index(list, at); i >= 0 {
		return slices.Delete(list, i, i+1)
	}
	return list
}

// prove lets at shake hands. When too many do, the source that has most of them
// loses its newest, where that makes at's no richer than it was.
func (p *pool) prove(at *place) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	own := len(at.share.proving)
	if at.kind != arriving || own >= p.limits.PerSource {
		return false
	}
	if p.n.Proving >= p.limits.Proving {
		most := p.most(func(s *share) int { return len(s.proving) }).proving
		if len(most) <= own+1 {
			return false
		}
		p.n.Evicted++
		p.end(most[len(most)-1])
	}
	at.kind = proving
	at.share.proving = append(at.share.proving, at)
	p.n.Proving++
	return true
}

// download gives at a slot if there is one for its source.
func (p *pool) download(at *place) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if (at.kind == arriving || at.kind == proving) && p.slotFor(at.share) {
		p.vacate(at)
		p.take(at)
	}
	return at.kind == downloading
}

func (p *pool) slotFor(s *share) bool {
	return p.n.Downloads < p.limits.Downloads && s.downloads < p.limits.PerSource
}

func (p *pool) take(at *place) {
	at.kind = downloading
	at.share.downloads++
	p.n.Downloads++
}

// passSlot hands a free slot to the first who waits and may have it.
func (p *pool) passSlot() {
	if p.stopped {
		return
	}
	for _, at := range p.waiting {
		if p.slotFor(at.share) {
			p.vacate(at)
			p.take(at)
			wake(at.conn)
			return
		}
	}
}

// parking says how to park a connection.
type parking struct {
	known bool          // an enrolled, active board
	turn  bool          // it waits for a download slot
	until time.Duration // from now; zero: until it is woken
	round uint64        // of rechecks, when the decision was taken
}

// park parks at, and arms its read deadline. It returns false when the site
// changed since the decision to park, or a slot came free: look again.
func (p *pool) park(at *place, how parking) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if at.kind == ended {
		return true // reading from it says so
	}
	p.vacate(at)
	if p.round != how.round || how.turn && p.slotFor(at.share) {
		return false
	}
	p.count(at, how)
	at.conn.SetReadDeadline(deadline(how.until))
	if p.n.Strangers > p.limits.Strangers || p.n.Boards+p.n.Strangers > p.limits.Parked {
		p.evict()
	}
	return true
}

func (p *pool) count(at *place, how parking) {
	if how.known && at.share.boards < p.limits.PerSource {
		at.kind = board
		at.share.boards++
		p.n.Boards++
	} else {
		at.kind = stranger
		at.share.strangers = append(at.share.strangers, at)
		p.n.Strangers++
	}
	if how.turn {
		p.waiting = append(p.waiting, at)
	}
}

func deadline(after time.Duration) time.Time {
	if after == 0 {
		return time.Time{}
	}
	return time.Now().Add(after)
}

// unpark ends the parking of at, unless the pool has ended it already.
func (p *pool) unpark(at *place) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if at.kind == board || at.kind == stranger {
		p.vacate(at)
	}
}

// evict resets the newest stranger of the source that has most of them.
func (p *pool) evict() {
	most := p.most(func(s *share) int { return len(s.strangers) })
	if n := len(most.strangers); n > 0 {
		p.n.Evicted++
		p.end(most.strangers[n-1])
	}
}

// most returns the share with most of what is counted.
func (p *pool) most(counted func(*share) int) (most *share) {
	for _, s := range p.sources {
		if most == nil || counted(s) > counted(most) {
			most = s
		}
	}
	return most
}

func (p *pool) end(at *place) {
	p.vacate(at)
	at.kind = ended
	reset(at.conn)
}

// recheck wakes everybody who is parked.
func (p *pool) recheck() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.round++
	for at := range p.places {
		if at.kind == board || at.kind == stranger {
			wake(at.conn)
		}
	}
}

// now returns the round of rechecks that a decision is taken in.
func (p *pool) now() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.round
}

func (p *pool) status() Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.n
	n.Waiting = len(p.waiting)
	return n
}

func (p *pool) served() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.n.Served++
}

func (p *pool) endedByUs(at *place) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return at.kind == ended
}

func (p *pool) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopped = true
	p.changed.Broadcast()
}

func (p *pool) stopping() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stopped
}

// pause waits for d, or until the server stops.
func (p *pool) pause(d time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	p.until(ctx, func() bool { return p.stopped })
}

// drain waits until everybody who is left is parked.
func (p *pool) drain(ctx context.Context) error {
	return p.until(ctx, func() bool { return p.n.Open == p.n.Boards+p.n.Strangers })
}

// until waits until done, which is called under the lock, or for the end of ctx.
func (p *pool) until(ctx context.Context, done func() bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	defer context.AfterFunc(ctx, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.changed.Broadcast()
	})()
	for !done() && ctx.Err() == nil {
		p.changed.Wait()
	}
	if done() {
		return nil
	}
	return ctx.Err()
}

// finish resets everybody and waits until all have left.
func (p *pool) finish() {
	p.mu.Lock()
	p.over = true
	for at := range p.places {
		p.end(at)
	}
	p.mu.Unlock()
	p.until(context.Background(), func() bool { return p.n.Open == 0 })
}

// A source is an address, or the /64 of an IPv6 address: the network that one
// client can make up addresses in. The zero source is everybody else's.
type source = netip.Prefix

func sourceOf(a net.Addr) source {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return source{}
	}
	addr := tcp.AddrPort().Addr().Unmap().WithZone("")
	bits := 32
	if addr.Is6() {
		bits = 64
	}
	prefix, _ := addr.Prefix(bits)
	return prefix
}
