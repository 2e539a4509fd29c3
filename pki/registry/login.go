package registry

import (
	"context"
	"database/sql"
	"errors"
	"iter"
	"time"

	"github.com/tcpboot/tcpboot/pki/fleet"
)

// A Login is when a credential was seen at RADIUS. Only a RADIUS server that reads
// the registry on PostgreSQL tells, and of the last time to within an hour.
type Login struct {
	MAC         fleet.MAC
	Serial      fleet.Serial
	First, Last time.Time
}

// Logins yields every credential that ever logged in, dead ones too, ordered by
// MAC and then by time, the latest last. After an error it yields no more.
func (f *Fleet) Logins(ctx context.Context) iter.Seq2[Login, error] {
	return query(ctx, f.db, scanLogin, "SELECT mac, serial, first, last FROM login ORDER BY mac, last")
}

func scanLogin(rows *sql.Rows) (l Login, err error) {
	var mac, serial, first, last string
	if err = rows.Scan(&mac, &serial, &first, &last); err != nil {
		return l, err
	}
	err = errors.Join(parseHex(l.MAC[:], mac), parseHex(l.Serial[:], serial), parseTime(&l.First, first), parseTime(&l.Last, last))
	return l, err
}
