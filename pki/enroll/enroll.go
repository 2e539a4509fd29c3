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
// A rotation that was cut off after its moment is finished, not repeated.
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
	err = e.enrollAll(ctx, todo)
	pending := func(d fleet.Device) bool { return d.State != fleet.Active }
	return slices.DeleteFunc(todo, pending), skipped, err
}

// enrollAll takes each batch through its steps; while one waits for the disk,
// another is worked on. Those devices that are enrolled it makes Active.
func (e *Enroller) enrollAll(ctx context.Context, todo []fleet.Device) error {
	var reporting sync.Mutex
	done := 0
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(atOnce)
	for part := range slices.Chunk(todo, cmp.Or(e.batch, batchSize)) {
		g.Go(func() error {
			if err := e.enrollBatch(ctx, part); err != nil {
				return err
			}
			reporting.Lock()
			defer reporting.Unlock()
			done += len(part)
			if e.Progress != nil {
				e.Progress(done, len(todo))
			}
			return nil
		})
	}
	return g.Wait()
}

func (e *Enroller) enrollBatch(ctx context.Context, devices []fleet.Device) error {
	files, err := e.issueAll(ctx, devices)
	if err != nil {
		return err
	}
	entries := make([]registry.Entry, len(devices))
	macs := make([]fleet.MAC, len(devices))
	for i, d := range devices {
		macs[i], entries[i] = d.MAC, registry.Entry{Device: d, Admission: d.Admissions[0]}
	}
	if err := e.change(func() error { return e.Fleet.Add(ctx, entries) }); err != nil {
		return err
	}
	if err := e.Outbox.Deliver(files); err != nil {
		return err
	}
	if err := e.change(func() error { return e.Fleet.Activate(ctx, macs) }); err != nil { // the moment
		return err
	}
	for i := range devices {
		devices[i].State = fleet.Active
	}
	return nil
}

func (e *Enroller) change(do func() error) error {
	e.changing.Lock()
	defer e.changing.Unlock()
	return do()
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

// Rotate gives an active board a new credential. The old one is dead when it
// returns, or after grace. finished reports that it completed an earlier
// rotation, which had been cut off after its moment, instead of making another.
func (e *Enroller) Rotate(ctx context.Context, m fleet.MAC, reason string, grace time.Duration) (finished bool, err error) {
	d, err := e.Fleet.Device(ctx, m)
	switch {
	case err != nil:
		return false, err
	case d.State == fleet.Revoked:
		return false, revoked(d)
	case d.State == fleet.Pending: // nothing is staged for a board that cannot be rotated
		return false, &registry.StateError{MAC: m, State: d.State, Change: "rotate"}
	}
	if finished, err := e.finish(d); finished || err != nil {
		return finished, err
	}
	c, err := e.Boards.IssueBoard(m, e.Now())
	if err != nil {
		return false, err
	}
	files, err := e.Files(c, d)
	if err != nil {
		return false, err
	}
	if err := e.Outbox.Stage(m, files); err != nil {
		return false, err
	}
	if err := e.Fleet.Rotate(ctx, m, c.Admission(d.EAP), reason, grace); err != nil { // the moment
		return false, err
	}
	return false, e.Outbox.Promote(m)
}

// finish promotes a staged delivery whose credential is in force already.
func (e *Enroller) finish(d fleet.Device) (bool, error) {
	serial, staged, err := e.Outbox.Staged(d.MAC)
	if err != nil || !staged || len(d.Admissions) == 0 || d.Admissions[0].Serial != serial {
		return false, err
	}
	return true, e.Outbox.Promote(d.MAC)
}
