package enroll

import (
	"cmp"
	"context"
	"fmt"
	"iter"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/registry"
)

// A DifferentError says that a board is enrolled already, but not as asked.
type DifferentError struct {
	MAC              fleet.MAC
	What, Has, Asked string
}

func (e *DifferentError) Error() string {
	return fmt.Sprintf("%s: enrolled already with %s %q, not %q", e.MAC, e.What, e.Has, e.Asked)
}

// CheckHeir says why a plan would refuse one board that is to be enrolled when
// the board old is revoked, whose name is free then.
func (e *Enroller) CheckHeir(ctx context.Context, old fleet.MAC, r Request) error {
	k, err := e.known(ctx, []row{{Request: r}})
	if err != nil {
		return err
	}
	if k.owners[r.Name] == old {
		delete(k.owners, r.Name)
	}
	_, err = k.judge(r)
	return err
}

// overtaken are those of the planned devices that somebody else has enrolled
// since, with the attributes that were planned.
func (e *Enroller) overtaken(ctx context.Context, planned []fleet.Device) (active []fleet.Device, err error) {
	plan := make(map[fleet.MAC]fleet.Device, len(planned))
	macs := make([]fleet.MAC, len(planned))
	for i, d := range planned {
		macs[i], plan[d.MAC] = d.MAC, d
	}
	for has, err := range e.Fleet.Devices(ctx, registry.Filter{MACs: macs, States: []fleet.State{fleet.Active}}) {
		if err != nil {
			return nil, err
		}
		d := plan[has.MAC]
		asked := Request{MAC: d.MAC, Name: d.Name, Hardware: d.Hardware, Channel: d.Channel, VLAN: d.VLAN, EAP: d.EAP}
		if err := different(has, asked); err != nil {
			return nil, err
		}
		active = append(active, has)
	}
	return active, nil
}

// A Plan is a list that was checked against itself and the registry: who of it
// is to be enrolled, and who is active as asked and will be skipped.
type Plan struct {
	list List
	*index
}

// Plan checks every request of a list against the others and the registry. It
// changes nothing, and needs no key. The error joins the refusals, each with its
// Where; of very many it tells the first.
func (e *Enroller) Plan(ctx context.Context, list List) (*Plan, error) {
	p := &Plan{list, newIndex()}
	var refused refusals
	for rows := range chunks(list) {
		if err := e.check(ctx, p, rows, &refused); err != nil {
			return nil, err
		}
		if refused.full() {
			break
		}
	}
	return p, refused.join()
}

// check judges some rows of a list, in their order.
func (e *Enroller) check(ctx context.Context, p *Plan, rows []row, refused *refusals) error {
	k, err := e.known(ctx, rows)
	if err != nil {
		return err
	}
	for _, r := range rows {
		if r.err != nil {
			refused.add(r.err)
			continue
		}
		err := p.enter(r.Request)
		skip := false
		if err == nil {
			skip, err = k.judge(r.Request)
		}
		if err != nil {
			refused.add(fmt.Errorf("%s: %w", r.Where, err))
		}
		if skip {
			p.skip(r.MAC)
		}
	}
	return nil
}

// Planned yields the boards that a plan enrols, as they will be. After an error it
// yields no more.
func (e *Enroller) Planned(ctx context.Context, p *Plan) iter.Seq2[fleet.Device, error] {
	return func(yield func(fleet.Device, error) bool) {
		for r, err := range p.list {
			if err = cmp.Or(err, ctx.Err()); err != nil {
				yield(fleet.Device{}, err)
				return
			}
			if !p.skips(r.MAC) && !yield(e.device(r), nil) {
				return
			}
		}
	}
}

// batches yields the boards of a plan by the batch. Each batch is enrolled as a
// whole or not at all, so a plan of the same list that is made when some are has
// the others again.
func (e *Enroller) batches(ctx context.Context, p *Plan) iter.Seq2[[]fleet.Device, error] {
	size := cmp.Or(e.batch, batchSize)
	return func(yield func([]fleet.Device, error) bool) {
		var batch []fleet.Device
		for d, err := range e.Planned(ctx, p) {
			if err != nil {
				yield(nil, err)
				return
			}
			if batch = append(batch, d); len(batch) < size {
				continue
			}
			if !yield(batch, nil) {
				return
			}
			batch = nil
		}
		if len(batch) > 0 {
			yield(batch, nil)
		}
	}
}

