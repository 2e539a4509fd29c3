// Package enroll is the order of steps by which boards get credentials, and
// nothing else: what is issued is package pki's, what is true is the registry's,
// where files lie is the caller's.
//
// Enrolling walks through five steps. All requests are checked before the first
// is carried out; then, batch by batch:
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
	"cmp"
	"context"
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

	// Progress, unless nil, is told after each batch how many boards are done.
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
	// Deliver puts each board's files in place of any earlier ones.
	Deliver(map[fleet.MAC]delivery.Files) error

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

// Enroll enrols the requested boards. It returns the newly active devices and
// those it skipped because they were active as asked. When a request cannot be
// met the error joins every refusal, each with its Where, and no board of
// the list was touched.
func (e *Enroller) Enroll(ctx context.Context, asked []Request) (enrolled, skipped []fleet.Device, err error) {
	todo, skipped, err := e.plan(ctx, asked)
	if err != nil {
		return nil, nil, err
	}
	overtaken, err := e.enrollAll(ctx, todo)
	pending := func(d fleet.Device) bool { return d.State != fleet.Active }
	return slices.DeleteFunc(todo, pending), append(skipped, overtaken...), err
}

// enrollAll takes each batch through its steps; while one waits for the disk,
// another is worked on. Those devices that are enrolled it makes Active;
// overtaken are those that somebody else enrolled meanwhile, as asked.
func (e *Enroller) enrollAll(ctx context.Context, todo []fleet.Device) (overtaken []fleet.Device, err error) {
	var reporting sync.Mutex
	done := 0
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(atOnce)
	for part := range slices.Chunk(todo, cmp.Or(e.batch, batchSize)) {
		g.Go(func() error {
			skipped, err := e.enrollBatch(ctx, part)
			if err != nil {
				return err
			}
			reporting.Lock()
			defer reporting.Unlock()
			overtaken = append(overtaken, skipped...)
			done += len(part)
			if e.Progress != nil {
				e.Progress(done, len(todo))
			}
			return nil
		})
	}
	return overtaken, g.Wait()
}

func (e *Enroller) enrollBatch(ctx context.Context, devices []fleet.Device) (overtaken []fleet.Device, err error) {
	files, err := e.issueAll(ctx, devices)
	if err != nil {
		return nil, err
	}
	unlock, err := e.turn()
	if err != nil {
		return nil, err
	}
	defer unlock()
	if overtaken, err = e.overtaken(ctx, devices); err != nil {
		return nil, err
	}
	for _, d := range overtaken {
		delete(files, d.MAC)
	}
	return overtaken, e.carryOut(ctx, devices, files)
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

// carryOut takes those devices through their steps for which there are files.
func (e *Enroller) carryOut(ctx context.Context, devices []fleet.Device, files map[fleet.MAC]delivery.Files) error {
	var entries []registry.Entry
	var macs []fleet.MAC
	for _, d := range devices {
		if files[d.MAC] != nil {
			macs, entries = append(macs, d.MAC), append(entries, registry.Entry{Device: d, Admission: d.Admissions[0]})
		}
	}
	if len(entries) == 0 {
		return nil
	}
	if err := e.Fleet.Add(ctx, entries); err != nil {
		return err
	}
	if err := e.Outbox.Deliver(files); err != nil {
		return err
	}
	if err := e.Fleet.Activate(ctx, macs); err != nil { // the moment
		return err
	}
	for i := range devices {
		if files[devices[i].MAC] != nil {
			devices[i].State = fleet.Active
		}
	}
	return nil
}

// issueAll issues a credential for each device, on all cores, notes its public
// half, and returns what the boards are handed.
func (e *Enroller) issueAll(ctx context.Context, devices []fleet.Device) (map[fleet.MAC]delivery.Files, error) {
	handed := make([]delivery.Files, len(devices))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i := range devices {
		g.Go(func() (err error) {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			handed[i], err = e.issue(&devices[i])
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	files := make(map[fleet.MAC]delivery.Files, len(devices))
	for i, d := range devices {
		files[d.MAC] = handed[i]
	}
	return files, nil
}

func (e *Enroller) issue(d *fleet.Device) (delivery.Files, error) {
	c, err := e.Boards.IssueBoard(d.MAC, e.Now())
	if err != nil {
		return nil, err
	}
	d.Enrolled, d.Admissions = c.Issued, []fleet.Admission{c.Admission(d.EAP)}
	files, err := e.Files(c, *d)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", d.MAC, err)
	}
	return files, nil
}
