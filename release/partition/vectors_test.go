package partition

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// manifest is the vectors' own account of themselves.
type manifest struct {
	Partition map[string]struct{ SHA256 string }
	OTAData   map[string]map[string]string // file → layout → slot that boots
}

func vectors(t testing.TB) (m manifest) {
	t.Helper()
	if err := json.Unmarshal(vector(t, "manifest.json"), &m); err != nil {
		t.Fatal(err)
	}
	if len(m.Partition) == 0 || len(m.OTAData) == 0 {
		t.Fatal("manifest.json: a table is empty")
	}
	return m
}

func vector(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var layouts = map[string]Layout{
	"partition/loader-4mb.bin":  {FlashSize: 4 << 20},
	"partition/two-ota-8mb.bin": {FlashSize: 8 << 20},
}

func TestVectorTables(t *testing.T) {
	for name, want := range vectors(t).Partition {
		t.Run(name, func(t *testing.T) {
			table, err := ParseCSV(vector(t, strings.TrimSuffix(name, ".bin")+".csv"), layouts[name])
			if err != nil {
				t.Fatal(err)
			}
			got, err := table.Binary()
			if err != nil {
				t.Fatal(err)
			}
			if sum := sha256.Sum256(got); hex.EncodeToString(sum[:]) != want.SHA256 || !bytes.Equal(got, vector(t, name)) {
				t.Errorf("got %x, want the vendor's bytes", got[:32*(len(table)+1)])
			}
			back, err := Parse(got)
			if err != nil || !reflect.DeepEqual(back, table) {
				t.Errorf("read back: got %+v, %v, want %+v", back, err, table)
			}
			again, err := ParseCSV(table.CSV(), layouts[name])
			if err != nil || !reflect.DeepEqual(again, table) {
				t.Errorf("written as CSV and read: got %+v, %v, want %+v", again, err, table)
			}
		})
	}
}

func TestVectorNegative(t *testing.T) {
	_, err := Parse(vector(t, "negative/partition-loader-4mb.flip-size.bin"))
	if err == nil || !strings.Contains(err.Error(), "MD5 at offset") {
		t.Errorf("got %v, want a wrong MD5", err)
	}
}

// tableOf makes a table of apps with the names of their subtypes, and otadata.
func tableOf(t testing.TB, apps string) Table {
	t.Helper()
	text := "otadata,data,ota,0xd000,0x2000\n"
	for name := range strings.SplitSeq(apps, "+") {
		text += name + ",app," + name + ",,1M\n"
	}
	table, err := ParseCSV([]byte(text), Layout{})
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func TestVectorOTAData(t *testing.T) {
	for name, cases := range vectors(t).OTAData {
		for apps, want := range cases {
			t.Run(name+" "+apps, func(t *testing.T) {
				r, err := ParseOTAData(vector(t, name))
				if err != nil {
					t.Fatal(err)
				}
				got, err := r.Boot(tableOf(t, apps), false)
				if err != nil || got.Name != want {
					t.Errorf("got %q, %v, want %q", got.Name, err, want)
				}
			})
		}
	}
	if !bytes.Equal(ErasedOTAData(), vector(t, "otadata/erased.bin")) {
		t.Error("ErasedOTAData: not the vector's bytes")
	}
}
