package registry

import (
	"context"
	"database/sql"
	"fmt"
	"iter"
	"strconv"
	"time"
	"unicode/utf8"
)

// timeLayout has a fixed width, so that times sort as text.
const timeLayout = "2006-01-02T15:04:05.000000000Z"

func timeText(t time.Time) string { return t.UTC().Format(timeLayout) }

func parseTime(into *time.Time, s string) error {
	t, err := time.Parse(timeLayout, s)
	if err != nil || timeText(t) != s {
		return fmt.Errorf("time %q: want the form %s", s, timeLayout)
	}
	*into = t
	return nil
}

// parseOptionalTime leaves the zero time for NULL.
func parseOptionalTime(into *time.Time, s sql.NullString) error {
	if !s.Valid {
		return nil
	}
	return parseTime(into, s.String)
}

// maxText bounds the words that people give, in bytes.
const maxText = 256

// checkText says why s cannot stand in the trail: the words in it are printed on
// terminals and in files of one line per row.
func checkText(kind, s string) error {
	if len(s) > maxText {
		return fmt.Errorf("registry: %s: longer than %d bytes", kind, maxText)
	}
	for _, r := range s {
		if r == utf8.RuneError || !strconv.IsPrint(r) {
			return fmt.Errorf("registry: %s: unprintable character %U", kind, r)
		}
	}
	return nil
}

// query yields what scan makes of each row. After an error it yields no more.
func query[T any](ctx context.Context, db querier, scan func(*sql.Rows) (T, error), q string, args ...any) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var zero T
		rows, err := db.QueryContext(ctx, q, args...)
		if err != nil {
			yield(zero, fmt.Errorf("registry: %w", told(err)))
			return
		}
		defer rows.Close()
		for rows.Next() {
			v, err := scan(rows)
			if !yield(v, err) || err != nil {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(zero, fmt.Errorf("registry: %w", told(err)))
		}
	}
}
