package registry

import (
	"context"
	"database/sql"
	"errors"

	"github.com/tcpboot/tcpboot/pki/fleet"
)

// A Group is a number of Active boards that are alike in what decides about
// releases.
type Group struct {
	Hardware string
	Channel  string
	Pin      fleet.Pin
	Loader   fleet.Loader
	Boards   int
}

// Groups counts the Active boards by their hardware, channel, pin and loader, in
// the database.
func (f *Fleet) Groups(ctx context.Context) (all []Group, err error) {
	for g, err := range query(ctx, f.db, scanGroup, `
		SELECT hardware, channel, pin, loader_level, loader_key, loader_version, count(*) FROM device WHERE state = 'active'
		GROUP BY hardware, channel, pin, loader_level, loader_key, loader_version
		ORDER BY hardware, channel, pin, loader_level, loader_key, loader_version`) {
		if err != nil {
			return nil, err
		}
		all = append(all, g)
	}
	return all, nil
}

func scanGroup(rows *sql.Rows) (g Group, err error) {
	var pin, key string
	if err = rows.Scan(&g.Hardware, &g.Channel, &pin, &g.Loader.Level, &key, &g.Loader.Version, &g.Boards); err != nil {
		return g, err
	}
	return g, errors.Join(parsePin(&g.Pin, pin), parseDigest(&g.Loader.Key, key))
}

// BoardsOfLoader returns the Active boards whose loader trusts that key, at most
// limit of them.
func (f *Fleet) BoardsOfLoader(ctx context.Context, key fleet.Digest, limit int) ([]fleet.MAC, error) {
	return f.someBoards(ctx, "SELECT mac FROM device WHERE state = 'active' AND loader_key = $1 ORDER BY mac LIMIT $2", digestText(key), limit)
}

// NoteLoaders writes down that the loaders of that hardware trust key, as far as
// they check images and nothing is known of what they trust. It returns of how many
// boards that was not known.
func (f *Fleet) NoteLoaders(ctx context.Context, hardware string, key fleet.Digest) (boards int, err error) {
	err = f.write(ctx, func(w *writer) error {
		n, err := w.exec(`
			UPDATE device SET loader_key = $1
			WHERE hardware = $2 AND loader_key = '' AND loader_level > 0 AND state <> 'revoked'`, digestText(key), hardware)
		if boards = int(n); err != nil || n == 0 {
			return err
		}
		return w.audit("loader.key", hardware, map[string]any{"key": key, "boards": n})
	})
	return boards, err
}
