package nvs

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"
)

// reseal makes the checksums of written entries and of page headers right again,
// so that what lies behind them is looked at.
func reseal(image []byte) {
	for at := 0; at+pageSize <= len(image); at += pageSize {
		p := image[at:][:pageSize]
		if blank(p[:4]) {
			continue
		}
		le.PutUint32(p[28:], headerSum(p))
		for i := 0; i < pageEntries; {
			span := 1
			if h := entryAt(p, i, 1); entryState(p, i) == entryWritten {
				span = min(max(1, int(h[2])), pageEntries-i)
				resealEntry(h, entryAt(p, i, span)[entrySize:])
			}
			i += span
		}
	}
}

func resealEntry(h, raw []byte) {
	size := int(le.Uint16(h[24:]))
	if k := kind(h[1]); (k == kindString || k == kindChunk) && size <= len(raw) {
		le.PutUint32(h[28:], checksum(raw[:size]))
	}
	le.PutUint32(h[4:], entrySum(h))
}

// sample has a page for each thing that can break:
//
//	page 0: 0 namespace a, 1 a/n, 2-3 a/s, 4-125 first chunk of a/b
//	page 1: 0-37 second chunk, 38 index, 39 namespace c, 40 c/n
func sample(t testing.TB) []byte {
	t.Helper()
	image, err := Build(0x3000, []Entry{
		{"a", "n", U8(1)},
		{"a", "s", String("text")},
		{"a", "b", Blob(bytes.Repeat([]byte{7}, 121*entrySize+37*entrySize))},
		{"c", "n", I16(-2)},
	})
	if err != nil {
		t.Fatal(err)
	}
	return image
}

