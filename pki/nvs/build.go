package nvs

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// Build writes the image of a partition of that size in bytes. Entries are
// written in their order, each namespace before its first key. It refuses a name
// that comes twice, and what the format or the partition has no room for.
func Build(size int, entries []Entry) ([]byte, error) {
	w, err := newWriter(size)
	if err != nil {
		return nil, err
	}
	for i, e := range entries {
		if err := e.check(); err != nil {
			return nil, fmt.Errorf("entry %d: %w", i, err)
		}
		if err := w.add(e); err != nil {
			return nil, fmt.Errorf("entry %d: %s: %w", i, e.name(), err)
		}
	}
	return w.image, nil
}

// check says why e cannot be stored in any partition.
func (e Entry) check() error {
	if err := checkName("namespace", e.Namespace); err != nil {
		return err
	}
	if err := checkName("key", e.Key); err != nil {
		return err
	}
	if err := checkValue(e.Value); err != nil {
		return fmt.Errorf("%s: %w", e.name(), err)
	}
	return nil
}

// A writer fills the pages of an image one after the other.
type writer struct {
	image      []byte
	pages      int // that may be used
	page, used int // the active page, and its entries that are written
	namespaces map[string]uint8
	names      map[name]bool // what has been written
}

func newWriter(size int) (*writer, error) {
	if err := checkSize(size); err != nil {
		return nil, err
	}
	w := &writer{
		image:      bytes.Repeat([]byte{0xff}, size),
		pages:      size / pageSize,
		namespaces: map[string]uint8{},
		names:      map[name]bool{},
	}
	if w.pages >= 3 {
		w.pages-- // the empty page that a board needs
	}
	w.begin(0)
	return w, nil
}

// active returns the page that is being written.
func (w *writer) active() []byte { return w.image[w.page*pageSize:][:pageSize] }

// begin makes page n the active one.
func (w *writer) begin(n int) {
	w.page, w.used = n, 0
	p := w.active()
	le.PutUint32(p, stateActive)
	le.PutUint32(p[4:], uint32(n))
	p[8] = version2
	le.PutUint32(p[28:], headerSum(p))
}

// turn leaves the active page as full and begins the next one.
func (w *writer) turn() error {
	if w.page+1 == w.pages {
		return fmt.Errorf("partition of %d bytes is full", len(w.image))
	}
	le.PutUint32(w.active(), stateFull)
	w.begin(w.page + 1)
	return nil
}

func (w *writer) add(e Entry) error {
	if w.names[e.name()] {
		return errors.New("is there already")
	}
	w.names[e.name()] = true
	ns, err := w.namespace(e.Namespace)
	if err != nil {
		return err
	}
	switch v := e.Value.(type) {
	case String:
		return w.string(ns, e.Key, append([]byte(v), 0))
	case Blob:
		return w.blob(ns, e.Key, v)
	default:
		return w.number(ns, e.Key, v)
	}
}

// namespace returns the number of a namespace, which it writes when it is new.
func (w *writer) namespace(name string) (uint8, error) {
	if n, ok := w.namespaces[name]; ok {
		return n, nil
	}
	if len(w.namespaces) == maxNamespaces {
		return 0, fmt.Errorf("more than %d namespaces", maxNamespaces)
	}
	n := uint8(len(w.namespaces) + 1)
	w.namespaces[name] = n
	return n, w.number(0, name, U8(n))
}

func (w *writer) number(ns uint8, key string, v Value) error {
	field, err := binary.Append(nil, le, v)
	if err != nil {
		return err
	}
	return w.single(item{ns: ns, kind: v.kind(), chunk: anyChunk, key: key}, field)
}

// single writes an item of one entry.
func (w *writer) single(it item, field []byte) error {
	if w.used == pageEntries {
		if err := w.turn(); err != nil {
			return err
		}
	}
	w.put(it, field)
	return nil
}

// string writes a string with its NUL. Like the vendor's generator it leaves a
// page's last entry free, unless the string fits no page otherwise.
func (w *writer) string(ns uint8, key string, data []byte) error {
	if w.used > 0 && w.used+1+slots(len(data)) >= pageEntries {
		if err := w.turn(); err != nil {
			return err
		}
	}
	w.put(item{ns: ns, kind: kindString, chunk: anyChunk, key: key, data: data}, dataField(data))
	return nil
}

// blob writes what fits into each page as a chunk, and the index behind them.
func (w *writer) blob(ns uint8, key string, b []byte) error {
	count := 0
	for rest := b; count == 0 || len(rest) > 0; count++ {
		if count == maxChunks {
			return fmt.Errorf("blob of %d bytes: lies on more than %d pages", len(b), maxChunks)
		}
		if w.used >= pageEntries-1 {
			if err := w.turn(); err != nil {
				return err
			}
		}
		n := min(len(rest), (pageEntries-1-w.used)*entrySize)
		w.put(item{ns: ns, kind: kindChunk, chunk: uint8(count), key: key, data: rest[:n]}, dataField(rest[:n]))
		rest = rest[n:]
	}
	field := append(le.AppendUint32(nil, uint32(len(b))), uint8(count), 0)
	return w.single(item{ns: ns, kind: kindIndex, chunk: anyChunk, key: key}, field)
}

// dataField describes the data that follow an entry.
func dataField(data []byte) []byte {
	field := le.AppendUint16(nil, uint16(len(data)))
	field = append(field, 0xff, 0xff)
	return le.AppendUint32(field, checksum(data))
}

// put writes an item, which the active page has room for, and marks its entries.
func (w *writer) put(it item, field []byte) {
	span := 1 + slots(len(it.data))
	p := w.active()
	e := entryAt(p, w.used, span)
	e[0], e[1], e[2], e[3] = it.ns, uint8(it.kind), uint8(span), it.chunk
	clear(e[8:24])
	copy(e[8:], it.key)
	copy(e[24:], field)
	copy(e[entrySize:], it.data)
	le.PutUint32(e[4:], entrySum(e))
	for range span {
		p[32+w.used/4] &^= 1 << (2 * (w.used % 4))
		w.used++
	}
}
