package nvs

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// many returns n numbers in one namespace: n + 1 entries on flash.
func many(n int) (entries []Entry) {
	for i := range n {
		entries = append(entries, Entry{"n", fmt.Sprintf("k%d", i), U8(i)})
	}
	return entries
}

func namespaces(n int) (entries []Entry) {
	for i := range n {
		entries = append(entries, Entry{fmt.Sprintf("n%d", i), "k", U8(i)})
	}
	return entries
}

func text(n int) String { return String(strings.Repeat("s", n)) }

// What the format has room for is written and read again.
func TestBuildLimits(t *testing.T) {
	for _, c := range []struct {
		name    string
		size    int
		entries []Entry
	}{
		{"nothing", 0x3000, nil},
		{"all numbers", 0x3000, []Entry{
			{"n", "a", U8(255)}, {"n", "b", I8(-128)}, {"n", "c", U16(65535)}, {"n", "d", I16(-32768)},
			{"n", "e", U32(1<<32 - 1)}, {"n", "f", I32(-1 << 31)}, {"n", "g", U64(1<<64 - 1)}, {"n", "h", I64(-1 << 63)},
		}},
		{"name of 15", 0x3000, []Entry{{"namespace_of_15", "key_of_fifteen_", U8(0)}}},
		{"names with spaces", 0x3000, []Entry{{" ", "~ ", U8(0)}}},
		{"slashes in names", 0x3000, []Entry{{"a/b", "c", U8(1)}, {"a", "b/c", U8(2)}}},
		{"same key in two namespaces", 0x3000, []Entry{{"a", "k", U8(1)}, {"b", "k", U8(2)}}},
		{"a namespace opened again", 0x3000, []Entry{{"a", "k", U8(1)}, {"b", "k", U8(2)}, {"a", "l", U8(3)}}},
		{"254 namespaces", 0x6000, namespaces(254)},
		{"two full pages", 0x3000, many(251)},
		{"one full page to read", 0x1000, many(125)},
		{"two full pages to read", 0x2000, many(251)},
		{"empty string and blob", 0x3000, []Entry{{"n", "s", String("")}, {"n", "b", Blob{}}}},
		{"longest string", 0x3000, []Entry{{"n", "s", text(3999)}}},
		{"string to the last entry but one", 0x2000, append(many(122), Entry{"n", "s", text(31)})},
		{"string that would take the last entry", 0x2000, append(many(123), Entry{"n", "s", text(31)})},
		{"string behind a full page", 0x2000, append(many(125), Entry{"n", "s", text(31)})},
		{"blob at the last entry of a page", 0x3000, append(many(124), Entry{"n", "b", Blob("b")})},
		{"blob behind a full page", 0x3000, append(many(125), Entry{"n", "b", Blob("b")})},
		{"blob over four pages", 0x6000, []Entry{{"n", "b", Blob(bytes.Repeat([]byte("blob"), 4000))}}},
		{"longest blob", 131 * pageSize, []Entry{{"n", "s", text(3999)}, {"n", "b", Blob(make([]byte, maxBlob))}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			image, err := Build(c.size, c.entries)
			if err != nil {
				t.Fatal(err)
			}
			back, err := Parse(image)
			if err != nil || len(image) != c.size || !reflect.DeepEqual(back, c.entries) {
				t.Fatalf("%d bytes, %v; got %s\nwant %s", len(image), err, reveal(back), reveal(c.entries))
			}
			if last := image[c.size-pageSize:]; c.size >= 0x3000 && !blank(last) {
				t.Error("no page stays empty")
			}
		})
	}
}

func TestBuildRefuses(t *testing.T) {
	one := U8(1)
	for _, c := range []struct {
		name    string
		size    int
		entries []Entry
		want    string
	}{
		{"no size", 0, nil, "partition of 0 bytes: want a multiple of 4096, up to 16777216"},
		{"negative size", -4096, nil, "partition of -4096 bytes: want a multiple of 4096, up to 16777216"},
		{"half a page", 0x2800, nil, "partition of 10240 bytes: want a multiple of 4096, up to 16777216"},
		{"too large", maxSize + pageSize, nil, "partition of 16781312 bytes: want a multiple of 4096, up to 16777216"},
		{"no key", 0x3000, []Entry{{"n", "", one}}, "entry 0: key of 0 bytes: want 1 to 15"},
		{"key of 16", 0x3000, []Entry{{"n", "key_of_sixteen__", one}}, "entry 0: key of 16 bytes: want 1 to 15"},
		{"key with a NUL", 0x3000, []Entry{{"n", "a", one}, {"n", "a\x00b", one}}, "entry 1: key: byte 1 is not printable ASCII"},
		{"key with an umlaut", 0x3000, []Entry{{"n", "ä", one}}, "entry 0: key: byte 0 is not printable ASCII"},
		{"no namespace", 0x3000, []Entry{{"", "k", one}}, "entry 0: namespace of 0 bytes: want 1 to 15"},
		{"namespace of 16", 0x3000, []Entry{{"namespace_of_16_", "k", one}}, "entry 0: namespace of 16 bytes: want 1 to 15"},
		{"no value", 0x3000, []Entry{{"n", "k", nil}}, "entry 0: n/k: no value"},
		{"pointer to a value", 0x3000, []Entry{{"n", "k", &one}}, "entry 0: n/k: value of type *nvs.U8: want the type itself"},
		{"pointer to nothing", 0x3000, []Entry{{"n", "k", (*Blob)(nil)}}, "entry 0: n/k: value of type *nvs.Blob: want the type itself"},
		{"string of 4000", 0x3000, []Entry{{"n", "k", text(4000)}}, "entry 0: n/k: string of 4000 bytes: at most 3999"},
		{"string with a NUL", 0x3000, []Entry{{"n", "k", String("a\x00b")}}, "entry 0: n/k: string: holds a NUL, where a board would end it"},
		{"blob too long", maxSize, []Entry{{"n", "k", Blob(make([]byte, maxBlob+1))}}, "entry 0: n/k: blob of 508001 bytes: at most 508000"},
		{"blob on 128 pages", maxSize, []Entry{{"n", "k", Blob(make([]byte, maxBlob))}}, "entry 0: n/k: blob of 508000 bytes: lies on more than 127 pages"},
		{"twice", 0x3000, []Entry{{"n", "k", one}, {"m", "k", one}, {"n", "k", String("")}}, "entry 2: n/k: is there already"},
		{"255 namespaces", 0x10000, namespaces(255), "entry 254: n254/k: more than 254 namespaces"},
		{"numbers over the end", 0x3000, many(252), "entry 251: n/k251: partition of 12288 bytes is full"},
		{"numbers over the end, read-only", 0x1000, many(126), "entry 125: n/k125: partition of 4096 bytes is full"},
		{"string over the end", 0x1000, append(many(123), Entry{"n", "s", text(31)}), "entry 123: n/s: partition of 4096 bytes is full"},
		{"blob over the end", 0x1000, append(many(124), Entry{"n", "b", Blob{}}), "entry 124: n/b: partition of 4096 bytes is full"},
		{"index over the end", 0x1000, append(many(123), Entry{"n", "b", Blob("b")}), "entry 123: n/b: partition of 4096 bytes is full"},
		{"namespace over the end", 0x1000, append(many(125), Entry{"m", "k", one}), "entry 125: m/k: partition of 4096 bytes is full"},
	} {
		t.Run(c.name, func(t *testing.T) {
			image, err := Build(c.size, c.entries)
			if err == nil || err.Error() != c.want {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
			if image != nil {
				t.Error("made an image all the same")
			}
		})
	}
}
