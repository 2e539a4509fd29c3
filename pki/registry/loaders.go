package registry

import (
	"context"
	"database/sql"

	"github.com/tcpboot/tcpboot/pki/fleet"
)

// Loaders counts the Active boards of a hardware on a channel by their
// loader. It looks at those boards alone.
func (f *Fleet) Loaders(ctx context.Context, hardware, channel string) (map[fleet.Loader]int, error) {
	type group struct {
		fleet.Loader
		boards int
	}
	scan := func(rows *sql.Rows) (g group, err error) {
		var key string
		if err = rows.Scan(&g.Level, &key, &g.Version, &g.boards); err != nil {
			return g, err
		}
		return g, parseDigest(&g.Key, key)
	}
	boards := make(map[fleet.Loader]int)
	for g, err := range query(ctx, f.db, scan, `
		SELECT loader_level, loader_key, loader_version, count(*) FROM device
		WHERE hardware = $1 AND channel = $2 AND state = 'active'
		GROUP BY loader_level, loader_key, loader_version`, hardware, channel) {
		if err != nil {
			return nil, err
		}
		boards[g.Loader] = g.boards
	}
	return boards, nil
}
