package registry

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/tcpboot/tcpboot/pki/fleet"
)

// A Renewal is a board's wish for a certificate, and what became of it. A server
// takes it, whoever holds the boards CA answers it.
type Renewal struct {
	MAC         fleet.MAC
	Asked       time.Time
	Key         fleet.Digest // of the public key to be certified
	Proved      fleet.Digest // of the certificate by which the board asked
	Request     []byte       // PKCS #10, DER
	Certificate []byte       // X.509, DER; nil: not issued yet
	Joined      time.Time    // when the board first proved itself with it; zero: not yet
}

// AskRenewal takes a board's wish and returns the answer to it, nil as long as
// there is none. A request for another key replaces the one before.
func (v *Visits) AskRenewal(ctx context.Context, r Renewal) (certificate []byte, err error) {
	_, err = v.db.ExecContext(ctx, `
		INSERT INTO renewal (mac, time, key, proved, request) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (mac) DO UPDATE SET time = $2, key = $3, proved = $4, request = $5, certificate = NULL, joined = NULL
		WHERE renewal.key <> $3`, r.MAC.String(), timeText(r.Asked), r.Key.Hex(), r.Proved.Hex(), r.Request)
	if err == nil {
		err = v.db.QueryRowContext(ctx, "SELECT certificate FROM renewal WHERE mac = $1", r.MAC.String()).Scan(&certificate)
	}
	if err != nil {
		return nil, fmt.Errorf("renewal of %s: %w", r.MAC, err)
	}
	return certificate, nil
}

// Renewals yields them, ordered by MAC. After an error it yields no more.
func (v *Visits) Renewals(ctx context.Context) iter.Seq2[Renewal, error] {
	return query(ctx, v.db, scanRenewal, "SELECT mac, time, key, proved, request, certificate, joined FROM renewal ORDER BY mac")
}

func scanRenewal(rows *sql.Rows) (r Renewal, err error) {
	var mac, asked, key, proved string
	var joined sql.NullString
	if err = rows.Scan(&mac, &asked, &key, &proved, &r.Request, &r.Certificate, &joined); err != nil {
		return r, err
	}
	err = errors.Join(parseHex(r.MAC[:], mac), parseTime(&r.Asked, asked), parseHex(r.Key[:], key), parseHex(r.Proved[:], proved))
	if joined.Valid {
		err = errors.Join(err, parseTime(&r.Joined, joined.String))
	}
	return r, err
}

// AnswerRenewal puts the certificate beside the request that it answers. It is
// handed out once the registry admits it. A board that has asked otherwise
// meanwhile gets nothing.
func (v *Visits) AnswerRenewal(ctx context.Context, r Renewal) error {
	return v.renewal(ctx, r.MAC, "UPDATE renewal SET certificate = $1 WHERE mac = $2 AND key = $3", r.Certificate, r.MAC.String(), r.Key.Hex())
}

// JoinRenewal remembers that a board proved itself with a certificate that it had
// asked for. Of any other it remembers nothing.
func (v *Visits) JoinRenewal(ctx context.Context, mac fleet.MAC, certificate []byte, now time.Time) error {
	return v.renewal(ctx, mac, "UPDATE renewal SET joined = $1 WHERE mac = $2 AND certificate = $3 AND joined IS NULL", timeText(now), mac.String(), certificate)
}

// EndRenewal forgets a request.
func (v *Visits) EndRenewal(ctx context.Context, r Renewal) error {
	return v.renewal(ctx, r.MAC, "DELETE FROM renewal WHERE mac = $1 AND key = $2", r.MAC.String(), r.Key.Hex())
}

func (v *Visits) renewal(ctx context.Context, mac fleet.MAC, statement string, args ...any) error {
	if _, err := v.db.ExecContext(ctx, statement, args...); err != nil {
		return fmt.Errorf("renewal of %s: %w", mac, err)
	}
	return nil
}

// ErrNotInForce says that a board does not have the credential that it is said to.
var ErrNotInForce = errors.New("the certificate by which it asked is not in force")

// Renew gives an Active board a new credential beside the one with the certificate
// keep, which stays good for grace: the board asked by it, so it is the one that
// the board has. Whatever else the board had ends at once: it may be one whose
// answer never arrived.
func (f *Fleet) Renew(ctx context.Context, mac fleet.MAC, a fleet.Admission, keep fleet.Digest, grace time.Duration) error {
	return f.write(ctx, func(w *writer) error {
		s, err := w.state(mac)
		switch {
		case err != nil:
			return err
		case s.state != fleet.Active:
			return &StateError{mac, s.state, "renew"}
		}
		if err := checkAdmission(a, s.eap); err != nil {
			return fmt.Errorf("%s: %w", mac, err)
		}
		return w.renew(mac, a, keep, w.now.Add(grace))
	})
}

func (w *writer) renew(mac fleet.MAC, a fleet.Admission, keep fleet.Digest, until time.Time) error {
	_, err := w.exec("UPDATE credential SET ended = $1, reason = $2, nt_hash = NULL WHERE mac = $3 AND ended IS NULL AND certificate <> $4",
		w.at, replaced, mac.String(), keep.Hex())
	if err != nil {
		return err
	}
	n, err := w.exec("UPDATE credential SET until = $1, reason = $2 WHERE mac = $3 AND ended IS NULL", timeText(until), renewed, mac.String())
	switch {
	case err != nil:
		return err
	case n == 0:
		return fmt.Errorf("%s: %w", mac, ErrNotInForce)
	}
	if err := w.addCredential(mac, a); err != nil {
		return err
	}
	if _, err := w.exec("UPDATE device SET changed = $1 WHERE mac = $2", w.at, mac.String()); err != nil {
		return err
	}
	w.touch(mac)
	return w.audit("credential.renew", mac.String(), rotateDetail{Reason: renewed, Serial: a.Serial.String(), Certificate: a.Certificate, Until: until})
}

// Supersede ends what an Active board still has of older credentials, when the
// newest has that certificate: the board was seen with it. Otherwise it does
// nothing.
func (f *Fleet) Supersede(ctx context.Context, mac fleet.MAC, certificate fleet.Digest) error {
	const older = `
		SELECT old.mac, old.serial, old.until FROM credential old JOIN credential new ON new.mac = old.mac
		WHERE old.mac = $1 AND old.ended IS NULL AND old.until IS NOT NULL
			AND new.ended IS NULL AND new.until IS NULL AND new.certificate = $2`
	return f.write(ctx, func(w *writer) error {
		var all []ending
		for e, err := range query(w.ctx, w.tx, scanEnding, older, mac.String(), certificate.Hex()) {
			if err != nil {
				return err
			}
			all = append(all, e)
		}
		for _, e := range all {
			if err := w.endGrace(e, "credential.supersede"); err != nil {
				return err
			}
		}
		return nil
	})
}
