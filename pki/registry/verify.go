package registry

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/tcpboot/tcpboot/pki/fleet"
)

// VerifyAudit walks the whole audit trail and returns its head. A *BrokenError
// names the first row that is missing, was changed or was moved. Each of
// against, a head written down elsewhere, must be on the trail too: that is what
// finds a trail that was cut off, or computed anew. Rows that a restore has given
// up are no fault, see [Fleet.Losses], unless one of against is among them.
func (f *Fleet) VerifyAudit(ctx context.Context, against ...Head) (Head, error) {
	v := verifier{wanted: make(map[uint64][]fleet.Digest)}
	for _, h := range against {
		v.wanted[h.Sequence] = append(v.wanted[h.Sequence], h.Hash)
	}
	if err := v.reach(Head{}); err != nil {
		return Head{}, err
	}
	err := inTx(ctx, f.db, f.snapshot, func(tx *sql.Tx) error {
		for r, err := range auditRows(ctx, tx) {
			if err != nil {
				return err
			}
			if err := v.next(r); err != nil {
				return err
			}
		}
		last, _, err := readHead(ctx, tx, "")
		if err != nil {
			return err
		}
		return v.end(last, against)
	})
	if err != nil {
		return Head{}, err
	}
	return v.head, nil
}

// A verifier has walked the trail up to head.
type verifier struct {
	head   Head
	wanted map[uint64][]fleet.Digest // by sequence
}

// reach moves to a row, when it is the one that was written down elsewhere.
func (v *verifier) reach(h Head) error {
	for _, want := range v.wanted[h.Sequence] {
		if want != h.Hash {
			return &BrokenError{h.Sequence, fmt.Sprintf("not the one written down: %s, was %s", h.Hash, want)}
		}
	}
	v.head = h
	return nil
}

func (v *verifier) next(r Row) error {
	n := v.head.Sequence + 1
	if r.Sequence > n && r.Action == restored {
		if err := v.skip(r); err != nil {
			return err
		}
		n = r.Sequence
	}
	switch {
	case r.Sequence > n:
		return &BrokenError{n, "missing"}
	case r.Sequence < n:
		return &BrokenError{r.Sequence, "before the first"}
	case r.Sum() != r.Hash:
		return &BrokenError{n, "changed: its hash does not fit"}
	case r.Prev != v.head.Hash && n == 1:
		return &BrokenError{n, "changed: it follows a row that never was"}
	case r.Prev != v.head.Hash:
		return &BrokenError{v.head.Sequence, fmt.Sprintf("changed: row %d follows another one", n)}
	}
	return v.reach(Head{n, r.Hash})
}

// skip passes over the rows that a restore has given up. Of those only the last
// one that was known of can be compared.
func (v *verifier) skip(r Row) error {
	d, err := r.restore()
	if err != nil {
		return err
	}
	for sequence, hashes := range v.wanted {
		lost := sequence > v.head.Sequence && sequence < r.Sequence
		for _, hash := range hashes {
			if lost && d.Known != (Head{sequence, hash}) {
				return &BrokenError{sequence, fmt.Sprintf("lost: row %d tells of a restore from a backup", r.Sequence)}
			}
		}
	}
	return nil
}

// end checks that the trail is as long as it must be.
func (v *verifier) end(last Head, against []Head) error {
	for _, h := range append(against, last) {
		if h.Sequence > v.head.Sequence {
			return &BrokenError{v.head.Sequence + 1, fmt.Sprintf("missing: the trail went to row %d", h.Sequence)}
		}
	}
	if last != v.head {
		return &BrokenError{v.head.Sequence, "not the one that was written last"}
	}
	return nil
}
