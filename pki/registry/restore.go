package registry

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/tcpboot/tcpboot/pki"
	"github.com/tcpboot/tcpboot/pki/fleet"
)

// Later is what is known of a site's life after the backup of its registry that
// is restored.
type Later struct {
	Mark                  // from what bears one: manifests, a CRL, a file beside the database
	Dead []pki.Revocation // what the newest CRL lists
}

// Restored is what a restore has found out.
type Restored struct {
	Revoked []fleet.MAC `json:"revoked"` // boards that were revoked after the backup
	Rotated []fleet.MAC `json:"rotated"` // boards whose new credential is not known: rotate them
	Strays  int         `json:"strays"`  // dead serials of credentials that the backup does not know
	Head    Head        `json:"head"`
}

// Room is how many numbers a restored registry leaves free above the highest that
// is known to have been given: what nobody knows may have been given too.
const Room = 1000

// restored is the action of the audit row behind which the trail goes on after a
// restore.
const restored = "site.restore"

// restoreDetail says which rows are lost: those behind Backup.
type restoreDetail struct {
	Backup Head   `json:"backup"` // the last row there is
	Known  Head   `json:"known"`  // the last row that was known of
	CRL    uint64 `json:"crl"`    // the newest that was known of
}

// Restore makes a registry that comes out of a backup the site's registry again,
// in one transaction. Nothing comes back to life: each serial of later.Dead ends,
// with its board, unless the CRL says that the board got another credential in its
// place. That one is not known; the board stays Active without a credential until
// it is rotated. A dead serial of a credential that was issued after the backup
// stays on the CRL.
//
// The trail goes on behind the last row that is known of, Room further, and so do
// the numbers of CRLs and releases. The row that says so, "site.restore", follows
// the last row of the backup; what is between them is lost, see [Fleet.Losses].
func (f *Fleet) Restore(ctx context.Context, later Later) (r Restored, err error) {
	untouched := *f
	untouched.endsGraces = false // rows of graces that ended would bear numbers that were given
	err = untouched.write(ctx, func(w *writer) error {
		b := &burial{w, Restored{Revoked: []fleet.MAC{}, Rotated: []fleet.MAC{}}, make(map[fleet.MAC]bool)}
		if err := w.goOn(later.Mark); err != nil {
			return err
		}
		for _, dead := range later.Dead {
			if err := cancelled(ctx, b.bury(dead)); err != nil {
				return err
			}
		}
		if err := w.keepNumbers(later.Mark); err != nil {
			return err
		}
		r, r.Head = b.found, w.head
		return nil
	})
	return r, err
}

// goOn continues the trail where no row has ever been.
func (w *writer) goOn(m Mark) error {
	last, known := w.head, w.head
	if m.Head.Sequence > known.Sequence {
		known = m.Head
	}
	if known.Sequence > maxNumber {
		return fmt.Errorf("registry: audit row %d: want at most %d", known.Sequence, uint64(maxNumber))
	}
	w.head.Sequence = known.Sequence + Room
	return w.audit(restored, "", restoreDetail{last, known, m.CRL})
}

// A burial ends what a CRL calls dead.
type burial struct {
	*writer
	found Restored
	bare  map[fleet.MAC]bool // boards that are left without a credential
}

// bury ends a credential, and its board when that is dead too.
func (b *burial) bury(dead pki.Revocation) error {
	var text string
	var ended sql.NullString
	err := b.row("SELECT mac, ended FROM credential WHERE serial = $1", dead.Serial.String()).Scan(&text, &ended)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return b.addStray(dead)
	case err != nil:
		return fmt.Errorf("registry: credential %s: %w", dead.Serial, err)
	}
	var mac fleet.MAC
	if err := parseHex(mac[:], text); err != nil {
		return err
	}
	s, err := b.state(mac)
	switch {
	case errors.As(err, new(*RevokedError)):
		return nil
	case err != nil:
		return err
	case dead.Final:
		b.found.Revoked = append(b.found.Revoked, mac)
		return b.revoke(mac, dead.Reason)
	case ended.Valid:
		return nil
	}
	return b.endOne(mac, dead, s.state == fleet.Active)
}

