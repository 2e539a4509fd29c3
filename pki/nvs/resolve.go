package nvs

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// A chunkName says which chunk of which blob.
type chunkName struct {
	ns     uint8
	key    string
	number uint8
}

// resolve makes entries of items: it gives namespaces their names and puts blobs
// together.
func (r *reader) resolve() (entries []Entry) {
	namespaces := r.namespaces()
	chunks := r.chunks()
	seen := map[name]bool{}
	for _, it := range r.items {
		if it.ns == 0 || it.kind == kindChunk {
			continue
		}
		v, err := it.value(chunks)
		namespace, known := namespaces[it.ns]
		e := Entry{namespace, it.key, v}
		switch {
		case err != nil:
		case !known:
			err = fmt.Errorf("namespace %d is not defined", it.ns)
		case seen[e.name()]:
			err = errors.New("is there already")
		default:
			seen[e.name()] = true
			entries = append(entries, e)
		}
		if err != nil {
			r.reportItem(it, err)
		}
	}
	r.orphans(chunks)
	return entries
}

// namespaces returns their names by number.
func (r *reader) namespaces() map[uint8]string {
	names := map[uint8]string{}
	numbers := map[string]bool{}
	for _, it := range r.items {
		if it.ns != 0 {
			continue
		}
		n := uint8(it.bits)
		switch _, taken := names[n]; {
		case it.kind != kindU8 || n == 0 || n > maxNamespaces:
			r.reportItem(it, errors.New("is no definition of a namespace"))
		case taken || numbers[it.key]:
			r.reportItem(it, errors.New("the namespace is defined already"))
		default:
			names[n], numbers[it.key] = it.key, true
		}
	}
	return names
}

// chunks returns the chunks of all blobs.
func (r *reader) chunks() map[chunkName]item {
	chunks := map[chunkName]item{}
	for _, it := range r.items {
		if it.ns == 0 || it.kind != kindChunk {
			continue
		}
		name := chunkName{it.ns, it.key, it.chunk}
		if _, taken := chunks[name]; taken {
			r.reportItem(it, fmt.Errorf("chunk %d is there already", it.chunk))
			continue
		}
		chunks[name] = it
	}
	return chunks
}

// value returns the value of a number, a string or the index of a blob, which
// uses up its chunks.
func (it item) value(chunks map[chunkName]item) (Value, error) {
	switch it.kind {
	case kindString:
		return String(it.data), nil
	case kindIndex:
		return it.blob(chunks)
	}
	return numbers[it.kind].from(it.bits), nil
}

// blob puts the chunks together that an index counts. They are used up even when
// they turn out not to be a blob.
func (it item) blob(chunks map[chunkName]item) (Value, error) {
	size, count, first := uint32(it.bits), int(uint8(it.bits>>32)), uint8(it.bits>>40)
	if count == 0 || count > maxChunks || first&0x7f != 0 {
		return nil, fmt.Errorf("index of %d chunks from %d on", count, first)
	}
	b, missing := Blob{}, 0
	for n := range count {
		name := chunkName{it.ns, it.key, first + uint8(n)}
		c, ok := chunks[name]
		if !ok {
			missing++
		}
		b = append(b, c.data...)
		delete(chunks, name)
	}
	switch {
	case missing > 0:
		return nil, fmt.Errorf("%d of %d chunks are missing", missing, count)
	case uint32(len(b)) != size:
		return nil, fmt.Errorf("chunks of %d bytes for a blob of %d", len(b), size)
	}
	return b, nil
}

// orphans reports the chunks that no index counts.
func (r *reader) orphans(chunks map[chunkName]item) {
	inOrder := slices.SortedFunc(maps.Values(chunks), func(a, b item) int {
		return cmp.Or(cmp.Compare(a.page, b.page), cmp.Compare(a.entry, b.entry))
	})
	for _, it := range inOrder {
		r.reportItem(it, fmt.Errorf("no index counts chunk %d", it.chunk))
	}
}

func (r *reader) reportItem(it item, err error) {
	r.report(it.page, it.entry, fmt.Errorf("key %q: %w", it.key, err))
}
