// Package enroll is the order of steps by which boards get credentials, and
// nothing else: what is issued is package pki's, what is true is the registry's,
// where files lie is the caller's.
//
// Enrolling begins with a plan: all requests are checked before the first is
// carried out. A list may be long, so it is gone through twice and held in memory
// by its MACs and sums of its names alone. Then, batch by batch:
//
//	issue      credentials, in memory
//	add        Pending devices with the public halves, one transaction
//	deliver    the files of each board, written and synced
//	activate   one transaction: this is the moment
//
// A power cut before the moment leaves Pending devices, which no RADIUS server
// is told of. Asking for the same boards again issues anew and finishes; a
// board that is Active with the asked attributes is skipped.
//
// A rotation stages the new delivery beside the old one first, so that no power
// cut can take the only copy of secrets that are already in force:
//
//	stage      the new delivery, synced
//	rotate     one transaction: this is the moment
//	promote    the staged delivery takes its place
//
// A rotation that was cut off after its moment is finished, and not repeated
// when it did what is asked: a routine one did, one for a lost board must not
// leave the last credential in force.
//
// Whoever changes what a board is handed holds the lock of the deliveries from
// before its registry is told until both agree again. So two that enrol or
// rotate one board take turns, and the later finds what the earlier has done.
package enroll

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tcpboot/tcpboot/pki"
	"github.com/tcpboot/tcpboot/pki/delivery"
	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/registry"
)

// Boards share a transaction and a sync by the batch, and so many batches are
// under way at once. Both bound the secrets in memory.
const batchSize, atOnce = 1000, 2

// An Enroller enrols boards of one site and rotates their credentials.
type Enroller struct {
	Fleet  *registry.Fleet
	Boards *pki.Authority // with its key
	Outbox Outbox
	Now    func() time.Time

	// Defaults fills what a request leaves open: hardware, channel, EAP methods.
	Defaults fleet.Device

	// Files makes what a board is handed out of its credential.
	Files func(*pki.Credential, fleet.Device) (delivery.Files, error)

	// Progress, unless nil, is told after each batch how many boards are done of
	// those that were to be enrolled.
	Progress func(done, total int)

	// Lock, unless nil, waits for the lock of the deliveries, which other
	// processes want too.
	Lock func() (unlock func(), err error)

	batch    int        // boards of a batch; zero: batchSize
	changing sync.Mutex // batches take turns here: a database lets them wait in steps
}

// An Outbox is where deliveries wait for the boards they belong to. What its
// methods acknowledge survives a power cut.
type Outbox interface {
	// Deliver puts each board's files in place of any earlier ones, and says where
	// they lie. All are of one batch, in the order of the list.
	Deliver([]delivery.Handout) (where func(fleet.MAC) string, err error)

	// Stage keeps a board's next files beside its delivery. A second Stage
	// replaces the first.
	Stage(fleet.MAC, delivery.Files) error

	// Staged returns the serial of the certificate in a staged delivery; ok is
	// false when there is none.
	Staged(fleet.MAC) (serial fleet.Serial, ok bool, err error)

	// Promote puts the staged files in place of the delivery.
	Promote(fleet.MAC) error

	// Discard removes the staged files, if there are any.
	Discard(fleet.MAC) error
}

// Enroll enrols a few boards. It returns the newly active devices and those it
// skipped because they were active as asked. When a request cannot be met the
// error joins every refusal, each with its Where, and no board was touched.
func (e *Enroller) Enroll(ctx context.Context, asked []Request) (enrolled, skipped []fleet.Device, err error) {
	p, err := e.Plan(ctx, ListOf(asked))
	if err != nil {
		return nil, nil, err
	}
	err = e.Carry(ctx, p, func(d fleet.Device, _ string) { enrolled = append(enrolled, d) })
	for d, skipErr := range e.Skipped(ctx, p) {
		if skipErr != nil {
			return enrolled, skipped, errors.Join(err, skipErr)
		}
		skipped = append(skipped, d)
	}
	return enrolled, skipped, err
}