// endOne ends the one credential, at the time that the CRL says.
func (b *burial) endOne(mac fleet.MAC, dead pki.Revocation, active bool) error {
	_, err := b.exec("UPDATE credential SET ended = $1, reason = $2, nt_hash = NULL WHERE serial = $3",
		timeText(dead.Time), dead.Reason, dead.Serial.String())
	if err != nil {
		return err
	}
	var live int
	if err := b.row("SELECT count(*) FROM credential WHERE mac = $1 AND ended IS NULL AND until IS NULL", mac.String()).Scan(&live); err != nil {
		return fmt.Errorf("registry: %s: %w", mac, err)
	}
	if active && live == 0 && !b.bare[mac] {
		b.bare[mac] = true
		b.found.Rotated = append(b.found.Rotated, mac)
	}
	b.touch(mac)
	return b.audit("credential.end", mac.String(), map[string]string{"serial": dead.Serial.String(), "reason": dead.Reason})
}

func (b *burial) addStray(dead pki.Revocation) error {
	rows, err := b.exec("INSERT INTO stray (serial, ended, reason, issuer, final) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
		dead.Serial.String(), timeText(dead.Time), dead.Reason, digestText(dead.Issuer), dead.Final)
	b.found.Strays += int(rows)
	return err
}

// keepNumbers sees to it that no number is given twice. What was never counted
// stays uncounted; that begins at one.
func (w *writer) keepNumbers(m Mark) error {
	have := Mark{}
	if err := have.readNumbers(w.ctx, w.tx); err != nil {
		return err
	}
	have.Reach(m)
	for hardware, n := range have.Counters {
		if _, err := w.exec(giveCounter, hardware, int64(min(uint64(n)+Room, maxCounter))); err != nil {
			return err
		}
	}
	for hardware, sequences := range have.Sequences {
		for channel, n := range sequences {
			if _, err := w.exec(giveSequence, hardware, channel, int64(min(n+Room, maxNumber))); err != nil {
				return err
			}
		}
	}
	return w.keepCRL(m)
}

// keepCRL leaves a CRL behind that nobody signed: the next one has a higher number
// and a later date than any that was.
func (w *writer) keepCRL(m Mark) error {
	number, date, err := w.lastCRL()
	if err != nil {
		return err
	}
	number, date = max(number, m.CRL), latest(date, m.CRLDate)
	if number == 0 || number > maxNumber {
		return nil
	}
	_, err = w.exec("INSERT INTO crl (number, this_update) VALUES ($1, $2)", int64(number+Room), timeText(date))
	return err
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// A Loss is a piece of the audit trail that a restore has given up.
type Loss struct {
	First uint64    `json:"first"` // row, and Last is one too
	Last  uint64    `json:"last"`
	Time  time.Time `json:"time"` // of the restore
	Who   string    `json:"who"`
}

// Losses returns what restores have given up, oldest first.
func (f *Fleet) Losses(ctx context.Context) (losses []Loss, err error) {
	const restores = "SELECT sequence, time, who, action, subject, detail, prev, hash FROM audit WHERE action = '" + restored + "' ORDER BY sequence"
	for r, err := range query(ctx, f.db, scanAudit, restores) {
		if err != nil {
			return nil, err
		}
		d, err := r.restore()
		if err != nil {
			return nil, err
		}
		losses = append(losses, Loss{d.Backup.Sequence + 1, r.Sequence - 1, r.Time, r.Who})
	}
	return losses, nil
}

func (r Row) restore() (d restoreDetail, err error) {
	if err := json.Unmarshal(r.Detail, &d); err != nil {
		return d, &BrokenError{r.Sequence, fmt.Sprintf("unreadable: %v", err)}
	}
	return d, nil
}

// Follows reports whether r is the row behind h: that of the next number, or a
// later one that tells of a restore.
func (r Row) Follows(h Head) bool {
	return r.Prev == h.Hash && (r.Sequence == h.Sequence+1 || r.Action == restored && r.Sequence > h.Sequence)
}
