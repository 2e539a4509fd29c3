package registry

import (
	"context"
	"errors"
	"fmt"

	"github.com/tcpboot/tcpboot/pki/fleet"
)

// A Change says which attributes of a board become what. Nil leaves one as it
// is.
type Change struct {
	Name     *string
	Hardware *string
	Channel  *string
	VLAN     *fleet.VLAN
	EAP      *fleet.EAP // without a password method, NT hashes are erased
	Pin      *fleet.Pin // the zero Pin pins nothing
	Loader   *fleet.Loader
}

// Change changes attributes of a board that is not revoked. A Change that
// changes nothing leaves no trace. The error wraps fleet.ErrUnknown, or is a
// *RevokedError or a *NameTakenError.
func (f *Fleet) Change(ctx context.Context, mac fleet.MAC, change Change) error {
	return f.write(ctx, func(w *writer) error { return w.change(mac, change) })
}

func (w *writer) change(mac fleet.MAC, change Change) error {
	if _, err := w.state(mac); err != nil {
		return err
	}
	before, err := onlyDevice(mac.String(), deviceRows(w.ctx, w.tx, w.selectDevice()+" WHERE d.mac = $2", w.at, mac.String()))
	if err != nil {
		return err
	}
	d := before
	detail := change.apply(&d)
	if len(detail) == 0 {
		return nil
	}
	if err := checkDevice(d); err != nil {
		return fmt.Errorf("%s: %w", mac, err)
	}
	if err := w.update(d); err != nil {
		return err
	}
	if d.EAP != before.EAP || d.VLAN != before.VLAN {
		w.touch(mac)
	}
	return w.audit("device.change", mac.String(), detail)
}

// apply changes d and returns what became different.
func (change Change) apply(d *fleet.Device) map[string]any {
	detail := make(map[string]any)
	assign(detail, "name", &d.Name, change.Name)
	assign(detail, "hardware", &d.Hardware, change.Hardware)
	assign(detail, "channel", &d.Channel, change.Channel)
	assign(detail, "vlan", &d.VLAN, change.VLAN)
	assign(detail, "eap", &d.EAP, change.EAP)
	assign(detail, "pin", &d.Pin, change.Pin)
	assign(detail, "loader", &d.Loader, change.Loader)
	return detail
}

func assign[T comparable](detail map[string]any, name string, to, from *T) {
	if from != nil && *from != *to {
		*to = *from
		detail[name] = *from
	}
}

func (w *writer) update(d fleet.Device) error {
	if err := w.nameFree(d.MAC, d.Name); err != nil {
		return err
	}
	pin, err := pinText(d.Pin)
	if err != nil {
		return err
	}
	_, err = w.exec(`
		UPDATE device SET name = $2, hardware = $3, channel = $4, vlan = $5, eap = $6, pin = $7,
			loader_level = $8, loader_key = $9, loader_version = $10, changed = $11
		WHERE mac = $1`,
		d.MAC.String(), d.Name, d.Hardware, d.Channel, int64(d.VLAN), d.EAP.String(), pin,
		int64(d.Loader.Level), digestText(d.Loader.Key), d.Loader.Version, w.at)
	if err == nil && !d.EAP.UsesPassword() {
		_, err = w.exec("UPDATE credential SET nt_hash = NULL WHERE mac = $1 AND ended IS NULL", d.MAC.String())
	}
	return err
}

func checkDevice(d fleet.Device) error {
	switch {
	case d.MAC == fleet.MAC{} || d.MAC[0]&1 != 0:
		return errors.New("not the address of a board")
	case d.EAP.String() == "":
		return errors.New("no EAP method")
	case d.VLAN > 4094:
		return fmt.Errorf("VLAN %d: want a number from 1 to 4094", d.VLAN)
	}
	return errors.Join(fleet.CheckLabel(d.Name), fleet.CheckName("hardware", d.Hardware),
		fleet.CheckName("channel", d.Channel), checkText("loader version", d.Loader.Version))
}