// Carry carries a plan out. It takes each batch through its steps; while one
// waits for the disk, another is worked on. told is called with each device that
// became active, and where its delivery lies, also when a later batch fails. A
// board that somebody else enrolled meanwhile, as asked, moves to those of the plan
// that are skipped.
func (e *Enroller) Carry(ctx context.Context, p *Plan, told func(d fleet.Device, where string)) error {
	var telling sync.Mutex
	done, total := 0, p.Enrolling()
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(atOnce)
	for batch, err := range e.batches(ctx, p) {
		g.Go(func() error {
			if err != nil {
				return err
			}
			enrolled, overtaken, where, err := e.enrollBatch(ctx, batch)
			if err != nil {
				return err
			}
			telling.Lock()
			defer telling.Unlock()
			p.overtaken(overtaken)
			for _, d := range enrolled {
				told(d, where(d.MAC))
			}
			if done += len(batch); e.Progress != nil {
				e.Progress(done, total)
			}
			return nil
		})
	}
	return g.Wait()
}

func (e *Enroller) enrollBatch(ctx context.Context, devices []fleet.Device) (enrolled, overtaken []fleet.Device, where func(fleet.MAC) string, err error) {
	handouts, err := e.issueAll(ctx, devices)
	if err != nil {
		return nil, nil, nil, err
	}
	unlock, err := e.turn()
	if err != nil {
		return nil, nil, nil, err
	}
	defer unlock()
	if overtaken, err = e.overtaken(ctx, devices); err != nil {
		return nil, nil, nil, err
	}
	for _, o := range overtaken {
		gone := slices.IndexFunc(devices, func(d fleet.Device) bool { return d.MAC == o.MAC })
		devices, handouts = slices.Delete(devices, gone, gone+1), slices.Delete(handouts, gone, gone+1)
	}
	if len(devices) == 0 {
		return nil, overtaken, nil, nil
	}
	where, err = e.carryOut(ctx, devices, handouts)
	return devices, overtaken, where, err
}

// turn waits until no other batch and no other process changes deliveries.
func (e *Enroller) turn() (done func(), err error) {
	e.changing.Lock()
	if e.Lock == nil {
		return e.changing.Unlock, nil
	}
	unlock, err := e.Lock()
	if err != nil {
		e.changing.Unlock()
		return nil, err
	}
	return func() { unlock(); e.changing.Unlock() }, nil
}

// carryOut takes devices through their steps, and makes them Active.
func (e *Enroller) carryOut(ctx context.Context, devices []fleet.Device, handouts []delivery.Handout) (where func(fleet.MAC) string, err error) {
	entries, macs := make([]registry.Entry, len(devices)), make([]fleet.MAC, len(devices))
	for i, d := range devices {
		entries[i], macs[i] = registry.Entry{Device: d, Admission: d.Admissions[0]}, d.MAC
	}
	if err := e.Fleet.Add(ctx, entries); err != nil {
		return nil, err
	}
	if where, err = e.Outbox.Deliver(handouts); err != nil {
		return nil, err
	}
	if err := e.Fleet.Activate(ctx, macs); err != nil { // the moment
		return nil, err
	}
	for i := range devices {
		devices[i].State = fleet.Active
	}
	return where, nil
}

// issueAll issues a credential for each device, on all cores, notes its public
// half, and returns what the boards are handed.
func (e *Enroller) issueAll(ctx context.Context, devices []fleet.Device) ([]delivery.Handout, error) {
	handouts := make([]delivery.Handout, len(devices))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i := range devices {
		g.Go(func() (err error) {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			handouts[i], err = e.issue(&devices[i])
			return err
		})
	}
	return handouts, g.Wait()
}

func (e *Enroller) issue(d *fleet.Device) (h delivery.Handout, err error) {
	c, err := e.Boards.IssueBoard(d.MAC, e.Now())
	if err != nil {
		return h, err
	}
	a := c.Admission(d.EAP)
	d.Enrolled, d.Admissions = c.Issued, []fleet.Admission{a}
	files, err := e.Files(c, *d)
	if err != nil {
		return h, fmt.Errorf("%s: %w", d.MAC, err)
	}
	return delivery.Handout{MAC: d.MAC, Serial: a.Serial, Files: files}, nil
}
