package registry

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/tcpboot/tcpboot/pki/fleet"
)

// An Entry is one board to add: its attributes, and the public half of the
// credential issued for it.
type Entry struct {
	Device    fleet.Device // State, Admissions, times and Reason are not looked at
	Admission fleet.Admission
}

// Add enters a batch of boards as Pending, in one transaction: all or none. A
// board that is Pending already is entered anew, and the credential it had ends.
// Otherwise the error is a *StateError, a *RevokedError or a *NameTakenError.
func (f *Fleet) Add(ctx context.Context, entries []Entry) error {
	seen := make(map[fleet.MAC]bool, len(entries))
	for _, e := range entries {
		err := errors.Join(checkDevice(e.Device), checkAdmission(e.Admission, e.Device.EAP))
		if err != nil {
			return fmt.Errorf("%s: %w", e.Device.MAC, err)
		}
		if seen[e.Device.MAC] {
			return twice(e.Device.MAC)
		}
		seen[e.Device.MAC] = true
	}
	return f.write(ctx, func(w *writer) error {
		for _, e := range entries {
			if err := cancelled(ctx, w.add(e)); err != nil {
				return err
			}
		}
		return nil
	})
}

// cancelled is err, or why ctx ended.
func cancelled(ctx context.Context, err error) error {
	if err == nil {
		return ctx.Err()
	}
	return err
}

func twice(mac fleet.MAC) error { return fmt.Errorf("%s: twice in one batch", mac) }

// checkAdmission refuses what the database must not hold: a serial that others
// would print differently, and a login that no method asks for.
func checkAdmission(a fleet.Admission, eap fleet.EAP) error {
	switch {
	case a.Serial[0] == 0:
		return errors.New("credential: serial begins with a zero byte")
	case a.Certificate == fleet.Digest{}:
		return errors.New("credential: no certificate")
	case !a.NTHash.IsZero() && !eap.UsesPassword():
		return fmt.Errorf("credential: an NT hash, where %s asks for no password", eap)
	}
	return nil
}

// addDetail and the other details are what the trail says about a change.
type addDetail struct {
	Name        string       `json:"name,omitempty"`
	Hardware    string       `json:"hardware"`
	Channel     string       `json:"channel"`
	VLAN        fleet.VLAN   `json:"vlan,omitempty"`
	EAP         string       `json:"eap"`
	Serial      string       `json:"serial"`
	Certificate fleet.Digest `json:"certificate"`
}

func (w *writer) add(e Entry) error {
	d, a := e.Device, e.Admission
	rows, err := w.addDevice(insertDevice, d)
	if err == nil && rows == 0 {
		err = w.addAnew(d)
	}
	if err != nil {
		return err
	}
	if err := w.addCredential(d.MAC, a); err != nil {
		return err
	}
	return w.audit("device.add", d.MAC.String(), addDetail{d.Name, d.Hardware, d.Channel, d.VLAN,
		d.EAP.String(), a.Serial.String(), a.Certificate})
}

const insertDevice = `
INSERT INTO device (mac, name, hardware, channel, vlan, eap, state, pin, loader_level, loader_key, loader_version,
	session, enrolled, changed, reason)
VALUES ($1, $2, $3, $4, $5, $6, 'pending', $7, $8, $9, $10, $11, $12, $12, '')
ON CONFLICT DO NOTHING`

const replaceDevice = `
UPDATE device SET name = $2, hardware = $3, channel = $4, vlan = $5, eap = $6, pin = $7, loader_level = $8,
	loader_key = $9, loader_version = $10, session = $11, enrolled = $12, changed = $12
WHERE mac = $1 AND state = 'pending'`

func (w *writer) addDevice(statement string, d fleet.Device) (rows int64, err error) {
	pin, err := pinText(d.Pin)
	if err != nil {
		return 0, err
	}
	return w.exec(statement, d.MAC.String(), d.Name, d.Hardware, d.Channel, int64(d.VLAN), d.EAP.String(), pin,
		int64(d.Loader.Level), digestText(d.Loader.Key), d.Loader.Version, w.session, w.at)
}

// addAnew is for a board whose MAC or name is there already. It replaces one that
// is Pending, and ends the credential that was never activated: its certificate
// may exist somewhere.
func (w *writer) addAnew(d fleet.Device) error {
	if err := w.nameFree(d.MAC, d.Name); err != nil {
		return err
	}
	rows, err := w.addDevice(replaceDevice, d)
	switch {
	case err != nil:
		return err
	case rows == 0:
		return w.refuse(d.MAC, "add")
	}
	return w.endCredentials(d.MAC, replaced)
}

// nameFree returns a *NameTakenError when another board has the name.
func (w *writer) nameFree(mac fleet.MAC, name string) error {
	e := &NameTakenError{MAC: mac, Name: name}
	var owner string
	err := w.row("SELECT mac FROM device WHERE name = $1 AND name <> '' AND state <> 'revoked' AND mac <> $2", name, mac.String()).Scan(&owner)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil
	case err != nil:
		return fmt.Errorf("registry: %w", err)
	}
	return errors.Join(parseHex(e.Owner[:], owner), e)
}

// refuse returns the error of changing a board that is not in the state for it.
func (w *writer) refuse(mac fleet.MAC, verb string) error {
	d, err := w.state(mac)
	if err != nil {
		return err
	}
	return &StateError{mac, d.state, verb}
}

// A standing is where a board that is not revoked stands.
type standing struct {
	state fleet.State
	eap   fleet.EAP
}

// state returns where a board stands. The error wraps fleet.ErrUnknown, or is a
// *RevokedError.
func (w *writer) state(mac fleet.MAC) (s standing, err error) {
	var eap, reason string
	var at sql.NullString
	err = w.row("SELECT state, eap, revoked, reason FROM device WHERE mac = $1", mac.String()).Scan(&s.state, &eap, &at, &reason)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return s, fmt.Errorf("%s: %w", mac, fleet.ErrUnknown)
	case err != nil:
		return s, fmt.Errorf("registry: %s: %w", mac, err)
	case at.Valid:
		var revoked time.Time
		err = parseTime(&revoked, at.String)
		return s, errors.Join(err, &RevokedError{mac, revoked, reason})
	}
	err = s.eap.UnmarshalText([]byte(eap))
	return s, err
}
