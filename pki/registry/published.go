package registry

import (
	"context"
	"fmt"
)

// Published returns the highest sequence that was ever published on a channel for
// a hardware, withdrawn or not; zero when none was. Boards take none that is not
// above it.
func (f *Fleet) Published(ctx context.Context, hardware, channel string) (sequence uint64, err error) {
	const highest = "SELECT COALESCE(MAX(sequence), 0) FROM offer WHERE hardware = $1 AND channel = $2"
	if err := f.db.QueryRowContext(ctx, highest, hardware, channel).Scan(&sequence); err != nil {
		return 0, fmt.Errorf("registry: %w", err)
	}
	return sequence, nil
}
