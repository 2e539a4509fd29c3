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
	replaced = "replaced" // while its board was Pending, or before it was ever used
	renewed  = "renewed"  // by the board itself
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
	return w.addCredentials(w.ctx, []Entry{{fleet.Device{MAC: mac}, a}})
}

// addCredentials adds those of the entries.
func (w *writer) addCredentials(ctx context.Context, entries []Entry) error {
	rows := make([][]any, len(entries))
	for i, e := range entries {
		var hash any
		if a := e.Admission; !a.NTHash.IsZero() {
			hash = a.NTHash.Hex()
		}
		rows[i] = []any{e.Admission.Serial.String(), e.Device.MAC.String(), e.Admission.Certificate.Hex(), digestText(e.Admission.Issuer), hash, timeText(e.Admission.Issued)}
	}
	err := w.insertMany(ctx, "INSERT INTO credential (serial, mac, certificate, issuer, nt_hash, issued) VALUES", "(?, ?, ?, ?, ?, ?)", rows)
	if err != nil && len(entries) == 1 {
		return fmt.Errorf("%s: credential %s: %w", entries[0].Device.MAC, entries[0].Admission.Serial, err)
	}
	return err
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

// Expire ends the credentials whose grace is over, by time or because the board
// was seen with the one that follows, and erases their NT hashes. They admit nobody
// from the end of the grace on in any case, and every other change does the same
// first.
func (f *Fleet) Expire(ctx context.Context) error {
	return f.write(ctx, func(*writer) error { return nil })
}

// An ending is a credential in its grace, and when that is over.
type ending struct{ mac, serial, at string }

func scanEnding(rows *sql.Rows) (e ending, err error) {
	err = rows.Scan(&e.mac, &e.serial, &e.at)
	return e, err
}

// Both find their rows by an index of those alone.
const (
	endedByTime  = "SELECT mac, serial, until FROM credential WHERE ended IS NULL AND until IS NOT NULL AND until <= $1"
	endedByLogin = "SELECT mac, serial, seen FROM superseded WHERE until > $1"
)

func (w *writer) expire() error {
	for _, why := range []struct{ query, action string }{{endedByTime, "credential.expire"}, {endedByLogin, "credential.supersede"}} {
		var all []ending
		for e, err := range query(w.ctx, w.tx, scanEnding, why.query, w.at) {
			if err != nil {
				return err
			}
			all = append(all, e)
		}
		for _, e := range all {
			if err := w.endGrace(e, why.action); err != nil {
				return err
			}
		}
	}
	return nil
}

// endGrace ends one credential, as of a time that is not after now.
func (w *writer) endGrace(e ending, action string) error {
	_, err := w.exec("UPDATE credential SET ended = $1, nt_hash = NULL WHERE serial = $2", min(e.at, w.at), e.serial)
	if err != nil {
		return err
	}
	if _, err := w.exec("UPDATE login SET fresh = FALSE WHERE mac = $1 AND fresh", e.mac); err != nil {
		return err
	}
	var mac fleet.MAC
	if err := parseHex(mac[:], e.mac); err != nil {
		return err
	}
	w.touch(mac)
	return w.audit(action, e.mac, map[string]string{"serial": e.serial})
}

// dead are the serials that were given and admit no longer, also those whose end
// nobody has swept up yet.
const dead = `(
	SELECT c.serial, c.ended, c.reason, c.issuer, d.state = 'revoked' AS final
	FROM credential c JOIN device d ON d.mac = c.mac WHERE c.ended IS NOT NULL
	UNION ALL
	SELECT serial, until, reason, issuer, false FROM credential WHERE ended IS NULL AND until IS NOT NULL AND until <= $1
	UNION ALL
	SELECT serial, seen, reason, issuer, false FROM superseded WHERE until > $1
	UNION ALL
	SELECT serial, ended, reason, issuer, final FROM stray
) AS dead`

// Revocations yields every serial that was issued and admits no longer, in
// serial order: what a CRL lists. After an error it yields no more.
func (f *Fleet) Revocations(ctx context.Context) iter.Seq2[pki.Revocation, error] {
	return query(ctx, f.db, scanRevocation, "SELECT * FROM "+dead+" ORDER BY serial", timeText(f.now()))
}

// Revocation says when and why the credential with that serial ended; nil while it
// admits. The error wraps fleet.ErrUnknown when no board ever got it, or its board
// is not active yet.
func (f *Fleet) Revocation(ctx context.Context, serial fleet.Serial) (*pki.Revocation, error) {
	for r, err := range query(ctx, f.db, scanRevocation, "SELECT * FROM "+dead+" WHERE serial = $2", timeText(f.now()), serial.String()) {
		if err != nil {
			return nil, err
		}
		return &r, nil
	}
	var state fleet.State
	err := f.db.QueryRowContext(ctx, "SELECT d.state FROM credential c JOIN device d ON d.mac = c.mac WHERE c.serial = $1",
		serial.String()).Scan(&state)
	switch {
	case errors.Is(err, sql.ErrNoRows) || err == nil && state == fleet.Pending:
		return nil, fmt.Errorf("serial %s: %w", serial, fleet.ErrUnknown)
	case err != nil:
		return nil, fmt.Errorf("registry: %w", err)
	}
	return nil, nil
}

func scanRevocation(rows *sql.Rows) (r pki.Revocation, err error) {
	var serial, at, issuer string
	if err = rows.Scan(&serial, &at, &r.Reason, &issuer, &r.Final); err != nil {
		return r, err
	}
	err = errors.Join(parseHex(r.Serial[:], serial), parseTime(&r.Time, at), parseDigest(&r.Issuer, issuer))
	return r, err
}

// Live counts the credentials by the CAs of those keys that admit, or will when
// their board is activated.
func (f *Fleet) Live(ctx context.Context, issuers ...fleet.Digest) (n int, err error) {
	keys := make([]string, len(issuers))
	for i, d := range issuers {
		keys[i] = digestText(d)
	}
	err = f.db.QueryRowContext(ctx, f.countLive(), timeText(f.now()), f.list(keys)).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("registry: %w", err)
	}
	return n, nil
}

func (d *dialect) countLive() string {
	return "SELECT count(*) FROM credential WHERE ended IS NULL AND (until IS NULL OR until > $1) AND " + d.in("issuer", "$2")
}
