package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
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

// leastCell is how wide a column stays when there is no room: a MAC is never cut.
const leastCell = 16

// A longTable writes rows in the form that table writes them in, without holding
// them all. On a terminal, where a line that is too long breaks all columns, the widest
// ones are cut to what there is room for.
type longTable struct {
	w      *bufio.Writer
	room   int // columns of the terminal; 0: as many as it takes
	head   [][]string
	widths []int
	flows  bool // the head is written
	clips  bool // there is no room for all of it
}

func newLongTable(w io.Writer, header string) *longTable {
	return &longTable{w: bufio.NewWriter(w), room: columns(w), head: [][]string{strings.Fields(header)}}
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
	t.clips = t.room > 0 && shrink(t.widths, t.room)
	for _, cells := range t.head {
		t.line(cells)
	}
}

// shrink makes the widest columns narrower until all of them fit, with two spaces in
// between, or can give no more. It reports whether that took anything.
func shrink(widths []int, room int) bool {
	over := 2*(len(widths)-1) - room
	for _, w := range widths {
		over += w
	}
	if over <= 0 {
		return false
	}
	for ; over > 0; over-- {
		widest := 0
		for i, w := range widths {
			if w > widths[widest] {
				widest = i
			}
		}
		if widths[widest] <= leastCell {
			break
		}
		widths[widest]--
	}
	return true
}

func (t *longTable) line(cells []string) {
	last := len(cells) - 1
	for i, c := range cells {
		if t.clips {
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
