package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// A jsonList writes a JSON array element by element, in the form that answer
// writes a whole one in. Errors stay with the writer until it is flushed.
type jsonList struct {
	w      *bufio.Writer
	indent string
	n      int
}

func (l *jsonList) add(v any) error {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	enc.SetIndent(l.indent+"  ", "  ")
	if err := enc.Encode(v); err != nil {
		return err
	}
	before := ","
	if l.n == 0 {
		before = "["
	}
	l.n++
	l.w.WriteString(before + "\n" + l.indent + "  ")
	_, err := l.w.Write(bytes.TrimSuffix(text.Bytes(), []byte("\n")))
	return err
}

func (l *jsonList) end() {
	if l.n == 0 {
		l.w.WriteString("[]")
		return
	}
	l.w.WriteString("\n" + l.indent + "]")
}

// tableHead is how many rows of a long table decide how wide its columns are. A
// longer cell further down moves the rest of its line.
const tableHead = 1000

// leastCell is how much of a cell is shown at least.
const leastCell = 8

// A longTable writes rows in the form that table writes them in, without holding
// them all. On a terminal, where a line that is too long breaks every column, one column
// is cut to what there is room for.
type longTable struct {
	w      *bufio.Writer
	room   int // columns of the terminal; 0: as many as it takes
	gives  int // the column that gives way
	head   [][]string
	widths []int
	flows  bool // the head is written
	clips  bool // there is no room for all of it
}

// newLongTable begins a table, of which the column gives is of free text.
func newLongTable(w io.Writer, header, gives string) *longTable {
	names := strings.Fields(header)
	return &longTable{w: bufio.NewWriter(w), room: columns(w), gives: slices.Index(names, gives), head: [][]string{names}}
}

func (t *longTable) add(cells ...string) {
	for i := range cells {
		cells[i] = printable(cells[i])
	}
	if t.flows {
		t.line(cells)
		return
	}
	if t.head = append(t.head, cells); len(t.head) > tableHead {
		t.writeHead()
	}
}

// empty reports whether nothing was added.
func (t *longTable) empty() bool { return len(t.head) == 1 }

func (t *longTable) writeHead() {
	t.flows = true
	t.widths = make([]int, len(t.head[0]))
	for _, cells := range t.head {
		for i, c := range cells {
			t.widths[i] = max(t.widths[i], utf8.RuneCountInString(c))
		}
	}
	t.clips = t.shrink()
	for _, cells := range t.head {
		t.line(cells)
	}
}

// shrink makes the column that gives way narrower until all of them fit, with two
// spaces in between. It reports whether there was need to.
func (t *longTable) shrink() bool {
	over := 2*(len(t.widths)-1) - t.room
	for _, w := range t.widths {
		over += w
	}
	if t.room == 0 || over <= 0 {
		return false
	}
	t.widths[t.gives] = max(leastCell, t.widths[t.gives]-over)
	return true
}

func (t *longTable) line(cells []string) {
	last := len(cells) - 1
	for i, c := range cells {
		if t.clips && i == t.gives {
			c = clip(c, t.widths[i])
		}
		t.w.WriteString(c)
		if i == last {
			break
		}
		t.w.WriteString(strings.Repeat(" ", max(0, t.widths[i]-utf8.RuneCountInString(c))+2))
	}
	t.w.WriteString("\n")
}

func (t *longTable) end() error {
	if !t.flows {
		t.writeHead()
	}
	return t.w.Flush()
}
