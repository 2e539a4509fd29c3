package enroll

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"
	"sync"

	"github.com/tcpboot/tcpboot/pki/fleet"
)

// A List is requests to be gone through more than once, each time the same ones.
// An error stands in the place of a request that cannot be read.
type List = iter.Seq2[Request, error]

// ListOf is a list of those requests.
func ListOf(asked []Request) List {
	return func(yield func(Request, error) bool) {
		for _, r := range asked {
			if !yield(r, nil) {
				return
			}
		}
	}
}

// A row is what a List yields.
type row struct {
	Request
	err error
}

// rowsAtOnce bounds how many requests are looked up in the registry together.
const rowsAtOnce = 1000

// chunks goes through a list by so many rows.
func chunks(list List) iter.Seq[[]row] {
	return func(yield func([]row) bool) {
		rows := make([]row, 0, rowsAtOnce)
		for r, err := range list {
			if rows = append(rows, row{r, err}); len(rows) < rowsAtOnce {
				continue
			}
			if !yield(rows) {
				return
			}
			rows = rows[:0]
		}
		if len(rows) > 0 {
			yield(rows)
		}
	}
}

// maxFaults bounds how many refusals of one list are told.
const maxFaults = 20

// refusals are why a list cannot be carried out.
type refusals struct{ list []error }

func (r *refusals) add(err error) {
	if !r.full() {
		r.list = append(r.list, err)
	}
}

func (r *refusals) full() bool { return len(r.list) == maxFaults }

func (r *refusals) join() error {
	if r.full() {
		r.list = append(r.list, errors.New("more refusals may follow"))
	}
	return errors.Join(r.list...)
}

// An index remembers which boards and names a list holds, in some 50 bytes a
// board, and which of the boards are skipped. Of a name it keeps a sum: that two
// names have one happens to nobody.
type index struct {
	mu      sync.Mutex
	boards  map[fleet.MAC]entry
	names   map[nameSum]uint32 // the line
	skipped int
}

// An entry is a line of the list, and whether its board is skipped.
type entry struct {
	line uint32
	skip bool
}

type nameSum [16]byte

func newIndex() *index {
	return &index{boards: make(map[fleet.MAC]entry), names: make(map[nameSum]uint32)}
}

// enter takes the next request of the list, unless its board or its name stands
// at an earlier place too.
func (x *index) enter(r Request) error {
	if first, twice := x.boards[r.MAC]; twice {
		return fmt.Errorf("%s: stands twice: at %s too", r.MAC, r.Where.at(first.line))
	}
	line := uint32(r.Where.Line)
	x.boards[r.MAC] = entry{line: line}
	if r.Name == "" {
		return nil
	}
	sum := sha256.Sum256([]byte(r.Name))
	name := nameSum(sum[:])
	if first, twice := x.names[name]; twice {
		return fmt.Errorf("%s: name %q: at %s too", r.MAC, r.Name, r.Where.at(first))
	}
	x.names[name] = line
	return nil
}

// at is another line of the same list.
func (p Place) at(line uint32) Place { return Place{p.List, int(line)} }

// skip notes that a board need not be enrolled.
func (x *index) skip(m fleet.MAC) {
	x.mu.Lock()
	defer x.mu.Unlock()
	e := x.boards[m]
	e.skip = true
	x.boards[m] = e
	x.skipped++
}

func (x *index) skips(m fleet.MAC) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.boards[m].skip
}

// Enrolling returns how many boards are to be enrolled.
func (x *index) Enrolling() int { return len(x.boards) - x.Skipping() }

// Skipping returns how many boards are skipped.
func (x *index) Skipping() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.skipped
}

// overtaken notes that somebody else enrolled those boards.
func (x *index) overtaken(devices []fleet.Device) {
	for _, d := range devices {
		x.skip(d.MAC)
	}
}
