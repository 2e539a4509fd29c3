package nvs

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

func vector(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// openVector answers for the files that the tables name.
func openVector(t testing.TB) func(string) ([]byte, error) {
	return func(path string) ([]byte, error) { return vector(t, path), nil }
}

func vectorEntries(t testing.TB, name string) []Entry {
	t.Helper()
	entries, err := ParseCSV(vector(t, name), openVector(t))
	if err != nil {
		t.Fatal(err)
	}
	return entries
}

func vectorKeys(t testing.TB, name string) Keys {
	t.Helper()
	k, err := ParseKeys(vector(t, name))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

var deviceEntries = []Entry{
	{"loader", "server", String("update.example.net")},
	{"loader", "port", U16(8123)},
	{"loader", "serial", String("D-000042")},
	{"loader", "flags", U32(2684354561)},
	{"loader", "offset", I32(-42)},
	{"loader", "uid", Blob{0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff}},
	{"loader", "token", Blob{0xde, 0xad, 0xbe, 0xef, 0, 1, 2, 3}},
	{"eap", "identity", String("dev-000042@example.net")},
	{"eap", "retries", U8(5)},
	{"eap", "big", U64(18446744073709551615)},
	{"eap", "small", I64(-9223372036854775808)},
}

// reveal makes values comparable in a failure's text: they print as nothing else.
func reveal(entries []Entry) string {
	b, _ := json.Marshal(entries)
	return string(b)
}

// What the vendor's generator makes of a table, we make, and read again.
func TestVendorImages(t *testing.T) {
	for _, c := range []struct {
		table, image string
		keys         string
	}{
		{table: "nvs/device.csv", image: "nvs/device.bin"},
		{table: "nvs/device.csv", image: "nvs/device-enc.bin", keys: "nvs/nvs-keys-a.bin"},
		{table: "nvs/multipage.csv", image: "nvs/multipage.bin"},
		{table: "nvs/edges.csv", image: "nvs/edges.bin"},
		{table: "nvs/edges.csv", image: "nvs/edges-enc.bin", keys: "nvs/nvs-keys-hmac-a.bin"},
	} {
		t.Run(c.image, func(t *testing.T) {
			want := vector(t, c.image)
			entries := vectorEntries(t, c.table)
			plain, err := Build(len(want), entries)
			if err != nil {
				t.Fatal(err)
			}
			got := plain
			if c.keys != "" {
				k := vectorKeys(t, c.keys)
				if got, err = Encrypt(plain, k); err != nil {
					t.Fatal(err)
				}
				if back, err := Decrypt(want, k); err != nil || !bytes.Equal(back, plain) {
					t.Errorf("decrypts to other bytes, %v", err)
				}
			}
			if !bytes.Equal(got, want) {
				t.Errorf("other bytes than the vendor's, first at %#x", firstDifference(got, want))
			}
			if back, err := Parse(plain); err != nil || !reflect.DeepEqual(back, entries) {
				t.Errorf("got %s, %v\nwant %s", reveal(back), err, reveal(entries))
			}
		})
	}
}

func firstDifference(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

func TestDeviceTable(t *testing.T) {
	if got := vectorEntries(t, "nvs/device.csv"); !reflect.DeepEqual(got, deviceEntries) {
		t.Errorf("got  %s\nwant %s", reveal(got), reveal(deviceEntries))
	}
}

// The manifest says how the files must be judged.
func TestManifest(t *testing.T) {
	var m struct {
		NVS      map[string]struct{ SHA256 string }
		Negative map[string]struct{ SHA256 string }
	}
	if err := json.Unmarshal(vector(t, "manifest.json"), &m); err != nil {
		t.Fatal(err)
	}
	const flipped = "negative/nvs-device.flip-port.bin"
	m.NVS[flipped] = m.Negative[flipped]
	if len(m.NVS) != 5 {
		t.Errorf("%d files, want 5", len(m.NVS))
	}
	for name, want := range m.NVS {
		if sum := sha256.Sum256(vector(t, name)); hex.EncodeToString(sum[:]) != want.SHA256 {
			t.Errorf("%s is not the file of the manifest", name)
		}
	}
}

// One bit of loader/port has changed: a board drops that key and finds the rest.
func TestFlippedBit(t *testing.T) {
	got, err := Parse(vector(t, "negative/nvs-device.flip-port.bin"))
	e := new(DamageError)
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want damage", err)
	}
	if want := []Damage{{Page: 0, Entry: 3, Count: 1, Reason: "checksum is wrong"}}; !reflect.DeepEqual(e.Damage, want) {
		t.Errorf("got %v, want %v", e.Damage, want)
	}
	want := append(append([]Entry{}, deviceEntries[0]), deviceEntries[2:]...)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %s\nwant %s", reveal(got), reveal(want))
	}
	if err.Error() != "page 0 entry 3: checksum is wrong" {
		t.Errorf("got %q", err)
	}
}
