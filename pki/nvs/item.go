package nvs

import (
	"bytes"
	"errors"
	"fmt"
)

// readItem reads the item at entry i, whose header h has the right checksum.
func (p page) readItem(h []byte, i int) (item, error) {
	it := item{page: p.number, entry: i, ns: h[0], kind: kind(h[1]), chunk: h[3]}
	key, padding, _ := bytes.Cut(h[8:24], []byte{0})
	it.key = string(key)
	if err := checkName("key", it.key); err != nil {
		return item{}, err
	}
	if len(bytes.Trim(padding, "\x00")) > 0 {
		return item{}, errors.New("key: more behind its end")
	}
	raw, err := p.behind(i, int(h[2]))
	if err == nil {
		err = it.readField(h[24:], raw)
	}
	if err != nil {
		return item{}, fmt.Errorf("key %q: %w", it.key, err)
	}
	return it, nil
}

// behind returns the data of an item of span entries at entry i.
func (p page) behind(i, span int) ([]byte, error) {
	if span < 1 || span > pageEntries-i {
		return nil, fmt.Errorf("%d entries run past the end of the page", span)
	}
	for n := i; n < i+span; n++ {
		if entryState(p.bytes, n) != entryWritten {
			return nil, fmt.Errorf("entry %d belongs to it and is not written", n)
		}
	}
	return entryAt(p.bytes, i, span)[entrySize:], nil
}

// readField reads the eight bytes whose meaning depends on the type, and the
// entries behind the header.
func (it *item) readField(field, raw []byte) (err error) {
	if it.kind != kindChunk && it.chunk != anyChunk {
		return errors.New("is numbered like a chunk")
	}
	width := it.kind.width()
	switch _, number := numbers[it.kind]; {
	case it.kind == kindString:
		return it.readString(field, raw)
	case it.kind == kindChunk:
		it.data, err = readData(field, raw)
		return err
	case it.kind == kindIndex:
		width = 6
	case !number:
		return fmt.Errorf("%s: unknown", it.kind)
	}
	if len(raw) > 0 || !blank(field[width:]) {
		return errors.New("more behind its value")
	}
	it.bits = le.Uint64(field)
	return nil
}

// readString reads a string and takes off its NUL.
func (it *item) readString(field, raw []byte) error {
	data, err := readData(field, raw)
	if err != nil {
		return err
	}
	if bytes.IndexByte(data, 0) != len(data)-1 || len(data) == 0 {
		return errors.New("string: does not end with its one NUL")
	}
	it.data = data[:len(data)-1]
	return nil
}

// readData returns the data that field describes.
func readData(field, raw []byte) ([]byte, error) {
	size := int(le.Uint16(field))
	switch {
	case slots(size)*entrySize != len(raw):
		return nil, fmt.Errorf("%d bytes in %d entries", size, len(raw)/entrySize)
	case !blank(field[2:4]) || !blank(raw[size:]):
		return nil, errors.New("more behind its data")
	case le.Uint32(field[4:]) != checksum(raw[:size]):
		return nil, errors.New("checksum of its data is wrong")
	}
	return raw[:size], nil
}
