package partition

import (
	"crypto/md5"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestParseRefuses(t *testing.T) {
	good := vector(t, "partition/loader-4mb.bin") // six entries, MD5 at 0xc0
	put := func(at int, b ...byte) []byte {       // with the MD5 made good
		file := slices.Clone(good)
		copy(file[at:], b)
		sum := md5.Sum(file[:0xc0])
		copy(file[0xd0:], sum[:])
		return file
	}
	endless := slices.Clone(good)
	for at := 0; at < len(endless); at += rowSize {
		copy(endless[at:], good[:rowSize])
	}
	for _, c := range []struct {
		name string
		file []byte
		want string
	}{
		{"empty", nil, "partition table of 0 bytes, want 3072 or 4096"},
		{"cut", good[:64], "partition table of 64 bytes"},
		{"magic", put(0x20, 0xab), "row at offset 0x20: magic ab 50, want aa 50"},
		{"type of ESP-IDF", put(0x22, 0x3f), "row at offset 0x20: type 0x3f"},
		{"flags", put(0x3c, 4), "row at offset 0x20: unknown flags 0x4"},
		{"no name", put(0x2c, 0), "row at offset 0x20: name"},
		{"behind the name", put(0x3b, 'x'), `row at offset 0x20: name "otadata": something follows`},
		{"control character", put(0x2c, 0x1b), "row at offset 0x20: name"},
		{"MD5", func() []byte { f := slices.Clone(good); f[0xd0] ^= 1; return f }(), "MD5 at offset 0xc0"},
		{"two MD5", put(0xe0, good[0xc0:0xe0]...), "row at offset 0xe0: follows the MD5"},
		{"an entry behind the MD5", put(0xe0, good[:0x20]...), "row at offset 0xe0: follows the MD5"},
		{"behind the last row", put(0x100, good[:0x20]...), "partition table: something follows its last row"},
		{"no last row", endless, "partition table: the last row of 0xff is missing"},
		{"behind the table", append(slices.Clone(good), make([]byte, sector-binarySize)...), "partition table: something follows"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := Parse(c.file); err == nil || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// A table of 2017 has no MD5.
func TestParseWithoutMD5(t *testing.T) {
	good := vector(t, "partition/loader-4mb.bin")
	want, err := Parse(good)
	if err != nil {
		t.Fatal(err)
	}
	old := slices.Clone(good)
	copy(old[0xc0:], lastRow)
	if got, err := Parse(old); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
}

func TestBinaryBounds(t *testing.T) {
	var table Table
	for i := range maxEntries {
		table = append(table, Entry{Name: fmt.Sprintf("p%d", i), Kind: 0x4000, Offset: uint32(0x9000 + i*sector), Size: sector})
	}
	b, err := table.Binary()
	if err != nil {
		t.Fatal(err)
	}
	if back, err := Parse(b); err != nil || len(back) != maxEntries {
		t.Errorf("got %d entries, %v, want %d", len(back), err, maxEntries)
	}
	for _, c := range []struct {
		name  string
		table Table
		want  string
	}{
		{"one too many", append(table, Entry{Name: "x", Kind: 0x4000, Size: 1}), "95 partitions: a table holds 94"},
		{"a long name", Table{{Name: strings.Repeat("n", 17)}}, "entry 0: name"},
		{"a type of ESP-IDF", Table{{Name: "n", Kind: 0x0500}}, "entry 0: type 0x05"},
	} {
		if _, err := c.table.Binary(); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
}

// Binary tables come unsorted, so that Check has more to find than ParseCSV.
func TestCheck(t *testing.T) {
	nvs := Entry{Name: "nvs", Kind: NVS, Offset: 0x9000, Size: 0x4000}
	app := Entry{Name: "ota_0", Kind: OTA(0), Offset: 0x10000, Size: 0x20000}
	for _, c := range []struct {
		name  string
		table Table
		want  string // of the error; empty: none
	}{
		{"unsorted", Table{app, nvs}, ""},
		{"overlap", Table{app, nvs, {Name: "x", Kind: PHY, Offset: 0x2f000, Size: 0x2000}}, "entry 2: partition x: begins at 0x2f000, inside ota_0, which ends at 0x30000"},
		{"overlap from below", Table{app, {Name: "x", Kind: PHY, Offset: 0xf000, Size: 0x2000}}, "entry 0: partition ota_0: begins at 0x10000, inside x"},
		{"in the table", Table{{Name: "x", Kind: PHY, Offset: 0x8000, Size: 0x1000}}, "entry 0: partition x: offset 0x8000 is below 0x9000"},
		{"empty", Table{{Name: "x", Kind: PHY, Offset: 0x9000}}, "entry 0: partition x: size 0"},
		{"past 4 GiB", Table{{Name: "x", Kind: 0x4000, Offset: 0xfffff000, Size: 0xfffff000}}, "entry 0: partition x: ends at 0x1ffffe000"},
	} {
		err := c.table.Check(Layout{FlashSize: 4 << 20})
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.HasPrefix(err.Error(), c.want)) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
}

func TestFind(t *testing.T) {
	table, err := Parse(vector(t, "partition/loader-4mb.bin"))
	if err != nil {
		t.Fatal(err)
	}
	if e, ok := table.Find("ota_0"); !ok || e.Size != 0x2d0000 || e.Kind.String() != "app/ota_0" {
		t.Errorf("ota_0: got %+v, %v", e, ok)
	}
	if e, ok := table.FindKind(OTAData); !ok || e.Offset != 0xd000 {
		t.Errorf("otadata: got %+v, %v", e, ok)
	}
	if e, ok := table.Find("ota_1"); ok {
		t.Errorf("ota_1: got %+v", e)
	}
	if e, ok := table.FindKind(OTA(1)); ok {
		t.Errorf("OTA(1): got %+v", e)
	}
	if got := Kind(0x4155).String(); got != "0x41/0x55" {
		t.Errorf("a kind without a name: got %s", got)
	}
}
