package registry

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/tcpboot/tcpboot/pki/fleet"
)

// ErrNewer says that a newer program has written the database.
var ErrNewer = errors.New("written by a newer tcpboot")

// ErrOlder says that the schema is of an older program, and whoever only reads
// cannot change that.
var ErrOlder = errors.New("it cannot be brought up to date read-only")

// What a registry on PostgreSQL can fail of before it is asked anything. The
// errors that wrap these say in the server's words what was wrong.
var (
	ErrUnreachable = errors.New("the database does not answer")
	ErrLogin       = errors.New("the database lets this role not in")
	ErrDenied      = errors.New("the database grants this role not the right")
	ErrNoDatabase  = fmt.Errorf("no such database%w", silent{fs.ErrNotExist})
	ErrNoRegistry  = fmt.Errorf("the database holds no registry%w", silent{fs.ErrNotExist})
	ErrTaken       = fmt.Errorf("the database holds a registry already%w", silent{fs.ErrExist})
)

// A silent error is what another one is too, without a word about it.
type silent struct{ error }

func (silent) Error() string   { return "" }
func (s silent) Unwrap() error { return s.error }

// ErrClock says that the clock stands before the last audit row.
var ErrClock = errors.New("the clock is behind the audit trail")

// ErrChanged says that what a change goes by is not as it was when it was looked at.
var ErrChanged = errors.New("somebody changed it meanwhile")

// A RevokedError says that a board is revoked, which is final.
type RevokedError struct {
	MAC    fleet.MAC
	Time   time.Time
	Reason string
}

func (e *RevokedError) Error() string {
	return fmt.Sprintf("%s: revoked on %s (%s)", e.MAC, e.Time.UTC().Format(time.DateOnly), e.Reason)
}

// A StateError says that a board is in the wrong state for a change. State is
// Pending after an attempt to activate when somebody else has added the board
// anew meanwhile, so that what was delivered is not what would be admitted.
type StateError struct {
	MAC    fleet.MAC
	State  fleet.State
	Change string // "add", "activate", "rotate"
}

func (e *StateError) Error() string {
	if e.State == fleet.Pending && e.Change == "activate" {
		return fmt.Sprintf("%s: cannot activate: enrolled anew by somebody else meanwhile", e.MAC)
	}
	return fmt.Sprintf("%s: cannot %s: the board is %s", e.MAC, e.Change, e.State)
}

// A NameTakenError says that another board that is not revoked has the name.
type NameTakenError struct {
	MAC   fleet.MAC
	Name  string
	Owner fleet.MAC
}

func (e *NameTakenError) Error() string {
	return fmt.Sprintf("%s: name %q: taken by %s", e.MAC, e.Name, e.Owner)
}

// A BrokenError says where the audit trail does not hold together.
type BrokenError struct {
	Sequence uint64 // the row that is missing or was changed
	Problem  string
}

func (e *BrokenError) Error() string {
	return fmt.Sprintf("audit row %d: %s", e.Sequence, e.Problem)
}
