package registry

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/tcpboot/tcpboot/pki"
	"github.com/tcpboot/tcpboot/pki/fleet"
)

// Why a credential ended, where nobody gave a reason.
const (
	rotated  = "rotated"
	replaced = "replaced" // while its board was Pending
)

// Rotate gives an Active board a new credential. The one it had ends at once,
// or after a grace during which both admit; an older one still in its grace ends
// at once. After "lost" or "stolen" there is no grace: the finder has the old
// one. The empty reason is "rotated".
func (f *Fleet) Rotate(ctx context.Context, mac fleet.MAC, a fleet.Admission, reason string, grace time.Duration) error {
	if reason == "" {
		reason = rotated
	}
	switch {
	case grace < 0:
		return fmt.Errorf("%s: a grace of %s", mac, grace)
	case grace > 0 && (strings.EqualFold(reason, "lost") || strings.EqualFold(reason, "stolen")):
		return fmt.Errorf("%s: no grace for a %s board: whoever has it could use it", mac, reason)
	}
	if err := checkText("reason", reason); err != nil {
		return err
	}
	return f.write(ctx, func(w *writer) error {
		return w.rotate(mac, a, reason, grace)
	})
}

type rotateDetail struct {
	Reason      string       `json:"reason"`
	Serial      string       `json:"serial"`
	Certificate fleet.Digest `json:"certificate"`
	Until       time.Time    `json:"until,omitzero"` // of the old one
}

func (w *writer) rotate(mac fleet.MAC, a fleet.Admission, reason string, grace time.Duration) error {
	s, err := w.state(mac)
	switch {
	case err != nil:
		return err
	case s.state != fleet.Active:
		return &StateError{mac, s.state, "rotate"}
	}
	if err := checkAdmission(a, s.eap); err != nil {
		return fmt.Errorf("%s: %w", mac, err)
	}
	detail := rotateDetail{Reason: reason, Serial: a.Serial.String(), Certificate: a.Certificate}
	if grace > 0 {
		detail.Until = w.now.Add(grace)
		err = w.startGrace(mac, reason, detail.Until)
	} else {
		err = w.endCredentials(mac, reason)
	}
	if err != nil {
		return err
	}
	if err := w.addCredential(mac, a); err != nil {
		return err
	}
	if _, err := w.exec("UPDATE device SET changed = $1 WHERE mac = $2", w.at, mac.String()); err != nil {
		return err
	}
	w.touch(mac)
	return w.audit("credential.rotate", mac.String(), detail)
}

func (w *writer) addCredential(mac fleet.MAC, a fleet.Admission) error {
	var hash any
	if !a.NTHash.IsZero() {
		hash = a.NTHash.Hex()
	}
	_, err := w.exec("INSERT INTO credential (serial, mac, certificate, nt_hash, issued) VALUES ($1, $2, $3, $4, $5)",
		a.Serial.String(), mac.String(), a.Certificate.Hex(), hash, timeText(a.Issued))
	if err != nil {
		return fmt.Errorf("%s: credential %s: %w", mac, a.Serial, err)
	}
	return nil
}

// endCredentials ends all credentials of a board now.
func (w *writer) endCredentials(mac fleet.MAC, reason string) error {
	_, err := w.exec("UPDATE credential SET ended = $1, reason = $2, nt_hash = NULL WHERE mac = $3 AND ended IS NULL",
		w.at, reason, mac.String())
	return err
}

// startGrace ends a credential that is in its grace, and begins that of the
// present one.
func (w *writer) startGrace(mac fleet.MAC, reason string, until time.Time) error {
	_, err := w.exec("UPDATE credential SET ended = $1, nt_hash = NULL WHERE mac = $2 AND ended IS NULL AND until IS NOT NULL",
		w.at, mac.String())
	if err != nil {
		return err
	}
	_, err = w.exec("UPDATE credential SET until = $1, reason = $2 WHERE mac = $3 AND ended IS NULL",
		timeText(until), reason, mac.String())
	return err
}

// Expire ends the credentials whose grace is over, and erases their NT hashes.
// They admit nobody from the end of the grace on in any case, and every other
// change does the same first.
func (f *Fleet) Expire(ctx context.Context) error {
	return f.write(ctx, func(*writer) error { return nil })
}

func (w *writer) expire() error {
	type expired struct{ mac, serial string }
	scan := func(rows *sql.Rows) (e expired, err error) {
		err = rows.Scan(&e.mac, &e.serial)
		return e, err
	}
	var all []expired
	for e, err := range query(w.ctx, w.tx, scan,
		"SELECT mac, serial FROM credential WHERE ended IS NULL AND until IS NOT NULL AND until <= $1", w.at) {
		if err != nil {
			return err
		}
		all = append(all, e)
	}
	for _, e := range all {
		_, err := w.exec("UPDATE credential SET ended = until, nt_hash = NULL WHERE serial = $1", e.serial)
		if err != nil {
			return err
		}
		var mac fleet.MAC
		if err := parseHex(mac[:], e.mac); err != nil {
			return err
		}
		w.touch(mac)
		if err := w.audit("credential.expire", e.mac, map[string]string{"serial": e.serial}); err != nil {
			return err
		}
	}
	return nil
}

// Revocations yields every serial that was issued and admits no longer, in
// serial order: what a CRL lists. After an error it yields no more.
func (f *Fleet) Revocations(ctx context.Context) iter.Seq2[pki.Revocation, error] {
	return query(ctx, f.db, scanRevocation, `
		SELECT serial, ended, reason FROM credential WHERE ended IS NOT NULL
		UNION ALL
		SELECT serial, until, reason FROM credential WHERE ended IS NULL AND until IS NOT NULL AND until <= $1
		ORDER BY serial`, timeText(f.now()))
}

// Revocation returns nil for a certificate that admits, one in its grace among
// them, or when and why it ceased to. The error wraps fleet.ErrUnknown for a
// serial that was never issued, or whose board is not active yet.
func (f *Fleet) Revocation(ctx context.Context, serial fleet.Serial) (*pki.Revocation, error) {
	var state fleet.State
	var until, ended, reason sql.NullString
	err := f.db.QueryRowContext(ctx, `
		SELECT d.state, c.until, c.ended, c.reason FROM credential c JOIN device d ON d.mac = c.mac
		WHERE c.serial = $1`, serial.String()).Scan(&state, &until, &ended, &reason)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("registry: %w", err)
	}
	if err != nil || state == fleet.Pending && !ended.Valid {
		return nil, fmt.Errorf("serial %s: %w", serial, fleet.ErrUnknown)
	}
	if !ended.Valid && until.Valid && until.String <= timeText(f.now()) {
		ended = until // nobody has swept it yet
	}
	if !ended.Valid {
		return nil, nil
	}
	r := &pki.Revocation{Serial: serial, Reason: reason.String}
	return r, parseTime(&r.Time, ended.String)
}

func scanRevocation(rows *sql.Rows) (r pki.Revocation, err error) {
	var serial, at string
	if err = rows.Scan(&serial, &at, &r.Reason); err != nil {
		return r, err
	}
	err = errors.Join(parseHex(r.Serial[:], serial), parseTime(&r.Time, at))
	return r, err
}
