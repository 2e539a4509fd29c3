package registry

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/tcpboot/tcpboot/pki/fleet"
)

// selectDevice reads a row per live credential of each board, and one row for a
// board without; $1 is the time that decides about graces, and so does a login with
// the credential that follows. A role that may not
// see NT hashes reads devices without them.
func (f *Fleet) selectDevice() string {
	if f.seesHashes {
		return selectDevice
	}
	return selectPublic
}

var selectPublic = strings.Replace(selectDevice, "c.nt_hash", "NULL", 1)

const selectDevice = `
SELECT d.mac, d.name, d.hardware, d.channel, d.vlan, d.eap, d.state, d.pin,
	d.loader_level, d.loader_key, d.loader_version, d.enrolled, d.changed, d.reason,
	c.serial, c.certificate, c.issuer, c.nt_hash, c.issued, c.until
FROM device d LEFT JOIN credential c ON c.mac = d.mac AND d.state = 'active'
	AND c.ended IS NULL AND (c.until IS NULL
		OR c.until > $1 AND NOT EXISTS (SELECT 1 FROM superseded s WHERE s.serial = c.serial))`

// Device returns what the registry knows of one board. The error wraps
// fleet.ErrUnknown when it was never enrolled; a revoked board is no error.
func (f *Fleet) Device(ctx context.Context, mac fleet.MAC) (fleet.Device, error) {
	return onlyDevice(mac.String(), deviceRows(ctx, f.db, f.selectDevice()+" WHERE d.mac = $2",
		timeText(f.now()), mac.String()))
}

// ByName returns the board of that name. A name is free again when its board is
// revoked, so a revoked board is not found by it.
func (f *Fleet) ByName(ctx context.Context, name string) (fleet.Device, error) {
	return onlyDevice(fmt.Sprintf("name %q", name), deviceRows(ctx, f.db,
		f.selectDevice()+" WHERE d.name = $2 AND d.name <> '' AND d.state <> 'revoked'", timeText(f.now()), name))
}

func onlyDevice(what string, devices iter.Seq2[fleet.Device, error]) (fleet.Device, error) {
	for d, err := range devices {
		return d, err
	}
	return fleet.Device{}, fmt.Errorf("%s: %w", what, fleet.ErrUnknown)
}

// Devices yields the boards that filter takes, ordered by MAC, as they stand
// when the loop begins. It holds one board at a time. After an error it yields
// no more.
func (f *Fleet) Devices(ctx context.Context, filter Filter) iter.Seq2[fleet.Device, error] {
	return func(yield func(fleet.Device, error) bool) {
		where, args := filter.where(f.dialect, timeText(f.now()))
		deviceRows(ctx, f.db, f.selectDevice()+where+" ORDER BY d.mac", args...)(yield)
	}
}

// Count returns how many boards filter takes.
func (f *Fleet) Count(ctx context.Context, filter Filter) (n int, err error) {
	where, args := filter.where(f.dialect)
	err = f.db.QueryRowContext(ctx, "SELECT count(*) FROM device d"+where, args...).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("registry: %w", err)
	}
	return n, nil
}

// deviceRows gathers the rows of each board into one Device.
func deviceRows(ctx context.Context, db querier, q string, args ...any) iter.Seq2[fleet.Device, error] {
	return func(yield func(fleet.Device, error) bool) {
		var d fleet.Device
		for next, err := range query(ctx, db, scanDevice, q, args...) {
			switch {
			case err != nil:
				yield(fleet.Device{}, err)
				return
			case next.MAC == d.MAC:
				d.Admissions = newestFirst(append(d.Admissions, next.Admissions...))
				continue
			case d.MAC != fleet.MAC{} && !yield(d, nil):
				return
			}
			d = next
		}
		if d.MAC != (fleet.MAC{}) {
			yield(d, nil)
		}
	}
}

// newestFirst orders the two credentials of a grace: the one without an end is
// the newer one.
func newestFirst(a []fleet.Admission) []fleet.Admission {
	if len(a) == 2 && !a[0].Until.IsZero() {
		a[0], a[1] = a[1], a[0]
	}
	return a
}

func scanDevice(rows *sql.Rows) (d fleet.Device, err error) {
	var mac, eap, pin, key, enrolled, changed string
	var a admissionRow
	err = rows.Scan(&mac, &d.Name, &d.Hardware, &d.Channel, &d.VLAN, &eap, &d.State, &pin,
		&d.Loader.Level, &key, &d.Loader.Version, &enrolled, &changed, &d.Reason,
		&a.serial, &a.certificate, &a.issuer, &a.ntHash, &a.issued, &a.until)
	if err != nil {
		return d, err
	}
	err = errors.Join(parseHex(d.MAC[:], mac), d.EAP.UnmarshalText([]byte(eap)), parsePin(&d.Pin, pin),
		parseDigest(&d.Loader.Key, key), parseTime(&d.Enrolled, enrolled), parseTime(&d.Changed, changed))
	if a.serial.Valid {
		var admission fleet.Admission
		admission, err = a.parse(err)
		d.Admissions = []fleet.Admission{admission}
	}
	if err != nil {
		return d, fmt.Errorf("device %s: %w", mac, err)
	}
	return d, nil
}

// An admissionRow is a credential's half of a row; all NULL when there is none.
type admissionRow struct {
	serial, certificate, issuer, ntHash, issued, until sql.NullString
}

func (r admissionRow) parse(before error) (a fleet.Admission, err error) {
	err = errors.Join(before, parseHex(a.Serial[:], r.serial.String), parseHex(a.Certificate[:], r.certificate.String),
		parseDigest(&a.Issuer, r.issuer.String), parseTime(&a.Issued, r.issued.String), parseOptionalTime(&a.Until, r.until))
	if r.ntHash.Valid {
		err = errors.Join(err, parseHex(a.NTHash[:], r.ntHash.String))
	}
	return a, err
}

// pinText is how a Pin lies in the database: nothing, or JSON, so that what a
// Pin may say can grow.
func pinText(p fleet.Pin) (string, error) {
	if p == (fleet.Pin{}) {
		return "", nil
	}
	b, err := json.Marshal(p)
	return string(b), err
}

func parsePin(into *fleet.Pin, s string) error {
	if s == "" {
		return nil
	}
	return json.Unmarshal([]byte(s), into)
}

// digestText is how a digest that there may be none of lies in the database:
// nothing, or hex.
func digestText(d fleet.Digest) string {
	if d == (fleet.Digest{}) {
		return ""
	}
	return d.Hex()
}

func parseDigest(into *fleet.Digest, s string) error {
	if s == "" {
		return nil
	}
	return parseHex(into[:], s)
}
