package registry

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/tcpboot/tcpboot/pki/fleet"
)

// Owners returns whose the names are, of those that ByName would find. A list
// asks for thousands, so it asks by one prepared statement.
func (f *Fleet) Owners(ctx context.Context, names []string) (map[string]fleet.MAC, error) {
	owners := make(map[string]fleet.MAC)
	err := inTx(ctx, f.db, &sql.TxOptions{ReadOnly: true}, func(tx *sql.Tx) error {
		owner, err := tx.PrepareContext(ctx, "SELECT mac FROM device WHERE name = $1 AND name <> '' AND state <> 'revoked'")
		if err != nil {
			return err
		}
		for _, name := range names {
			var digits string
			var mac fleet.MAC
			err := owner.QueryRowContext(context.WithoutCancel(ctx), name).Scan(&digits)
			if errors.Is(err, sql.ErrNoRows) {
				continue
			}
			if err := cancelled(ctx, errors.Join(err, parseHex(mac[:], digits))); err != nil {
				return fmt.Errorf("registry: name %q: %w", name, err)
			}
			owners[name] = mac
		}
		return nil
	})
	return owners, err
}
