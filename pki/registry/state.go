package registry

import (
	"context"

	"github.com/tcpboot/tcpboot/pki/fleet"
)

// Activate makes boards Active that were added through this same Fleet: from the
// moment it returns nil they are admitted. All or none. A *StateError says that
// a board is Active already, or was added anew by somebody else meanwhile.
func (f *Fleet) Activate(ctx context.Context, macs []fleet.MAC) error {
	return f.write(ctx, func(w *writer) error {
		active, err := w.activate(macs)
		if err != nil {
			return err
		}
		for _, mac := range macs {
			if !active[mac.String()] {
				return w.refuse(mac, "activate")
			}
			delete(active, mac.String()) // else one that stands twice would pass
			w.touch(mac)
			if err := cancelled(ctx, w.audit("device.activate", mac.String(), nil)); err != nil {
				return err
			}
		}
		return nil
	})
}

// activate returns those of the boards that it has made Active.
func (w *writer) activate(macs []fleet.MAC) (map[string]bool, error) {
	active := make(map[string]bool, len(macs))
	for mac, err := range query(w.ctx, w.tx, scanText, w.activation(), w.list(texts(macs)), w.at, w.session) {
		if err != nil {
			return nil, err
		}
		active[mac] = true
	}
	return active, nil
}

func (d *dialect) activation() string {
	return "UPDATE device SET state = 'active', changed = $2 WHERE " + d.in("mac", "$1") +
		" AND state = 'pending' AND session = $3 RETURNING mac"
}

// Revoke ends boards for ever, with all their credentials. All or none: a
// *RevokedError says that one was revoked before, and by what reason.
func (f *Fleet) Revoke(ctx context.Context, macs []fleet.MAC, reason string) error {
	if err := checkText("reason", reason); err != nil {
		return err
	}
	return f.each(ctx, macs, func(w *writer, mac fleet.MAC) error {
		return w.revoke(mac, reason)
	})
}

func (w *writer) revoke(mac fleet.MAC, reason string) error {
	rows, err := w.exec("UPDATE device SET state = 'revoked', revoked = $1, changed = $1, reason = $2 WHERE mac = $3 AND state <> 'revoked'",
		w.at, reason, mac.String())
	switch {
	case err != nil:
		return err
	case rows == 0:
		return w.refuse(mac, "revoke")
	}
	if err := w.endCredentials(mac, reason); err != nil {
		return err
	}
	w.touch(mac)
	return w.audit("device.revoke", mac.String(), map[string]string{"reason": reason})
}

// each runs do for every board, in one transaction.
func (f *Fleet) each(ctx context.Context, macs []fleet.MAC, do func(*writer, fleet.MAC) error) error {
	return f.write(ctx, func(w *writer) error {
		seen := make(map[fleet.MAC]bool, len(macs))
		for _, mac := range macs {
			if seen[mac] {
				return twice(mac)
			}
			seen[mac] = true
			if err := cancelled(ctx, do(w, mac)); err != nil {
				return err
			}
		}
		return nil
	})
}
