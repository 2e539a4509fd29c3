package release

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/release/sitedoc"
)

// ErrNothing says that a board gets no release at all.
var ErrNothing = errors.New("nothing is offered")

// A Choice is the release that a board gets, and why.
type Choice struct {
	Release  *Release `json:"-"`        // nil: none
	Sequence uint64   `json:"sequence"` // its place in the board's channel
	Pinned   bool     `json:"pinned"`
	Reason   string   `json:"reason"` // why this one, or why none
	Passed   []Passed `json:"passed"` // what else was there for this hardware, in the order in which it was looked at
}

// A Passed is a release that a board does not get.
type Passed struct {
	Version  string       `json:"version"`
	Channel  string       `json:"channel"`
	Sequence uint64       `json:"sequence"`
	Manifest fleet.Digest `json:"manifest"`
	Reason   string       `json:"reason"`
}

// Pick decides which release the device d gets. Only an Active device gets one. A
// pin decides alone; otherwise it is, of the offers on the device's channel for
// its hardware, the one with the highest sequence that is not paused, whose
// rollout has reached the board and which its loader can install. What the board is
// boxed out of, it gets neither way. Without any the error is ErrNothing, and Choice
// says why.
//
// The same device, catalog, offers and box make the same choice, whatever the order
// of offers.
func (c *Catalog) Pick(d fleet.Device, offers []fleet.Offer, boxed Boxed) (Choice, error) {
	return c.PickKind(sitedoc.Firmware, d, offers, boxed)
}

// PickKind is Pick of a kind of releases: those of loaders are for applications that
// ask for one, and are offered on channels of their own. A board that is pinned keeps
// its loader.
func (c *Catalog) PickKind(kind sitedoc.Kind, d fleet.Device, offers []fleet.Offer, boxed Boxed) (Choice, error) {
	p := picker{catalog: c, kind: kind, device: d, channel: ChannelFor(kind, d.Channel), boxed: boxed}
	offers = p.relevant(offers)
	switch {
	case d.State != fleet.Active:
		p.passAll(offers, fmt.Sprintf("the board is %s", d.State))
		p.choice.Reason = fmt.Sprintf("the board is %s, and only an %s one gets anything", d.State, fleet.Active)
	case d.Pin != fleet.Pin{} && kind == sitedoc.Loader:
		p.choice.Reason = fmt.Sprintf("the board is pinned to %s, and keeps its loader", d.Pin.Version)
		p.passAll(offers, p.choice.Reason)
	case d.Pin != fleet.Pin{}:
		p.passAll(offers, fmt.Sprintf("the board is pinned to %s", d.Pin.Version))
		p.pinned()
	default:
		p.offered(offers)
	}
	if p.choice.Release == nil {
		return p.choice, fmt.Errorf("board %s: %s: %w", d.MAC, p.choice.Reason, ErrNothing)
	}
	return p.choice, nil
}

// A picker makes one choice.
type picker struct {
	catalog *Catalog
	kind    sitedoc.Kind
	device  fleet.Device
	channel string // on which it is offered something
	boxed   Boxed
	choice  Choice
}

// relevant returns the offers for the device's hardware, of the kind: those on its channel
// first, by falling sequence. Beside an offer stands the one before it, for boards
// that it has not reached. Where it is paused, those that it had reached are not
// given that one: they may have the newer already, and keep it.
func (p *picker) relevant(offers []fleet.Offer) []fleet.Offer {
	var mine []fleet.Offer
	for _, o := range offers {
		if _, kind := FollowedBy(o.Channel); o.Hardware != p.device.Hardware || kind != p.kind {
			continue
		}
		mine = append(mine, o)
		if o.Previous != nil && !(o.Paused && RolloutOf(o).Includes(p.device.MAC)) {
			mine = append(mine, *o.Previous)
		}
	}
	slices.SortFunc(mine, func(a, b fleet.Offer) int {
		return cmp.Or(
			cmp.Compare(p.distance(a), p.distance(b)),
			cmp.Compare(a.Channel, b.Channel),
			cmp.Compare(b.Sequence, a.Sequence),
			slices.Compare(a.Manifest[:], b.Manifest[:]))
	})
	return mine
}

func (p *picker) distance(o fleet.Offer) int {
	if o.Channel == p.channel {
		return 0
	}
	return 1
}

func (p *picker) pass(o fleet.Offer, reason string) {
	p.choice.Passed = append(p.choice.Passed, Passed{
		Version: o.Version, Channel: o.Channel, Sequence: o.Sequence, Manifest: o.Manifest, Reason: reason})
}

func (p *picker) passAll(offers []fleet.Offer, reason string) {
	for _, o := range offers {
		p.pass(o, reason)
	}
}

