package nvs

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// Parse reads a plain image and returns its entries in the order in which they
// were written. A board silently erases what is damaged and finds the rest; so
// after a *DamageError the entries are those that are still good. Any other
// error comes without entries. A namespace without keys leaves no trace.
//
// Parse takes an image that a board has written to, with erased entries and
// pages in any order. It is stricter than a board, which does not look at bytes
// that mean nothing, and takes a page that was being erased when power was lost
// for damage.
func Parse(image []byte) ([]Entry, error) {
	if err := checkSize(len(image)); err != nil {
		return nil, err
	}
	var r reader
	for _, p := range r.pages(image) {
		r.entries(p)
	}
	entries := r.resolve()
	if len(r.damage) > 0 {
		return entries, &DamageError{r.damage}
	}
	return entries, nil
}

// A reader gathers the items of all pages, and what is wrong with them.
type reader struct {
	items  []item
	damage []Damage
}

// An item is one header on flash with the data behind it.
type item struct {
	page, entry int
	ns          uint8
	kind        kind
	chunk       uint8
	key         string
	bits        uint64 // the field of a number or an index
	data        []byte // of a string, without the NUL, or a chunk
}

type page struct {
	number int // its place in the image
	bytes  []byte
}

func (p page) sequence() uint32 { return le.Uint32(p.bytes[4:]) }

// pages returns the pages that hold entries, in the order of writing.
func (r *reader) pages(image []byte) (pages []page) {
	for n := range len(image) / pageSize {
		p := page{n, image[n*pageSize:][:pageSize]}
		switch used, err := p.check(); {
		case err != nil:
			r.report(n, -1, err)
		case used:
			pages = append(pages, p)
		}
	}
	slices.SortStableFunc(pages, func(a, b page) int { return cmp.Compare(a.sequence(), b.sequence()) })
	for i := 1; i < len(pages); i++ {
		if before := pages[i-1]; before.sequence() == pages[i].sequence() {
			r.report(pages[i].number, -1, fmt.Errorf("has the sequence number of page %d", before.number))
			pages = slices.Delete(pages, i, i+1)
			i--
		} else if le.Uint32(before.bytes) == stateActive {
			r.report(before.number, -1, errors.New("is active, but not the last"))
		}
	}
	return pages
}

// check reports whether p holds entries, and why it cannot be read.
func (p page) check() (used bool, err error) {
	switch state := le.Uint32(p.bytes); {
	case state == stateEmpty && blank(p.bytes):
		return false, nil
	case state == stateEmpty:
		return false, errors.New("is marked empty and is not")
	case state == stateErasing:
		return false, errors.New("was being erased")
	case state != stateActive && state != stateFull:
		return false, fmt.Errorf("state %#08x: unknown", state)
	case le.Uint32(p.bytes[28:]) != headerSum(p.bytes):
		return false, errors.New("checksum of the header is wrong")
	case p.bytes[8] != version2:
		return false, fmt.Errorf("version %#02x: only %#02x, format version 2, is read", p.bytes[8], version2)
	case !blank(p.bytes[9:28]), p.bytes[63] < 0xf0:
		return false, errors.New("bits without a meaning are not 1")
	}
	return true, nil
}

// entries reads the items of p.
func (r *reader) entries(p page) {
	for i := 0; i < pageEntries; {
		switch entryState(p.bytes, i) {
		case entryWritten:
			i += r.item(p, i)
			continue
		case entryErased:
		case entryEmpty:
			if !blank(entryAt(p.bytes, i, 1)) {
				r.report(p.number, i, errors.New("is marked empty and is not"))
			}
		default:
			r.report(p.number, i, errors.New("state 01 has no meaning"))
		}
		i++
	}
}

// item reads the item that begins at entry i and returns its length in entries.
// After a wrong checksum that is unknown; like a board it then tries the next
// entry.
func (r *reader) item(p page, i int) int {
	h := entryAt(p.bytes, i, 1)
	if le.Uint32(h[4:]) != entrySum(h) {
		// It may be part of a value: nothing of it goes into the report.
		r.report(p.number, i, errors.New("checksum is wrong"))
		return 1
	}
	it, err := p.readItem(h, i)
	if err != nil {
		r.report(p.number, i, err)
	} else {
		r.items = append(r.items, it)
	}
	return min(max(1, int(h[2])), pageEntries-i)
}

// report adds to the damage; equal findings one after the other are one.
func (r *reader) report(page, entry int, err error) {
	d := Damage{Page: page, Entry: entry, Count: 1, Reason: err.Error()}
	if n := len(r.damage); n > 0 && entry >= 0 {
		last := &r.damage[n-1]
		if last.Page == page && last.Entry+last.Count == entry && last.Reason == d.Reason {
			last.Count++
			return
		}
	}
	r.damage = append(r.damage, d)
}
