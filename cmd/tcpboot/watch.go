package main

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// calm is how often boards that wait are asked about again while somebody
// changes devices without end: an enrolment of a million must not wake all of
// them every second.
const calm = 3 * time.Second

// A watch looks at the site every now and then, tells of a fault once, and says
// when to ask again for the boards that wait.
type watch struct {
	shelf *shelf
	log   *slog.Logger
	fault string
	stale bool
	last  time.Time // when it said so
}

// look reports whether boards that wait may have something now. What is offered
// they get at once; a change of devices within calm of the last one is put off.
func (w *watch) look(ctx context.Context, now time.Time) (recheck bool) {
	judged := w.shelf.ledger.judge(ctx, w.shelf.offered, w.shelf.now.Load().catalog, now)
	changed, err := w.shelf.refresh(ctx)
	w.tell(errors.Join(judged, err))
	w.stale = w.stale || changed != nothing
	if !w.stale || changed < offers && now.Sub(w.last) < calm {
		return false
	}
	w.stale, w.last = false, now
	return true
}

// tell logs a fault when it begins, when it becomes another, and when it is over.
func (w *watch) tell(err error) {
	fault := ""
	if err != nil {
		fault = err.Error()
	}
	if fault == w.fault {
		return
	}
	w.fault = fault
	if err != nil {
		w.log.Error("cannot read all of the site: serving what was read before", "error", err)
	} else {
		w.log.Info("all of the site can be read again")
	}
}
