package enroll

import (
	"cmp"
	"context"
	"errors"
	"fmt"

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

// Check says why Enroll would refuse the requests. It changes nothing.
func (e *Enroller) Check(ctx context.Context, asked []Request) error {
	_, _, err := e.plan(ctx, asked)
	return err
}

// CheckHeir is Check for one board that is to be enrolled when the board old is
// revoked, whose name is free then.
func (e *Enroller) CheckHeir(ctx context.Context, old fleet.MAC, r Request) error {
	in, err := e.newInput(ctx, []Request{r})
	if err != nil {
		return err
	}
	if in.owners[r.Name] == old {
		delete(in.owners, r.Name)
	}
	_, _, err = e.planOne(r, in)
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

// plan checks every request against the others and the registry.
func (e *Enroller) plan(ctx context.Context, asked []Request) (todo, skipped []fleet.Device, err error) {
	in, err := e.newInput(ctx, asked)
	if err != nil {
		return nil, nil, err
	}
	todo = make([]fleet.Device, 0, len(asked))
	var refusals []error
	for _, r := range asked {
		d, skip, err := e.planOne(r, in)
		switch {
		case err != nil:
			refusals = append(refusals, fmt.Errorf("%s: %w", r.Where, err))
			if len(refusals) == maxFaults {
				return nil, nil, errors.Join(append(refusals, errors.New("more refusals may follow"))...)
			}
		case skip:
			skipped = append(skipped, d)
		default:
			todo = append(todo, d)
		}
	}
	return todo, skipped, errors.Join(refusals...)
}

func (e *Enroller) planOne(r Request, in *input) (d fleet.Device, skip bool, err error) {
	if err := in.add(r); err != nil {
		return d, false, err
	}
	has, enrolled := in.boards[r.MAC]
	switch {
	case !enrolled, has.State == fleet.Pending:
		return e.device(r), false, in.nameFree(r)
	case has.State == fleet.Revoked:
		return d, false, revoked(has)
	}
	return has, true, different(has, r)
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

// An input is a list of requests that is being gone through: what the registry
// knew before, and where the requests so far stood, to refuse them twice.
type input struct {
	boards map[fleet.MAC]fleet.Device // those enrolled already
	owners map[string]fleet.MAC       // of the names that are taken
	macs   map[fleet.MAC]string
	names  map[string]string
}

func (e *Enroller) newInput(ctx context.Context, asked []Request) (*input, error) {
	in := &input{boards: make(map[fleet.MAC]fleet.Device), macs: make(map[fleet.MAC]string), names: make(map[string]string)}
	if len(asked) == 0 {
		return in, nil
	}
	var macs []fleet.MAC
	var names []string
	for _, r := range asked {
		macs, names = append(macs, r.MAC), append(names, r.Name)
	}
	for d, err := range e.Fleet.Devices(ctx, registry.Filter{MACs: macs}) {
		if err != nil {
			return nil, err
		}
		in.boards[d.MAC] = d
	}
	var err error
	in.owners, err = e.Fleet.Owners(ctx, names)
	return in, err
}

func (in *input) add(r Request) error {
	if where, twice := in.macs[r.MAC]; twice {
		return fmt.Errorf("%s: stands twice: at %s too", r.MAC, where)
	}
	in.macs[r.MAC] = r.Where
	if r.Name == "" {
		return nil
	}
	if where, twice := in.names[r.Name]; twice {
		return fmt.Errorf("%s: name %q: at %s too", r.MAC, r.Name, where)
	}
	in.names[r.Name] = r.Where
	return nil
}

// nameFree refuses a name that another board has.
func (in *input) nameFree(r Request) error {
	if owner, taken := in.owners[r.Name]; taken && owner != r.MAC {
		return &registry.NameTakenError{MAC: r.MAC, Name: r.Name, Owner: owner}
	}
	return nil
}
