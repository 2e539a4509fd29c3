package registry

import (
	"context"
	"database/sql"
	"slices"

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

// FollowLoader writes down that boards have another loader now, as they reported:
// those of that hardware, of which another version is known that is one of older. It
// returns how many these were.
func (f *Fleet) FollowLoader(ctx context.Context, hardware string, boards []fleet.MAC, older []string, now fleet.Loader) (n int, err error) {
	err = f.write(ctx, func(w *writer) error {
		for some := range slices.Chunk(boards, manyAtOnce) {
			var macs []string
			for _, m := range some {
				macs = append(macs, m.String())
			}
			rows, err := w.exec(`
				UPDATE device SET loader_level = $1, loader_key = $2, loader_version = $3
				WHERE hardware = $4 AND state <> 'revoked' AND `+w.in("mac", "$5")+` AND `+w.in("loader_version", "$6"),
				int64(now.Level), digestText(now.Key), now.Version, hardware, w.list(macs), w.list(older))
			if err != nil {
				return err
			}
			n += int(rows)
		}
		if n == 0 {
			return nil
		}
		return w.audit("loader.follow", hardware, map[string]any{"loader": now, "boards": n})
	})
	return n, err
}