// Skipped yields the boards of a plan that were active as asked before it was
// carried out, as they are now. After an error it yields no more.
func (e *Enroller) Skipped(ctx context.Context, p *Plan) iter.Seq2[fleet.Device, error] {
	return func(yield func(fleet.Device, error) bool) {
		for rows := range chunks(p.list) {
			var macs []fleet.MAC
			for _, r := range rows {
				if p.skips(r.MAC) {
					macs = append(macs, r.MAC)
				}
			}
			if len(macs) == 0 {
				continue
			}
			for d, err := range e.Fleet.Devices(ctx, registry.Filter{MACs: macs}) {
				if !yield(d, err) || err != nil {
					return
				}
			}
		}
	}
}

func revoked(d fleet.Device) error {
	return &registry.RevokedError{MAC: d.MAC, Time: d.Changed, Reason: d.Reason}
}

// device is what the request asks for, with the defaults filled in.
func (e *Enroller) device(r Request) fleet.Device {
	d := e.Defaults
	d.MAC, d.Name, d.VLAN, d.State = r.MAC, r.Name, r.VLAN, fleet.Pending
	d.Hardware = cmp.Or(r.Hardware, d.Hardware)
	d.Channel = cmp.Or(r.Channel, d.Channel)
	d.EAP = cmp.Or(r.EAP, d.EAP)
	return d
}

// different says in what a board that is enrolled differs from the request. An
// attribute that the request leaves open does not differ.
func different(has fleet.Device, r Request) error {
	for _, a := range []struct{ what, has, asked string }{
		{"name", has.Name, r.Name},
		{"hardware", has.Hardware, r.Hardware},
		{"channel", has.Channel, r.Channel},
		{"VLAN", vlan(has.VLAN), vlan(r.VLAN)},
		{"EAP", has.EAP.String(), r.EAP.String()},
	} {
		if a.asked != "" && a.asked != a.has {
			return &DifferentError{r.MAC, a.what, a.has, a.asked}
		}
	}
	return nil
}

func vlan(v fleet.VLAN) string {
	if v == 0 {
		return ""
	}
	return fmt.Sprint(uint16(v))
}

// A knowledge is what the registry knew of some requests before.
type knowledge struct {
	boards map[fleet.MAC]fleet.Device // those enrolled already
	owners map[string]fleet.MAC       // of the names that are taken
}

func (e *Enroller) known(ctx context.Context, rows []row) (k knowledge, err error) {
	k.boards = make(map[fleet.MAC]fleet.Device)
	var macs []fleet.MAC
	var names []string
	for _, r := range rows {
		if r.err == nil {
			macs = append(macs, r.MAC)
		}
		if r.err == nil && r.Name != "" {
			names = append(names, r.Name)
		}
	}
	if len(macs) == 0 {
		return k, nil
	}
	for d, err := range e.Fleet.Devices(ctx, registry.Filter{MACs: macs}) {
		if err != nil {
			return k, err
		}
		k.boards[d.MAC] = d
	}
	k.owners, err = e.Fleet.Owners(ctx, names)
	return k, err
}

// judge says why a request cannot be met, or that there is nothing to do.
func (k knowledge) judge(r Request) (skip bool, err error) {
	has, enrolled := k.boards[r.MAC]
	switch {
	case !enrolled, has.State == fleet.Pending:
		return false, k.nameFree(r)
	case has.State == fleet.Revoked:
		return false, revoked(has)
	}
	return true, different(has, r)
}

// nameFree refuses a name that another board has.
func (k knowledge) nameFree(r Request) error {
	if owner, taken := k.owners[r.Name]; taken && owner != r.MAC {
		return &registry.NameTakenError{MAC: r.MAC, Name: r.Name, Owner: owner}
	}
	return nil
}
