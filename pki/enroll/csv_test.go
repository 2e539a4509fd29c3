package enroll

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/tcpboot/tcpboot/pki/fleet"
)

// readAll reads a whole list, and joins its faults; with one it has no request.
func readAll(name string, r io.Reader) (all []Request, err error) {
	var faults []error
	for r, err := range ReadCSV(name, r) {
		if err != nil {
			faults = append(faults, err)
			continue
		}
		all = append(all, r)
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return all, nil
}

func TestReadCSV(t *testing.T) {
	got, err := readAll("boards.csv", strings.NewReader(`
# the east wing
name, MAC, vlan, chip
"door 2, left", 24:6F:28:AA:10:02, 120, ESP32-C3

hall,246f28aa1003,,
`))
	if err != nil {
		t.Fatal(err)
	}
	want := []Request{
		{Where: Place{"boards.csv:", 4}, MAC: fleet.MAC{0x24, 0x6f, 0x28, 0xaa, 0x10, 2}, Name: "door 2, left", VLAN: 120, Chip: "esp32c3"},
		{Where: Place{"boards.csv:", 6}, MAC: fleet.MAC{0x24, 0x6f, 0x28, 0xaa, 0x10, 3}, Name: "hall"},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// Spreadsheets put a byte-order mark before the first column's name.
func TestReadCSVFromASpreadsheet(t *testing.T) {
	got, err := readAll("b.csv", strings.NewReader("\ufeffmac,name\r\n246f28aa1002,hall\r\n"))
	if err != nil || len(got) != 1 || got[0].Name != "hall" {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestReadCSVRefuses(t *testing.T) {
	for name, row := range map[string]struct{ in, why string }{
		"nothing":             {"", "b.csv: empty"},
		"no mac column":       {"name\nx\n", "b.csv:1: no column mac"},
		"unknown column":      {"mac,colour\n", `b.csv:1: unknown column "colour"`},
		"header further down": {"# boards\n\nname\n", "b.csv:3: no column mac"},
		"column twice":        {"mac,mac\n", `b.csv:1: column "mac" stands twice`},
		"bad mac":             {"mac\n246f28aa1002\nzz\n", `b.csv:3: MAC "zz": want twelve`},
		"bad vlan":            {"mac,vlan\n246f28aa1002,5000\n", `b.csv:2: VLAN "5000"`},
		"bad name":            {"mac,name\n246f28aa1002,\x1b[31m\n", "b.csv:2: name"},
		"newline in name":     {"mac,name\n246f28aa1002,\"a\nb\"\n", "b.csv:2: name"},
		"path in hardware":    {"mac,hardware\n246f28aa1002,../x\n", "b.csv:2: hardware"},
		"too few fields":      {"mac,name\n246f28aa1002\n", "b.csv:2: wrong number of fields"},
		"open quote":          {"mac,name\n246f28aa1002,\"a\n", "b.csv:2: extraneous"},
		"endless line":        {"mac\n" + strings.Repeat("a", maxLine+1), "b.csv:2: line longer"},
		"ten megabytes":       {"mac,name\n246f28aa1002," + strings.Repeat("a", 10<<20), "b.csv:2: line longer"},
		"an endless header":   {strings.Repeat("mac,", 1<<20), "b.csv:1: line longer"},
		"quoted without end":  {"mac,name\n246f28aa1002,\"" + strings.Repeat("a\n", 200), "b.csv"},
		"NUL in a name":       {"mac,name\n246f28aa1002,a\x00b\n", "b.csv:2: name"},
		"NUL in a MAC":        {"mac\n246f28aa10\x0002\n", "b.csv:2: MAC"},
		"NUL in a header":     {"mac\x00\n246f28aa1002\n", "b.csv:1: unknown column"},
		"lone return":         {"mac,name\n246f28aa1002,a\rb\n", "b.csv:2: name"},
		"column twice, cased": {"mac,vlan, VLAN \n", `b.csv:1: column "vlan" stands twice`},
		"a mark further down": {"mac\n\ufeff246f28aa1002\n", "b.csv:2: MAC"},
		"two marks":           {"\ufeff\ufeffmac\n", "b.csv:1: unknown column"},
		"UTF-16":              {"\xff\xfem\x00a\x00c\x00\n\x00", "b.csv:1: unknown column"},
		"bare quote":          {"mac,name\n246f28aa1002,a\"b\n", "b.csv:2: bare"},
		"a formula":           {"mac,vlan\n246f28aa1002,=1+1\n", "b.csv:2: VLAN"},
		"every fault":         {"mac\nzz\n246f28aa1002\nyy\n", "b.csv:4"},
	} {
		got, err := readAll("b.csv", strings.NewReader(row.in))
		if err == nil || got != nil || !strings.Contains(err.Error(), row.why) {
			t.Errorf("%s: got %v, %v; want an error with %q", name, got, err, row.why)
		}
	}
}

// A list either yields requests whose fields are all valid, or an error.
func FuzzReadCSV(f *testing.F) {
	f.Add("mac,name\n246f28aa1002,x\n")
	f.Add("mac\n\"246f28aa1002\"\n")
	f.Add("name,vlan,mac,chip,channel,hardware\na,1,246f28aa1002,esp32,stable,door\n")
	f.Fuzz(func(t *testing.T, s string) {
		rows, err := readAll("f", strings.NewReader(s))
		if err != nil && rows != nil {
			t.Errorf("rows beside an error: %v", err)
		}
		for _, r := range rows {
			if r.MAC == (fleet.MAC{}) || fleet.CheckLabel(r.Name) != nil || r.VLAN > 4094 || strings.ContainsAny(r.Hardware+r.Channel, "/\n%") {
				t.Errorf("bad request accepted: %+v", r)
			}
		}
	})
}

// An endless list is read no further than somebody asks: not to its end, which
// there is none of.
func TestReadCSVStops(t *testing.T) {
	endless := io.MultiReader(strings.NewReader("mac\n"), repeat("zz\n"))
	n := 0
	for _, err := range ReadCSV("endless", endless) {
		if err == nil {
			t.Fatal("no MAC, and no fault")
		}
		if n++; n == 3*maxFaults {
			break
		}
	}
	if n != 3*maxFaults {
		t.Errorf("%d faults", n)
	}
}

// repeat is a reader of one text, again and again.
type repeat string

func (r repeat) Read(p []byte) (int, error) {
	n := 0
	for n+len(r) <= len(p) {
		n += copy(p[n:], r)
	}
	return n, nil
}