func TestParseJudges(t *testing.T) {
	const page1 = pageSize
	at := func(page, entry, offset int) int {
		return page*pageSize + firstEntry + entry*entrySize + offset
	}
	state := func(page, entry int, s byte) func(b []byte) {
		return func(b []byte) {
			p := &b[page*pageSize+32+entry/4]
			*p = *p&^(3<<(2*(entry%4))) | s<<(2*(entry%4))
		}
	}
	set := func(offset int, v ...byte) func([]byte) { return func(b []byte) { copy(b[offset:], v) } }
	for _, c := range []struct {
		name   string
		seal   bool // make the checksums right again
		do     func(b []byte)
		left   string // names of the entries that are still good
		damage string
	}{
		{"nothing", true, func([]byte) {}, "a/n a/s a/b c/n", ""},
		{"blank", false, func(b []byte) { copy(b, bytes.Repeat([]byte{0xff}, len(b))) }, "", ""},
		{"zeroes", false, func(b []byte) { clear(b) }, "", "page 0: state 0x00000000: unknown; page 1: state 0x00000000: unknown; page 2: state 0x00000000: unknown"},

		{"page state", false, set(page1, 0xfd), "a/n a/s", "page 1: state 0xfffffffd: unknown; page 0 entry 4: key \"b\": no index counts chunk 0"},
		{"page being erased", false, set(page1, 0xf8), "a/n a/s", "page 1: was being erased; page 0 entry 4: key \"b\": no index counts chunk 0"},
		{"page marked empty", false, set(page1, 0xff), "a/n a/s", "page 1: is marked empty and is not; page 0 entry 4: key \"b\": no index counts chunk 0"},
		{"one bit in an empty page", false, set(2*pageSize+4095, 0xfe), "a/n a/s a/b c/n", "page 2: is marked empty and is not"},
		{"page header", false, set(page1+4, 2), "a/n a/s", "page 1: checksum of the header is wrong; page 0 entry 4: key \"b\": no index counts chunk 0"},
		{"version 1", true, set(page1+8, 0xff), "a/n a/s", "page 1: version 0xff: only 0xfe, format version 2, is read; page 0 entry 4: key \"b\": no index counts chunk 0"},
		{"reserved bytes of a header", true, set(page1+20, 0), "a/n a/s", "page 1: bits without a meaning are not 1; page 0 entry 4: key \"b\": no index counts chunk 0"},
		{"states of entries that are none", true, set(page1+63, 0xaf), "a/n a/s", "page 1: bits without a meaning are not 1; page 0 entry 4: key \"b\": no index counts chunk 0"},
		{"two pages of one number", true, set(page1+4, 0), "a/n a/s", "page 1: has the sequence number of page 0; page 0 entry 4: key \"b\": no index counts chunk 0"},
		{"two active pages", false, set(0, 0xfe), "a/n a/s a/b c/n", "page 0: is active, but not the last"},

		{"an erased entry", false, state(0, 1, entryErased), "a/s a/b c/n", ""},
		{"an entry with a state of none", false, state(0, 1, 0b01), "a/s a/b c/n", "page 0 entry 1: state 01 has no meaning"},
		{"a written entry marked empty", false, state(1, 40, entryEmpty), "a/n a/s a/b", "page 1 entry 40: is marked empty and is not"},
		{"garbage marked written", false, state(1, 41, entryWritten), "a/n a/s a/b c/n", "page 1 entry 41: checksum is wrong"},
		{"data of a string erased", false, state(0, 3, entryErased), "a/n a/b c/n", "page 0 entry 2: key \"s\": entry 3 belongs to it and is not written"},

		{"key without an end", true, set(at(0, 1, 8), []byte("sixteen letters!")...), "a/s a/b c/n", "page 0 entry 1: key of 16 bytes: want 1 to 15"},
		{"empty key", true, set(at(0, 1, 8), 0), "a/s a/b c/n", "page 0 entry 1: key of 0 bytes: want 1 to 15"},
		{"key in other letters", true, set(at(0, 1, 8), 0x1b), "a/s a/b c/n", "page 0 entry 1: key: byte 0 is not printable ASCII"},
		{"more behind a key", true, set(at(0, 1, 12), 'x'), "a/s a/b c/n", "page 0 entry 1: key: more behind its end"},
		{"span 0", true, set(at(0, 1, 2), 0), "a/s a/b c/n", "page 0 entry 1: key \"n\": 0 entries run past the end of the page"},
		{"span over the end", true, set(at(1, 40, 2), 87), "a/n a/s a/b", "page 1 entry 40: key \"n\": 87 entries run past the end of the page"},
		{"number with entries behind it", true, set(at(0, 1, 2), 3), "a/b c/n", "page 0 entry 1: key \"n\": more behind its value"},
		{"number with more bytes", true, set(at(0, 1, 25), 0), "a/s a/b c/n", "page 0 entry 1: key \"n\": more behind its value"},
		{"number with a chunk", true, set(at(0, 1, 3), 0), "a/s a/b c/n", "page 0 entry 1: key \"n\": is numbered like a chunk"},
		{"type of floats", true, set(at(0, 1, 1), 0x24), "a/s a/b c/n", "page 0 entry 1: key \"n\": type 0x24: unknown"},
		{"blob of version 1", true, set(at(0, 2, 1), 0x41), "a/n a/b c/n", "page 0 entry 2: key \"s\": type 0x41: unknown"},
		{"namespace that is none", true, set(at(0, 1, 0), 9), "a/s a/b c/n", "page 0 entry 1: key \"n\": namespace 9 is not defined"},

		{"string shorter than its entries", true, set(at(0, 2, 24), 0), "a/n a/b c/n", "page 0 entry 2: key \"s\": 0 bytes in 1 entries"},
		{"string longer than its entries", true, set(at(0, 2, 24), 33), "a/n a/b c/n", "page 0 entry 2: key \"s\": 33 bytes in 1 entries"},
		{"string of 65535", true, set(at(0, 2, 24), 0xff, 0xff), "a/n a/b c/n", "page 0 entry 2: key \"s\": 65535 bytes in 1 entries"},
		{"string without a NUL", true, set(at(0, 3, 4), 'x'), "a/n a/b c/n", "page 0 entry 2: key \"s\": string: does not end with its one NUL"},
		{"string with two", true, set(at(0, 3, 2), 0), "a/n a/b c/n", "page 0 entry 2: key \"s\": string: does not end with its one NUL"},
		{"string without anything", true, func(b []byte) {
			set(at(0, 2, 2), 1)(b)
			set(at(0, 2, 24), 0, 0)(b)
			state(0, 3, entryErased)(b)
		}, "a/n a/b c/n", "page 0 entry 2: key \"s\": string: does not end with its one NUL"},
		{"more behind a string", true, set(at(0, 3, 31), 0), "a/n a/b c/n", "page 0 entry 2: key \"s\": more behind its data"},
		{"data of a string", false, set(at(0, 3, 0), 'T'), "a/n a/b c/n", "page 0 entry 2: key \"s\": checksum of its data is wrong"},

		{"data of a chunk", false, set(at(0, 9, 0), 8), "a/n a/s c/n", "page 0 entry 4: key \"b\": checksum of its data is wrong; page 1 entry 38: key \"b\": 1 of 2 chunks are missing"},
		{"index of more", true, set(at(1, 38, 24), 0xff), "a/n a/s c/n", "page 1 entry 38: key \"b\": chunks of 5056 bytes for a blob of 5119"},
		{"index of one chunk", true, set(at(1, 38, 28), 1), "a/n a/s c/n", "page 1 entry 38: key \"b\": chunks of 3872 bytes for a blob of 5056; page 1 entry 0: key \"b\": no index counts chunk 1"},
		{"index of none", true, set(at(1, 38, 28), 0), "a/n a/s c/n", "page 1 entry 38: key \"b\": index of 0 chunks from 0 on; page 0 entry 4: key \"b\": no index counts chunk 0; page 1 entry 0: key \"b\": no index counts chunk 1"},
		{"index of 255", true, set(at(1, 38, 28), 255), "a/n a/s c/n", "page 1 entry 38: key \"b\": index of 255 chunks from 0 on; page 0 entry 4: key \"b\": no index counts chunk 0; page 1 entry 0: key \"b\": no index counts chunk 1"},
		{"index of the other generation", true, set(at(1, 38, 29), 0x80), "a/n a/s c/n", "page 1 entry 38: key \"b\": 2 of 2 chunks are missing; page 0 entry 4: key \"b\": no index counts chunk 0; page 1 entry 0: key \"b\": no index counts chunk 1"},
		{"index of no generation", true, set(at(1, 38, 29), 1), "a/n a/s c/n", "page 1 entry 38: key \"b\": index of 2 chunks from 1 on; page 0 entry 4: key \"b\": no index counts chunk 0; page 1 entry 0: key \"b\": no index counts chunk 1"},
		{"a blob written again", true, func(b []byte) {
			set(at(0, 4, 3), 0x80)(b)
			set(at(1, 0, 3), 0x81)(b)
			set(at(1, 38, 29), 0x80)(b)
		}, "a/n a/s a/b c/n", ""},
		{"a chunk twice", true, set(at(1, 0, 3), 0), "a/n a/s c/n", "page 1 entry 0: key \"b\": chunk 0 is there already; page 1 entry 38: key \"b\": 1 of 2 chunks are missing"},
		{"blob without an index", false, state(1, 38, entryErased), "a/n a/s c/n", "page 0 entry 4: key \"b\": no index counts chunk 0; page 1 entry 0: key \"b\": no index counts chunk 1"},

		{"a name twice", true, set(at(1, 40, 0), 1), "a/n a/s a/b", "page 1 entry 40: key \"n\": is there already"},
		{"a namespace twice", true, set(at(1, 39, 8), 'a'), "a/n a/s a/b", "page 1 entry 39: key \"a\": the namespace is defined already; page 1 entry 40: key \"n\": namespace 2 is not defined"},
		{"a namespace number twice", true, set(at(1, 39, 24), 1), "a/n a/s a/b", "page 1 entry 39: key \"c\": the namespace is defined already; page 1 entry 40: key \"n\": namespace 2 is not defined"},
		{"namespace 0", true, set(at(1, 39, 24), 0), "a/n a/s a/b", "page 1 entry 39: key \"c\": is no definition of a namespace; page 1 entry 40: key \"n\": namespace 2 is not defined"},
		{"namespace 255", true, set(at(1, 39, 24), 255), "a/n a/s a/b", "page 1 entry 39: key \"c\": is no definition of a namespace; page 1 entry 40: key \"n\": namespace 2 is not defined"},
		{"namespace without keys", false, state(1, 40, entryErased), "a/n a/s a/b", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			image := sample(t)
			c.do(image)
			if c.seal {
				reseal(image)
			}
			entries, err := Parse(image)
			var left, damage []string
			for _, e := range entries {
				left = append(left, e.name().String())
			}
			if e := new(DamageError); errors.As(err, &e) {
				for _, d := range e.Damage {
					damage = append(damage, d.String())
				}
			} else if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(left, " "); got != c.left {
				t.Errorf("left %s, want %s", got, c.left)
			}
			if got := strings.Join(damage, "; "); got != c.damage {
				t.Errorf("got  %s\nwant %s", got, c.damage)
			}
		})
	}
}

