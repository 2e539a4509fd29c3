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

// plan checks every request against the others and the registry.
func (e *Enroller) plan(ctx context.Context, asked []Request) (todo, skipped []fleet.Device, err error) {
	known, err := e.known(ctx, asked)
	if err != nil {
		return nil, nil, err
	}
	var refusals []error
	seen := newInput()
	for _, r := range asked {
		d, skip, err := e.planOne(ctx, r, known, seen)
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

// known are the requested boards that the registry has already.
func (e *Enroller) known(ctx context.Context, asked []Request) (map[fleet.MAC]fleet.Device, error) {
	macs := make([]fleet.MAC, len(asked))
	for i, r := range asked {
		macs[i] = r.MAC
	}
	known := map[fleet.MAC]fleet.Device{}
	if len(macs) == 0 {
		return known, nil
	}
	for d, err := range e.Fleet.Devices(ctx, registry.Filter{MACs: macs}) {
		if err != nil {
			return nil, err
		}
		known[d.MAC] = d
	}
	return known, nil
}

func (e *Enroller) planOne(ctx context.Context, r Request, known map[fleet.MAC]fleet.Device, seen input) (d fleet.Device, skip bool, err error) {
	if err := seen.add(r); err != nil {
		return d, false, err
	}
	has, enrolled := known[r.MAC]
	switch {
	case !enrolled, has.State == fleet.Pending:
		return e.device(r), false, e.nameFree(ctx, r)
	case has.State == fleet.Revoked:
		return d, false, &registry.RevokedError{MAC: r.MAC, Time: has.Changed, Reason: has.Reason}
	}
	return has, true, different(has, r)
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

// An input remembers what a list has asked for so far, to refuse it twice.
type input struct {
	macs  map[fleet.MAC]string // where it stood
	names map[string]string
}

func newInput() input { return input{map[fleet.MAC]string{}, map[string]string{}} }

func (in input) add(r Request) error {
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
func (e *Enroller) nameFree(ctx context.Context, r Request) error {
	if r.Name == "" {
		return nil
	}
	owner, err := e.Fleet.ByName(ctx, r.Name)
	switch {
	case errors.Is(err, fleet.ErrUnknown):
		return nil
	case err != nil || owner.MAC == r.MAC:
		return err
	}
	return &registry.NameTakenError{MAC: r.MAC, Name: r.Name, Owner: owner.MAC}
}
