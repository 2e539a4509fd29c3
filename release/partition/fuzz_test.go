package partition

import (
	"bytes"
	"crypto/md5"
	"reflect"
	"slices"
	"testing"
)

// resealed replaces the MD5 of a table, which no mutation hits.
func resealed(b []byte) []byte {
	b = slices.Clone(b)
	for at := 0; at+rowSize <= len(b); at += rowSize {
		if bytes.HasPrefix(b[at:], md5Magic) {
			sum := md5.Sum(b[:at])
			copy(b[at+len(md5Magic):], sum[:])
			break
		}
	}
	return b
}

// What Parse accepts is written again to the same bytes, but for the MD5 that
// an old table lacks.
func FuzzParse(f *testing.F) {
	for _, name := range []string{"partition/loader-4mb.bin", "partition/two-ota-8mb.bin", "negative/partition-loader-4mb.flip-size.bin"} {
		f.Add(vector(f, name))
	}
	f.Add(bytes.Repeat([]byte{0xff}, sector))
	f.Fuzz(func(t *testing.T, b []byte) {
		b = resealed(b)
		table, err := Parse(b)
		if err != nil || len(table) > maxEntries { // one more where there is no MD5
			return
		}
		again, err := table.Binary()
		if err != nil {
			t.Fatal(err)
		}
		if end := rowSize * len(table); !bytes.Equal(again[:end], b[:end]) || b[end] == md5Magic[0] && !bytes.Equal(again, b[:binarySize]) {
			t.Errorf("got %x, want %x", again, b)
		}
		_ = table.Check(Layout{FlashSize: 4 << 20})
	})
}

// What ParseCSV accepts survives being written, as text and as bytes.
func FuzzParseCSV(f *testing.F) {
	for _, name := range []string{"partition/loader-4mb.csv", "partition/two-ota-8mb.csv"} {
		f.Add(string(vector(f, name)))
	}
	f.Add("a,data,0x40,0x10000,-0x30000,encrypted:readonly\nboot,bootloader,primary,0x1000,0x7000")
	f.Fuzz(func(t *testing.T, text string) {
		table, err := ParseCSV([]byte(text), Layout{})
		if err != nil || len(table) > maxEntries {
			return
		}
		if again, err := ParseCSV(table.CSV(), Layout{}); err != nil || !reflect.DeepEqual(again, table) {
			t.Errorf("CSV: got %+v, %v, want %+v", again, err, table)
		}
		b, err := table.Binary()
		if err != nil {
			t.Fatal(err)
		}
		if back, err := Parse(b); err != nil || !reflect.DeepEqual(back, table) {
			t.Errorf("binary: got %+v, %v, want %+v", back, err, table)
		}
	})
}

// Whatever otadata holds, a board with a factory app boots an app.
func FuzzOTAData(f *testing.F) {
	for _, name := range []string{"otadata/erased.bin", "otadata/seq1-undefined.bin", "otadata/seq4-valid_seq5-new.bin"} {
		b := vector(f, name)
		f.Add(b[:recordSize], b[sector:sector+recordSize], true)
	}
	table := tableOf(f, "factory+ota_0+ota_1+ota_2")
	f.Fuzz(func(t *testing.T, first, second []byte, rollback bool) {
		b := ErasedOTAData()
		copy(b[:sector], first)
		copy(b[sector:], second)
		r, err := ParseOTAData(b)
		if err != nil {
			t.Fatal(err)
		}
		if e, err := r.Boot(table, rollback); err != nil || e.Kind.Type() != typeApp {
			t.Errorf("got %+v, %v, want an app", e, err)
		}
	})
}
