package registry

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/tcpboot/tcpboot/pki/fleet"
)

// A Row is one entry of the audit trail. Its time is exact to the nanosecond,
// so that its hash can be computed from the Row alone.
type Row struct {
	Sequence uint64          `json:"sequence"`
	Time     time.Time       `json:"time"`
	Who      string          `json:"who"`
	Action   string          `json:"action"`  // "device.revoke"
	Subject  string          `json:"subject"` // what it was done to, a MAC as a rule
	Detail   json.RawMessage `json:"detail"`
	Prev     fleet.Digest    `json:"prev"`
	Hash     fleet.Digest    `json:"hash"`
}

// Sum computes the hash that r should have. The package comment specifies it.
func (r Row) Sum() fleet.Digest {
	b := append([]byte("tcpboot/v1/audit\x00"), r.Prev[:]...)
	b = binary.BigEndian.AppendUint64(b, r.Sequence)
	for _, s := range []string{timeText(r.Time), r.Who, r.Action, r.Subject, string(r.Detail)} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
		b = append(b, s...)
	}
	return sha256.Sum256(b)
}

// A Head is where an audit trail stands: its last row. The zero Head is that of
// an empty trail.
type Head struct {
	Sequence uint64       `json:"sequence"`
	Hash     fleet.Digest `json:"hash"`
}

// Record writes an audit row about something that happened outside the
// registry. detail is JSON text; other text becomes a JSON string, none null.
func (f *Fleet) Record(ctx context.Context, action, subject, detail string) error {
	if action == "" {
		return errors.New("registry: an audit row without an action")
	}
	if err := errors.Join(checkText("action", action), checkText("subject", subject)); err != nil {
		return err
	}
	return f.write(ctx, func(w *writer) error {
		switch {
		case detail == "":
			return w.audit(action, subject, nil)
		case json.Valid([]byte(detail)):
			return w.audit(action, subject, json.RawMessage(detail))
		}
		return w.audit(action, subject, detail)
	})
}

// audit appends one row to the trail. Rows are written many at a time, the last of
// them at the end of the transaction.
func (w *writer) audit(action, subject string, detail any) error {
	text, err := json.Marshal(detail)
	if err != nil {
		return err
	}
	r := Row{w.head.Sequence + 1, w.now, w.who, action, subject, text, w.head.Hash, fleet.Digest{}}
	r.Hash = r.Sum()
	w.head = Head{r.Sequence, r.Hash}
	w.rows = append(w.rows, []any{int64(r.Sequence), w.at, r.Who, r.Action, r.Subject, string(r.Detail), r.Prev.Hex(), r.Hash.Hex()})
	if len(w.rows) < manyAtOnce {
		return nil
	}
	return w.writeTrail()
}

func (w *writer) writeTrail() error {
	rows := w.rows
	w.rows = nil
	return w.insertMany(w.ctx, "INSERT INTO audit (sequence, time, who, action, subject, detail, prev, hash) VALUES", "(?, ?, ?, ?, ?, ?, ?, ?)", rows)
}

// Audit yields the trail from its first row on, as it stands when the loop
// begins. After an error it yields no more.
func (f *Fleet) Audit(ctx context.Context) iter.Seq2[Row, error] {
	return auditRows(ctx, f.db)
}

func auditRows(ctx context.Context, db querier) iter.Seq2[Row, error] {
	return query(ctx, db, scanAudit,
		"SELECT sequence, time, who, action, subject, detail, prev, hash FROM audit ORDER BY sequence")
}

func scanAudit(rows *sql.Rows) (r Row, err error) {
	var at, detail, prev, hash string
	if err = rows.Scan(&r.Sequence, &at, &r.Who, &r.Action, &r.Subject, &detail, &prev, &hash); err != nil {
		return r, err
	}
	r.Detail = json.RawMessage(detail)
	err = errors.Join(parseTime(&r.Time, at), parseHex(r.Prev[:], prev), parseHex(r.Hash[:], hash))
	if err != nil {
		return r, &BrokenError{r.Sequence, fmt.Sprintf("unreadable: %v", err)}
	}
	return r, nil
}

// Head returns where the audit trail stands.
func (f *Fleet) Head(ctx context.Context) (Head, error) {
	h, _, err := readHead(ctx, f.db, "")
	return h, err
}

// Stamp returns a number that rises with every change, by whichever process. A
// poller that sees the same number twice has missed nothing, except that a
// grace may have ended: time is not a change.
func (f *Fleet) Stamp(ctx context.Context) (uint64, error) {
	h, err := f.Head(ctx)
	return h.Sequence, err
}

func readHead(ctx context.Context, db querier, lock string) (h Head, last time.Time, err error) {
	var at, hash string
	err = db.QueryRowContext(ctx, "SELECT sequence, time, hash FROM audit_head WHERE id = 1"+lock).Scan(&h.Sequence, &at, &hash)
	if err != nil {
		return Head{}, time.Time{}, fmt.Errorf("registry: %w", err)
	}
	if h.Sequence > 0 {
		err = parseTime(&last, at)
	}
	err = errors.Join(err, parseHex(h.Hash[:], hash))
	return h, last, err
}

func parseHex(into []byte, s string) error {
	if len(s) != 2*len(into) {
		return fmt.Errorf("want %d hex digits, have %d", 2*len(into), len(s))
	}
	_, err := hex.Decode(into, []byte(s))
	return err
}