// offered chooses among offers.
func (p *picker) offered(offers []fleet.Offer) {
	p.choice.Reason = fmt.Sprintf("channel %s has nothing for hardware %s", p.channel, p.device.Hardware)
	for _, o := range offers {
		r, reason := p.consider(o)
		if reason != "" {
			p.pass(o, reason)
			continue
		}
		p.choice.Release, p.choice.Sequence = r, o.Sequence
		p.choice.Reason = fmt.Sprintf("channel %s offers it to hardware %s at sequence %d", o.Channel, o.Hardware, o.Sequence)
		if len(o.Plan.Waves) > 0 {
			p.choice.Reason += ", and has reached " + ReachText(o)
		}
	}
	if p.choice.Release == nil && len(p.choice.Passed) > 0 && p.distance(offers[0]) == 0 {
		p.choice.Reason = fmt.Sprintf("version %s %s", p.choice.Passed[0].Version, p.choice.Passed[0].Reason)
	}
}

// consider returns the release of o, or why the device does not get it.
func (p *picker) consider(o fleet.Offer) (r *Release, reason string) {
	d := p.device
	switch {
	case o.Channel != p.channel:
		return nil, fmt.Sprintf("is on channel %s, the board follows %s", o.Channel, p.channel)
	case p.choice.Release != nil:
		return nil, fmt.Sprintf("is older: sequence %d, below %d", o.Sequence, p.choice.Sequence)
	case o.Plan.Stopped != "":
		return nil, "was stopped: " + o.Plan.Stopped
	case o.Paused:
		return nil, "is paused"
	case !RolloutOf(o).Includes(d.MAC):
		return nil, fmt.Sprintf("has reached %s, not this one", ReachText(o))
	}
	r, known := p.catalog.Release(o.Manifest)
	switch {
	case !known:
		return nil, fmt.Sprintf("is not among the releases at hand: manifest %v", o.Manifest)
	case !states(&r.Manifest, o):
		return nil, fmt.Sprintf("is not what its manifest states: hardware %s, version %s, sequence %d on channel %s",
			o.Hardware, o.Version, o.Sequence, o.Channel)
	case r.Manifest.Kind != p.kind:
		return nil, fmt.Sprintf("is of kind %s, not %s", r.Manifest.Kind, p.kind)
	}
	if r, reason = p.variant(r); reason != "" {
		return nil, reason
	}
	return r, cmp.Or(p.boxed.reason(r.Digest), p.installable(&r.Manifest))
}

// states reports whether m is a statement of what o offers: boards believe the
// manifest, not us.
func states(m *Manifest, o fleet.Offer) bool {
	return m.Hardware == o.Hardware && m.Version == o.Version && o.Sequence != 0 && m.Sequences[o.Channel] == o.Sequence
}

// pinned chooses the newest statement of the pinned version.
func (p *picker) pinned() {
	d, pin := p.device, p.device.Pin.Version
	p.choice.Pinned = true
	p.choice.Reason = fmt.Sprintf("pinned to %s, of which there is no release for hardware %s on channel %s", pin, d.Hardware, d.Channel)
	for _, r := range p.catalog.byName[name{d.Hardware, pin}] {
		sequence := r.Manifest.Sequences[d.Channel]
		if sequence <= p.choice.Sequence || r.Manifest.Kind != p.kind {
			continue
		}
		if _, reason := p.variant(r); reason != "" {
			p.choice.Reason = fmt.Sprintf("pinned to %s, which %s", pin, reason)
			continue
		}
		if !takes(d.Loader, r) { // another variant is for it
			continue
		}
		if reason := cmp.Or(p.boxed.reason(r.Digest), p.installable(&r.Manifest)); reason != "" {
			p.choice.Reason = fmt.Sprintf("pinned to %s, which %s", pin, reason)
			continue
		}
		p.choice.Release, p.choice.Sequence = r, sequence
	}
	if p.choice.Release != nil {
		p.choice.Reason = fmt.Sprintf("pinned to %s", pin)
	}
}

// ourLoader is the level of loaders that read manifests.
const ourLoader = 2

// installable says why the device's loader cannot install m.
func (p *picker) installable(m *Manifest) (reason string) { return m.Installable(p.device.Loader) }

// Installable says why a loader cannot install m; "" when it can. A loader whose
// version is not known decides for itself.
func (m *Manifest) Installable(have fleet.Loader) (reason string) {
	if have.Level < ourLoader && m.Kind == sitedoc.Loader {
		return "updates a loader that this board does not have"
	}
	if m.MinLoader == "" {
		return ""
	}
	if have.Level < ourLoader {
		return fmt.Sprintf("needs loader %s, the board has one of another kind", m.MinLoader)
	}
	least, errLeast := parseLoader(m.MinLoader)
	version, errVersion := parseLoader(have.Version)
	if errLeast == nil && errVersion == nil && version.compare(least) < 0 {
		return fmt.Sprintf("needs loader %s, the board has %s", m.MinLoader, have.Version)
	}
	return ""
}
