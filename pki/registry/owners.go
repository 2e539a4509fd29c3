package registry

import (
	"context"
	"database/sql"

	"github.com/tcpboot/tcpboot/pki/fleet"
)

// selectOwners reads whose the names of a list are, of those that ByName would
// find.
func (d *dialect) selectOwners() string {
	return "SELECT name, mac FROM device WHERE name <> '' AND state <> 'revoked' AND " + d.in("name", "$1")
}

// Owners returns whose the names are, of those that ByName would find.
func (f *Fleet) Owners(ctx context.Context, names []string) (map[string]fleet.MAC, error) {
	return f.owners(ctx, f.db, names)
}

func (d *dialect) owners(ctx context.Context, db querier, names []string) (map[string]fleet.MAC, error) {
	owners := make(map[string]fleet.MAC)
	if len(names) == 0 {
		return owners, nil
	}
	type owner struct {
		name string
		mac  fleet.MAC
	}
	scan := func(rows *sql.Rows) (o owner, err error) {
		var digits string
		if err = rows.Scan(&o.name, &digits); err == nil {
			err = parseHex(o.mac[:], digits)
		}
		return o, err
	}
	for o, err := range query(ctx, db, scan, d.selectOwners(), d.list(names)) {
		if err != nil {
			return nil, err
		}
		owners[o.name] = o.mac
	}
	return owners, nil
}
