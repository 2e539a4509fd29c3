package enroll

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/registry"
)

// Routine is the reason of a rotation that nothing has brought about. It alone
// may have a grace: after any other, somebody else may hold the old credential.
const Routine = "routine"

// IsRoutine reports whether a reason is Routine, in whatever case, or none.
func IsRoutine(reason string) bool { return reason == "" || strings.EqualFold(reason, Routine) }

// Rotate gives an active board a new credential. The old one is dead when it
// returns, or after grace. finished reports that it completed an earlier
// rotation, which had been cut off after its moment, instead of making another.
// After a refusal nothing stays staged.
func (e *Enroller) Rotate(ctx context.Context, m fleet.MAC, reason string, grace time.Duration) (finished bool, err error) {
	if grace > 0 && !IsRoutine(reason) {
		return false, fmt.Errorf("%s: no grace where the reason is %s", m, reason)
	}
	done, err := e.turn()
	if err != nil {
		return false, err
	}
	defer done()
	d, err := e.Fleet.Device(ctx, m)
	switch {
	case err != nil:
		return false, err
	case d.State == fleet.Revoked:
		return false, revoked(d)
	case d.State == fleet.Pending: // nothing is staged for a board that cannot be rotated
		return false, &registry.StateError{MAC: m, State: d.State, Change: "rotate"}
	}
	finished, err = Finish(e.Outbox, d)
	if err != nil || finished && did(d, reason, grace) {
		return finished, err
	}
	return false, e.rotate(ctx, d, reason, grace)
}

// did reports whether the rotation that gave a board what is in force now has
// done what is asked: no credential lives longer than it may.
func did(d fleet.Device, reason string, grace time.Duration) bool {
	return IsRoutine(reason) && (grace > 0 || len(d.Admissions) == 1)
}

// Finish promotes a staged delivery whose credential is in force already: it is
// of a rotation that was cut off after its moment. Without one it does nothing
// and returns false. Its caller holds the lock of the deliveries, and has read
// the device since.
func Finish(box Outbox, d fleet.Device) (bool, error) {
	serial, staged, err := box.Staged(d.MAC)
	if err != nil || !staged || len(d.Admissions) == 0 || d.Admissions[0].Serial != serial {
		return false, err
	}
	return true, box.Promote(d.MAC)
}

func (e *Enroller) rotate(ctx context.Context, d fleet.Device, reason string, grace time.Duration) error {
	c, err := e.Boards.IssueBoard(d.MAC, e.Now())
	if err != nil {
		return err
	}
	files, err := e.Files(c, d)
	if err != nil {
		return err
	}
	if err := e.Outbox.Stage(d.MAC, files); err != nil {
		return err
	}
	err = e.Fleet.Rotate(ctx, d.MAC, c.Admission(d.EAP), reason, grace) // the moment
	switch {
	case refused(err):
		return errors.Join(err, e.Outbox.Discard(d.MAC))
	case err != nil: // nobody knows whether the moment came: the next Rotate looks
		return err
	}
	return e.Outbox.Promote(d.MAC)
}

// refused reports whether an error says that the registry has changed nothing.
func refused(err error) bool {
	var revoked *registry.RevokedError
	var state *registry.StateError
	return errors.As(err, &revoked) || errors.As(err, &state) || errors.Is(err, fleet.ErrUnknown) || errors.Is(err, registry.ErrClock)
}
