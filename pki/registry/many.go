package registry

import (
	"context"
	"fmt"
	"strings"
)

// manyAtOnce is how many rows go into one statement: enough to forget what a
// statement costs, on a server above all, and far below the arguments that either
// database takes.
const manyAtOnce = 100

// insertMany inserts rows, each as the tuple says, where '?' stands for its next
// value: INSERT INTO t (a, b) VALUES, (?, 'x').
func (w *writer) insertMany(ctx context.Context, insert, tuple string, rows [][]any) error {
	for len(rows) > 0 {
		n := min(len(rows), manyAtOnce)
		var args []any
		for _, r := range rows[:n] {
			args = append(args, r...)
		}
		if _, err := w.exec(w.tuples(insert, tuple, n), args...); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}

// tuples is the statement for n rows. SQLite looks a numbered argument up in a
// list of all; it takes '?' as it stands.
func (d *dialect) tuples(insert, tuple string, n int) string {
	all := strings.TrimSuffix(strings.Repeat(" "+tuple+",", n), ",")
	if d.embedded {
		return insert + all
	}
	var b strings.Builder
	b.WriteString(insert)
	for i, part := range strings.Split(all, "?") {
		if i > 0 {
			fmt.Fprintf(&b, "$%d", i)
		}
		b.WriteString(part)
	}
	return b.String()
}
