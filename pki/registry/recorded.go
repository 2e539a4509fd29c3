package registry

import (
	"context"
	"fmt"

	"github.com/tcpboot/tcpboot/pki/fleet"
)

// Recorded returns the newest audit row of an action whose detail holds a text.
// The error wraps fleet.ErrUnknown when there is none. It looks through the whole
// trail.
func (f *Fleet) Recorded(ctx context.Context, action, text string) (Row, error) {
	for r, err := range query(ctx, f.db, scanAudit, `
		SELECT sequence, time, who, action, subject, detail, prev, hash FROM audit
		WHERE action = $1 AND lower(detail) LIKE $2 ESCAPE '\' ORDER BY sequence DESC LIMIT 1`, action, contains(text)) {
		return r, err
	}
	return Row{}, fmt.Errorf("%s of %q: %w", action, text, fleet.ErrUnknown)
}
