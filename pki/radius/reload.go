package radius

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/tcpboot/tcpboot/pki/fleet"
)

// A Running is a server that was started on an exported folder.
type Running struct {
	// Ask says whether the list of boards with that state is in force: a method
	// of Query. It may be asked many times.
	Ask func(ctx context.Context, state fleet.Digest) (bool, error)

	// Signal makes the server read its files again. For FreeRADIUS that is Touch,
	// then a HUP; for hostapd a restart, because version 2.10 frees at a HUP what
	// the logins under way still use.
	Signal func(ctx context.Context) error

	// Patience is after how long Reload gives up. Zero means a minute.
	Patience time.Duration

	// Now and Sleep are the clock. Nil means the system's.
	Now   func() time.Time
	Sleep func(ctx context.Context, d time.Duration) error
}

// ErrStillAdmitted says that a server could not be brought to the present list,
// or could not be asked: whoever was revoked may get in as before.
var ErrStillAdmitted = errors.New("who was revoked may be still admitted")

const (
	// FreeRADIUS ignores a HUP within five seconds of another, and a change of
	// its list within two of its start.
	signalRest = 6 * time.Second

	askRest = 200 * time.Millisecond
)

// Reload makes the server take up the list of boards with the given state, see
// State, and returns nil when the server itself has said that it goes by that
// list: from then on nobody gets in whom it does not hold. Every error wraps
// ErrStillAdmitted.
//
// It is about boards alone: other clients, certificates or methods need a restart
// of the server, also to answer at all where it was started on a folder in which
// the list had no state yet.
//
// A signal may be lost, or ignored, so it is given again and again, but only to
// a server that answers: one that is busy reading a long list would read it
// twice, and FreeRADIUS keeps each copy for a while.
func Reload(ctx context.Context, r Running, state fleet.Digest) error {
	r = r.withDefaults()
	started := r.Now()
	var signalled time.Time
	for {
		inForce, err := r.Ask(ctx, state)
		if inForce {
			return nil
		}
		now := r.Now()
		if now.Sub(started) >= r.Patience {
			return stillAdmitted(late(err, r.Patience))
		}
		if signalled.IsZero() || err == nil && now.Sub(signalled) >= signalRest {
			if err := r.Signal(ctx); err != nil {
				return stillAdmitted(err)
			}
			signalled = now
		}
		if err := r.Sleep(ctx, askRest); err != nil {
			return stillAdmitted(errors.Join(err, context.Cause(ctx)))
		}
	}
}

func (r Running) withDefaults() Running {
	if r.Patience == 0 {
		r.Patience = time.Minute
	}
	if r.Now == nil {
		r.Now = time.Now
	}
	if r.Sleep == nil {
		r.Sleep = sleep
	}
	return r
}

func stillAdmitted(err error) error {
	return fmt.Errorf("%w: %w", ErrStillAdmitted, err)
}

func late(err error, patience time.Duration) error {
	if err != nil {
		return err
	}
	return fmt.Errorf("the RADIUS server goes by another list of boards after %s", patience)
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Touch makes an exported FreeRADIUS configuration look new. After a HUP the
// server reads its list of boards again only if it sees such a file: once it has
// seen another one change, it passes over a new list for ever.
func Touch(dir string, now time.Time) error {
	return os.Chtimes(filepath.Join(dir, "radiusd.conf"), now, now)
}

// HUP sends a HUP to the process whose number stands in the file. A process that
// is no FreeRADIUS, which has the number of one that ended, is left alone: it
// would die of it.
func HUP(pidFile string) error {
	text, err := os.ReadFile(pidFile)
	if err != nil {
		return err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || pid <= 1 {
		return fmt.Errorf("%s: no process number", pidFile)
	}
	name, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "comm"))
	if err != nil {
		return fmt.Errorf("%s: process %d: %w", pidFile, pid, err)
	}
	if !slices.Contains([]string{"freeradius", "radiusd"}, strings.TrimSpace(string(name))) {
		return fmt.Errorf("%s: process %d is not FreeRADIUS but %.16q", pidFile, pid, strings.TrimSpace(string(name)))
	}
	process, err := os.FindProcess(pid)
	if err != nil {
		return err
	}
	return process.Signal(syscall.SIGHUP)
}
