package registry

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/tcpboot/tcpboot/pki/fleet"
)

// reflect opens the mirror and finishes what was cut off in it.
func (f *Fleet) reflect(ctx context.Context, path string) (err error) {
	if !f.embedded {
		return errors.New("registry: a RADIUS server reads PostgreSQL itself, and no database beside it")
	}
	if f.mirror, err = openMirror(ctx, path); err != nil {
		return err
	}
	_, all, err := f.mirror.unsettled(ctx)
	switch {
	case err != nil:
		return err
	case all:
		return f.SyncRADIUS(ctx)
	}
	return f.settle(ctx)
}

// settle finishes what is unsettled, by what the registry says now.
func (f *Fleet) settle(ctx context.Context) error {
	return inTx(ctx, f.db, f.change, func(truth *sql.Tx) error {
		macs, _, err := f.mirror.unsettled(ctx)
		if err != nil || len(macs) == 0 {
			return err
		}
		at := timeText(f.now())
		return f.mirror.edit(ctx, func(e *editor) error {
			for _, mac := range macs {
				d, err := admitted(e.ctx, truth, at, mac)
				if err != nil {
					return err
				}
				if err := errors.Join(e.put(mac, d), e.settled(mac)); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// admitted returns the board, nil when nothing admits it.
func admitted(ctx context.Context, truth *sql.Tx, at, mac string) (*fleet.Device, error) {
	for d, err := range deviceRows(ctx, truth, selectDevice+" WHERE d.mac = $2", at, mac) {
		if err != nil || len(d.Admissions) == 0 {
			return nil, err
		}
		return &d, nil
	}
	return nil, nil
}

// SyncRADIUS compares every board in the RADIUS server's database with the
// registry, and mends what differs, in place. Nobody needs it unless somebody
// else has written that database: changes keep it up to date, and Open makes it
// and finishes what was cut off.
func (f *Fleet) SyncRADIUS(ctx context.Context) error {
	switch {
	case f.mirror == nil:
		return errors.New("registry: opened without a database for the RADIUS server")
	case f.session == "":
		return errors.New("registry: opened read-only")
	}
	for after := everything; ; {
		last, err := f.syncFrom(ctx, after)
		if err != nil {
			return err
		}
		if last == "" {
			break
		}
		after = last
	}
	return f.mirror.edit(ctx, func(e *editor) error { return e.settled(everything) })
}

// syncBoards is how many boards are compared while others wait for the lock.
const syncBoards = 1000

// syncFrom compares the next boards after a MAC and returns the last of them, ""
// when there are no more.
func (f *Fleet) syncFrom(ctx context.Context, after string) (last string, err error) {
	err = inTx(ctx, f.db, f.change, func(truth *sql.Tx) error {
		boards, err := f.nextBoards(ctx, truth, after)
		if err != nil {
			return err
		}
		until := "g" // behind all MACs
		if len(boards) == syncBoards {
			last = boards[len(boards)-1].MAC.String()
			until = last
		}
		return f.mirror.compare(ctx, after, until, boards)
	})
	return last, err
}

func (f *Fleet) nextBoards(ctx context.Context, truth *sql.Tx, after string) (boards []fleet.Device, err error) {
	for d, err := range deviceRows(ctx, truth, selectDevice+" WHERE d.state = 'active' AND d.mac > $2 ORDER BY d.mac", timeText(f.now()), after) {
		if err != nil {
			return nil, err
		}
		if boards = append(boards, d); len(boards) == syncBoards {
			break
		}
	}
	return boards, nil
}

// compare mends the boards after one MAC, up to another.
func (m *mirror) compare(ctx context.Context, after, until string, boards []fleet.Device) error {
	return m.edit(ctx, func(e *editor) error {
		have, err := present(e.ctx, e.tx, after, until)
		if err != nil {
			return err
		}
		for i := range boards {
			mac := boards[i].MAC.String()
			if have[mac] != summary(&boards[i]) {
				if err := e.put(mac, &boards[i]); err != nil {
					return err
				}
			}
			delete(have, mac)
		}
		for mac := range have {
			if err := e.remove(mac); err != nil {
				return err
			}
		}
		return e.exec("DELETE FROM unsettled WHERE mac > $1 AND mac <= $2", after, until)
	})
}

// present summarizes the rows of the boards in the mirror.
func present(ctx context.Context, tx *sql.Tx, after, until string) (map[string]string, error) {
	have := make(map[string]string)
	scan := func(rows *sql.Rows) (r [2]string, err error) { return r, rows.Scan(&r[0], &r[1]) }
	for r, err := range query(ctx, tx, scan, `
		SELECT username, id || ' ' || attribute || ' ' || op || ' ' || value FROM (
			SELECT 1 AS list, username, id, attribute, op, value FROM radcheck WHERE username > $1 AND username <= $2
			UNION ALL
			SELECT 2, username, id, attribute, op, value FROM radreply WHERE username > $1 AND username <= $2
		) ORDER BY username, list, id`, after, until) {
		if err != nil {
			return nil, err
		}
		have[r[0]] += r[1] + "\n"
	}
	return have, nil
}

// summary is the rows that a board should have, in the form of present.
func summary(d *fleet.Device) (s string) {
	for _, r := range append(facts(d), replies(d)...) {
		s += fmt.Sprintf("%d %s := %s\n", r.id, r.attribute, r.value)
	}
	return s
}
