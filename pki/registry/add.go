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
	return f.write(ctx, func(w *writer) error { return w.addAll(ctx, entries) })
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

// addAll adds the boards whose MAC and name are new many at a time, and the
// others one by one.
func (w *writer) addAll(ctx context.Context, entries []Entry) error {
	taken, err := w.taken(entries)
	if err != nil {
		return err
	}
	var fresh [][]any
	for _, e := range entries {
		if taken(e.Device) {
			continue
		}
		row, err := w.deviceRow(e.Device)
		if err != nil {
			return err
		}
		fresh = append(fresh, row)
	}
	if err := w.insertMany(ctx, insertDevice+" VALUES", deviceTuple, fresh); err != nil {
		return err
	}
	for _, e := range entries {
		if !taken(e.Device) {
			continue
		}
		if err := cancelled(ctx, w.addOne(e.Device)); err != nil {
			return err
		}
	}
	if err := w.addCredentials(ctx, entries); err != nil {
		return err
	}
	for _, e := range entries {
		d, a := e.Device, e.Admission
		err := w.audit("device.add", d.MAC.String(), addDetail{d.Name, d.Hardware, d.Channel, d.VLAN,
			d.EAP.String(), a.Serial.String(), a.Certificate})
		if err != nil {
			return err
		}
	}
	return nil
}

// taken tells the boards whose MAC is there already, or whose name is, or stands
// at another board of the batch too.
func (w *writer) taken(entries []Entry) (func(fleet.Device) bool, error) {
	var macs, names []string
	uses := make(map[string]int)
	for _, e := range entries {
		macs = append(macs, e.Device.MAC.String())
		if name := e.Device.Name; name != "" {
			names = append(names, name)
			uses[name]++
		}
	}
	there := make(map[string]bool)
	for mac, err := range query(w.ctx, w.tx, scanText, w.selectThere(), w.list(macs)) {
		if err != nil {
			return nil, err
		}
		there[mac] = true
	}
	owned, err := w.owners(w.ctx, w.tx, names)
	return func(d fleet.Device) bool {
		_, named := owned[d.Name]
		return there[d.MAC.String()] || named || uses[d.Name] > 1
	}, err
}

// selectThere reads which boards of a list are there.
func (d *dialect) selectThere() string { return "SELECT mac FROM device WHERE " + d.in("mac", "$1") }

func (w *writer) addOne(d fleet.Device) error {
	row, err := w.deviceRow(d)
	if err != nil {
		return err
	}
	rows, err := w.exec(w.tuples(insertDevice+" VALUES", deviceTuple, 1)+" ON CONFLICT DO NOTHING", row...)
	if err != nil || rows == 1 {
		return err
	}
	return w.addAnew(d, row)
}

const insertDevice = `
INSERT INTO device (mac, name, hardware, channel, vlan, eap, pin, loader_level, loader_key, loader_version,
	session, enrolled, changed, state, reason)`

const deviceTuple = "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'pending', '')"

const replaceDevice = `
UPDATE device SET name = $2, hardware = $3, channel = $4, vlan = $5, eap = $6, pin = $7, loader_level = $8,
	loader_key = $9, loader_version = $10, session = $11, enrolled = $12, changed = $13
WHERE mac = $1 AND state = 'pending'`

// deviceRow are the values of both.
func (w *writer) deviceRow(d fleet.Device) ([]any, error) {
	pin, err := pinText(d.Pin)
	return []any{d.MAC.String(), d.Name, d.Hardware, d.Channel, int64(d.VLAN), d.EAP.String(), pin,
		int64(d.Loader.Level), digestText(d.Loader.Key), d.Loader.Version, w.session, w.at, w.at}, err
}

// addAnew is for a board whose MAC or name is there already. It replaces one that
// is Pending, and ends the credential that was never activated: its certificate
// may exist somewhere.
func (w *writer) addAnew(d fleet.Device, row []any) error {
	if err := w.nameFree(d.MAC, d.Name); err != nil {
		return err
	}
	rows, err := w.exec(replaceDevice, row...)
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
