package intelhex

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
)

const example = ":020000040801F1\n:040010003DB8F3966E\n:00000001FF\n"

func TestParse(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       []Chunk
	}{
		{"one", example, []Chunk{{0x08010010, []byte{0x3d, 0xb8, 0xf3, 0x96}}}},
		{"Windows, lower case", strings.ToLower(strings.ReplaceAll(example, "\n", "\r\n")), []Chunk{{0x08010010, []byte{0x3d, 0xb8, 0xf3, 0x96}}}},
		{"out of order, adjoining", ":01000100" + "02FC\n:01000000" + "01FE\n:00000001FF\n", []Chunk{{0, []byte{1, 2}}}},
		{"segments, a start", ":020000021000EC\n:0100000001FE\n:04000003000038" + "00C1\n:0400000508010000EE\n:00000001FF", []Chunk{{0x10000, []byte{1}}}},
		{"nothing", ":00000001FF\n", nil},
	} {
		got, err := Parse([]byte(c.text))
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %v, %v, want %v", c.name, got, err, c.want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"empty", "", "the record that ends the file is missing"},
		{"no end", example[:len(example)-12], "the record that ends the file is missing"},
		{"a colon", "3DB8\n", "line 1: a record begins with ':'"},
		{"no hex", ":0z\n", "line 1: not an even number of hex digits"},
		{"half a digit", example[:15] + "\n" + ":040010003DB8F396F\n", "line 2: not an even number"},
		{"too short", ":00000001\n", "line 1: record of 4 bytes"},
		{"another count", ":05001000" + "3DB8F396FD\n", "line 1: record of 9 bytes"},
		{"checksum", strings.Replace(example, "966E", "976E", 1), "line 2: checksum is wrong"},
		{"type", ":00000006FA\n", "line 1: record of unknown type 6"},
		{"a short upper half", ":0100000408F3\n", "line 1: record of type 4 with 1 bytes, want 2"},
		{"behind the end", example + ":00000001FF\n", "line 4: follows the record"},
		{"twice", ":0100000001FE\n:0100000001FE\n:00000001FF\n", "address 0x0: stated twice"},
		{"past 4 GiB", ":02000004FFFFFC\n:02FFFF000102FD\n:00000001FF\n", "line 2: runs past the end"},
	} {
		if _, err := Parse([]byte(c.text)); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
}

func TestEncode(t *testing.T) {
	got, err := Encode(Chunk{0x0801fff8, bytes.Repeat([]byte{1}, 12)}, Chunk{0x10, []byte{2}})
	want := ":0100100002ED\n:020000040801F1\n:08FFF8000101010101010101F9\n:020000040802F0\n:0400000001010101F8\n:00000001FF\n"
	if err != nil || string(got) != want {
		t.Errorf("got\n%s%v, want\n%s", got, err, want)
	}
	for _, bad := range [][]Chunk{
		{{0, []byte{1, 2}}, {1, []byte{3}}},
		{{0xffffffff, []byte{1, 2}}},
	} {
		if _, err := Encode(bad...); err == nil {
			t.Errorf("%v: no error", bad)
		}
	}
}

func TestFlat(t *testing.T) {
	chunks := []Chunk{{0x104, []byte{2}}, {0x100, []byte{1}}}
	if at, data, err := Flat(chunks, 0xff, 5); err != nil || at != 0x100 || !bytes.Equal(data, []byte{1, 0xff, 0xff, 0xff, 2}) {
		t.Errorf("got %#x, % x, %v", at, data, err)
	}
	if _, _, err := Flat(chunks, 0xff, 4); err == nil || err.Error() != "addresses from 0x100 over 5 bytes: want at most 4" {
		t.Errorf("over the limit: got %v", err)
	}
}

// What Parse accepts is written again with the same meaning, and what is written
// parses.
func FuzzParse(f *testing.F) {
	f.Add([]byte(example))
	f.Add([]byte(":020000021000EC\n:0100000001FE\n:00000001FF"))
	f.Fuzz(func(t *testing.T, text []byte) {
		chunks, err := Parse(text)
		if err != nil {
			return
		}
		again, err := Encode(chunks...)
		if err != nil {
			t.Fatalf("written again: %v", err)
		}
		if back, err := Parse(again); err != nil || !reflect.DeepEqual(back, chunks) {
			t.Errorf("got %v, %v, want %v", back, err, chunks)
		}
	})
}
