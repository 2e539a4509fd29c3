package registry

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// CRLNumber gives the next CRL its number. sign gets that number and the
// thisUpdate of the CRL before, zero when there was none, makes the CRL and
// returns its thisUpdate, which must be later. When sign fails the number stays
// free. The CRL may be shown to others only after CRLNumber returned nil, else
// two could bear one number.
//
// sign runs under the write lock: what it reads from the registry is what the
// CRL's number will stand for, and it must not change the registry itself.
func (f *Fleet) CRLNumber(ctx context.Context, sign func(number uint64, previous time.Time) (thisUpdate time.Time, err error)) error {
	return f.write(ctx, func(w *writer) error {
		last, previous, err := w.lastCRL()
		if err != nil {
			return err
		}
		thisUpdate, err := sign(last+1, previous)
		switch {
		case err != nil:
			return err
		case !thisUpdate.After(previous):
			return fmt.Errorf("CRL %d: its date %s is not after that of the one before, %s", last+1,
				thisUpdate.Format(time.RFC3339), previous.Format(time.RFC3339))
		}
		_, err = w.exec("INSERT INTO crl (number, this_update) VALUES ($1, $2)", int64(last+1), timeText(thisUpdate))
		if err != nil {
			return err
		}
		return w.audit("crl.sign", strconv.FormatUint(last+1, 10), map[string]time.Time{"this_update": thisUpdate.UTC()})
	})
}

func (w *writer) lastCRL() (number uint64, thisUpdate time.Time, err error) {
	return lastCRL(w.ctx, w.tx)
}

func lastCRL(ctx context.Context, db querier) (number uint64, thisUpdate time.Time, err error) {
	var at string
	err = db.QueryRowContext(ctx, "SELECT number, this_update FROM crl ORDER BY number DESC LIMIT 1").Scan(&number, &at)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return 0, time.Time{}, nil
	case err != nil:
		return 0, time.Time{}, fmt.Errorf("registry: %w", err)
	}
	err = parseTime(&thisUpdate, at)
	return number, thisUpdate, err
}
