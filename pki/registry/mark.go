package registry

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/tcpboot/tcpboot/pki/fleet"
)

// A Mark is how far a registry has come. Kept outside of the database, it tells
// an older copy of it for what it is, and keeps a restored one from giving a
// number twice. It holds no secret.
type Mark struct {
	Head      Head                         `json:"audit"`
	CRL       uint64                       `json:"crl"` // number of the last one
	CRLDate   time.Time                    `json:"crl_date,omitzero"`
	Counters  map[string]uint32            `json:"counters"`  // given last, by hardware
	Sequences map[string]map[string]uint64 `json:"sequences"` // given last, by hardware and channel
}

// Mark returns how far the registry has come.
func (f *Fleet) Mark(ctx context.Context) (m Mark, err error) {
	err = inTx(ctx, f.db, f.snapshot, func(tx *sql.Tx) error {
		if m.Head, _, err = readHead(ctx, tx, ""); err != nil {
			return err
		}
		if m.CRL, m.CRLDate, err = lastCRL(ctx, tx); err != nil {
			return err
		}
		return m.readNumbers(ctx, tx)
	})
	return m, err
}

func (m *Mark) readNumbers(ctx context.Context, tx *sql.Tx) error {
	type number struct {
		hardware, channel string
		given             uint64
	}
	scan := func(rows *sql.Rows) (n number, err error) { return n, rows.Scan(&n.hardware, &n.channel, &n.given) }
	m.Counters, m.Sequences = make(map[string]uint32), make(map[string]map[string]uint64)
	for n, err := range query(ctx, tx, scan, `
		SELECT hardware, '', given FROM release_counter
		UNION ALL
		SELECT hardware, channel, given FROM release_sequence`) {
		switch {
		case err != nil:
			return err
		case n.channel == "":
			m.Counters[n.hardware] = uint32(n.given)
		default:
			m.sequence(n.hardware, n.channel, n.given)
		}
	}
	return nil
}

// Number raises m to the numbers of a release, as a signed manifest states them.
func (m *Mark) Number(hardware string, counter uint32, sequences map[string]uint64) {
	if m.Counters == nil {
		m.Counters = make(map[string]uint32)
	}
	m.Counters[hardware] = max(m.Counters[hardware], counter)
	for channel, n := range sequences {
		m.sequence(hardware, channel, n)
	}
}

// sequence passes over what no registry gives: a thief of the release key stated it.
func (m *Mark) sequence(hardware, channel string, n uint64) {
	if n > maxNumber {
		return
	}
	if m.Sequences == nil {
		m.Sequences = make(map[string]map[string]uint64)
	}
	if m.Sequences[hardware] == nil {
		m.Sequences[hardware] = make(map[string]uint64)
	}
	m.Sequences[hardware][channel] = max(m.Sequences[hardware][channel], n)
}

// Reach raises m to what of it and o is further.
func (m *Mark) Reach(o Mark) {
	if o.Head.Sequence > m.Head.Sequence {
		m.Head = o.Head
	}
	m.CRL = max(m.CRL, o.CRL)
	if o.CRLDate.After(m.CRLDate) {
		m.CRLDate = o.CRLDate
	}
	for hardware, n := range o.Counters {
		m.Number(hardware, n, nil)
	}
	for hardware, sequences := range o.Sequences {
		m.Number(hardware, 0, sequences)
	}
}

// A PastError says that a registry is not the one, or no longer, that was at a
// head which is known from elsewhere.
type PastError struct {
	Now uint64 // row where it is
	Was uint64 // row of the head; when Now is not below, another row has its number
}

func (e *PastError) Error() string {
	if e.Now < e.Was {
		return fmt.Sprintf("the registry is at audit row %d, but this site has been at %d: an older copy was put in its place", e.Now, e.Was)
	}
	return fmt.Sprintf("audit row %d of the registry is not the one that this site has had: an older copy was put in its place, and changed since", e.Was)
}

// Holds says, by a *PastError, that the registry has not been at one of those
// heads: an older copy was put in its place. Rows that a restore has given up are
// taken for what they are; other missing ones are a *BrokenError. It costs a
// query or two for each head.
func (f *Fleet) Holds(ctx context.Context, heads ...Head) error {
	now, err := f.Head(ctx)
	if err != nil {
		return err
	}
	for _, h := range heads {
		if err := f.holds(ctx, now, h); err != nil {
			return err
		}
	}
	return nil
}

func (f *Fleet) holds(ctx context.Context, now, h Head) error {
	switch {
	case h.Sequence > now.Sequence:
		return &PastError{now.Sequence, h.Sequence}
	case h.Sequence == 0 || h == now:
		return nil
	}
	var sequence uint64
	var action, text string
	var hash fleet.Digest
	err := f.db.QueryRowContext(ctx, "SELECT sequence, action, hash FROM audit WHERE sequence >= $1 ORDER BY sequence LIMIT 1", int64(h.Sequence)).
		Scan(&sequence, &action, &text)
	switch {
	case errors.Is(err, sql.ErrNoRows) || err == nil && sequence > h.Sequence && action != restored:
		return &BrokenError{h.Sequence, "missing"}
	case err != nil:
		return fmt.Errorf("registry: %w", err)
	case sequence > h.Sequence:
		return nil
	}
	if err := parseHex(hash[:], text); err != nil {
		return &BrokenError{sequence, fmt.Sprintf("unreadable: %v", err)}
	}
	if hash != h.Hash {
		return &PastError{now.Sequence, h.Sequence}
	}
	return nil
}