func TestParseRefusesSizes(t *testing.T) {
	for _, size := range []int{0, 1, pageSize - 1, pageSize + 1, maxSize + pageSize} {
		if entries, err := Parse(make([]byte, size)); err == nil || errors.As(err, new(*DamageError)) || entries != nil {
			t.Errorf("%d bytes: %v, %v", size, entries, err)
		}
	}
}

func TestDamageErrorNamesTheFirst(t *testing.T) {
	_, err := Parse(make([]byte, 0x3000))
	if want := "page 0: state 0x00000000: unknown (and 2 more)"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// A board may have its pages in any order.
func TestParseSortsPages(t *testing.T) {
	image := sample(t)
	want, err := Parse(image)
	if err != nil {
		t.Fatal(err)
	}
	moved := append(bytes.Repeat([]byte{0xff}, pageSize), image[pageSize:2*pageSize]...)
	moved = append(moved, image[:pageSize]...)
	if got, err := Parse(moved); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %s, %v", reveal(got), err)
	}
}

// When the header of a string is lost, its data are looked at as headers: they
// must not get into the report, where a key would stand.
func TestDamageRepeatsNoValue(t *testing.T) {
	image, err := Build(0x3000, []Entry{{"n", "password", String("hunter2_" + strings.Repeat("hunter2", 40))}})
	if err != nil {
		t.Fatal(err)
	}
	image[firstEntry+entrySize+8] ^= 1
	entries, err := Parse(image)
	if want := "page 0 entries 1 to 11: checksum is wrong"; len(entries) > 0 || err == nil || err.Error() != want {
		t.Errorf("got %d entries, %v, want %s", len(entries), err, want)
	}
}
