package registry

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/tcpboot/tcpboot/pki/fleet"
)

// Latch remembers that a board has proved itself on version 2 of the boot
// protocol. It says so once and for all: the time is that of the first Latch.
func (v *Visits) Latch(ctx context.Context, mac fleet.MAC, now time.Time) error {
	_, err := v.db.ExecContext(ctx, "INSERT INTO latch (mac, time) VALUES ($1, $2) ON CONFLICT (mac) DO NOTHING", mac.String(), timeText(now))
	if err != nil {
		return fmt.Errorf("latch of %s: %w", mac, err)
	}
	return nil
}

// Latched returns when Latch was first called for a board; the zero time means
// that it never was.
func (v *Visits) Latched(ctx context.Context, mac fleet.MAC) (since time.Time, err error) {
	var text string
	err = v.db.QueryRowContext(ctx, "SELECT time FROM latch WHERE mac = $1", mac.String()).Scan(&text)
	if errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, nil
	}
	if err == nil {
		err = parseTime(&since, text)
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("latch of %s: %w", mac, err)
	}
	return since, nil
}
