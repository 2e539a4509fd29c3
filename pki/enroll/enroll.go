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
	"context"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/tcpboot/tcpboot/pki"
	"github.com/tcpboot/tcpboot/pki/delivery"
	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/registry"
)

// batch is how many boards share a transaction and a sync.
const batch = 1000

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
	for done := 0; done < len(todo); {
		part := todo[done:min(done+batch, len(todo))]
		if err := e.enrollBatch(ctx, part); err != nil {
			return todo[:done], skipped, err
		}
		done += len(part)
		if e.Progress != nil {
			e.Progress(done, len(todo))
		}
	}
	return todo, skipped, nil
}

func (e *Enroller) enrollBatch(ctx context.Context, devices []fleet.Device) error {
	credentials, err := e.issueAll(ctx, devices)
	if err != nil {
		return err
	}
	entries := make([]registry.Entry, len(devices))
	files := make(map[fleet.MAC]delivery.Files, len(devices))
	macs := make([]fleet.MAC, len(devices))
	for i, c := range credentials {
		macs[i] = c.MAC
		devices[i].State, devices[i].Enrolled = fleet.Active, c.Issued
		devices[i].Admissions = []fleet.Admission{c.Admission(devices[i].EAP)}
		entries[i] = registry.Entry{Device: devices[i], Admission: devices[i].Admissions[0]}
		if files[c.MAC], err = e.Files(c, devices[i]); err != nil {
			return fmt.Errorf("%s: %w", c.MAC, err)
		}
	}
	if err := e.Fleet.Add(ctx, entries); err != nil {
		return err
	}
	if err := e.Outbox.Deliver(files); err != nil {
		return err
	}
	return e.Fleet.Activate(ctx, macs) // the moment
}

// issueAll issues a credential for each device, on all cores.
func (e *Enroller) issueAll(ctx context.Context, devices []fleet.Device) ([]*pki.Credential, error) {
	credentials := make([]*pki.Credential, len(devices))
	errs := make([]error, len(devices))
	var next, workers = make(chan int), sync.WaitGroup{}
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for i := range next {
				credentials[i], errs[i] = e.Boards.IssueBoard(devices[i].MAC, e.Now())
			}
		})
	}
	for i := range devices {
		if ctx.Err() != nil {
			break
		}
		next <- i
	}
	close(next)
	workers.Wait()
	for i, err := range errs {
		if err != nil {
			return nil, fmt.Errorf("%s: %w", devices[i].MAC, err)
		}
	}
	return credentials, ctx.Err()
}

// Rotate gives an active board a new credential. The old one is dead when it
// returns, or after grace. finished reports that it completed an earlier
// rotation, which had been cut off after its moment, instead of making another.
func (e *Enroller) Rotate(ctx context.Context, m fleet.MAC, reason string, grace time.Duration) (finished bool, err error) {
	d, err := e.Fleet.Device(ctx, m)
	if err != nil {
		return false, err
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
