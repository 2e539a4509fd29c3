package partition

import (
	"reflect"
	"strings"
	"testing"
)

func TestParseCSV(t *testing.T) {
	for _, c := range []struct {
		name, text string
		layout     Layout
		want       Table
	}{
		{"nothing", "# only this\n\n", Layout{}, nil},
		{"no offsets", "a,data,nvs,,12K\nb,app,ota_15,,0x10000\nc,0x40,0xfe,,1\nd,data,,,4k", Layout{}, Table{
			{Name: "a", Kind: NVS, Offset: 0x9000, Size: 0x3000},
			{Name: "b", Kind: OTA(15), Offset: 0x10000, Size: 0x10000},
			{Name: "c", Kind: 0x40fe, Offset: 0x20000, Size: 1},
			{Name: "d", Kind: 0x0106, Offset: 0x21000, Size: 0x1000},
		}},
		{"another place for the table", "a,data,phy,,4K", Layout{TableOffset: 0x10000}, Table{
			{Name: "a", Kind: PHY, Offset: 0x11000, Size: 0x1000},
		}},
		{"spaces, case, CRLF", "  a , DATA , Nvs , 0X9000 , 1m , \r\n", Layout{}, Table{
			{Name: "a", Kind: NVS, Offset: 0x9000, Size: 1 << 20},
		}},
		{"up to an end", "a,data,0x40,0x10000,-0x30000,encrypted:readonly", Layout{}, Table{
			{Name: "a", Kind: 0x0140, Offset: 0x10000, Size: 0x20000, Encrypted: true, ReadOnly: true},
		}},
		{"primary partitions", "a,data,nvs,,12K\nboot,bootloader,primary,0x1000,0x7000\ntable,partition_table,primary,0x8000,4K\nb,app,factory,,1M", Layout{}, Table{
			{Name: "a", Kind: NVS, Offset: 0x9000, Size: 0x3000},
			{Name: "boot", Kind: 0x0200, Offset: 0x1000, Size: 0x7000},
			{Name: "table", Kind: 0x0300, Offset: 0x8000, Size: 0x1000},
			{Name: "b", Kind: Factory, Offset: 0x10000, Size: 1 << 20},
		}},
		{"name of 16", "abcdefghijklmnop,data,phy,,4K", Layout{}, Table{
			{Name: "abcdefghijklmnop", Kind: PHY, Offset: 0x9000, Size: 0x1000},
		}},
		{"small NVS to read", "a,data,nvs,,4K,readonly", Layout{}, Table{
			{Name: "a", Kind: NVS, Offset: 0x9000, Size: 0x1000, ReadOnly: true},
		}},
		{"flash filled", "a,app,factory,0x10000,0x3f0000", Layout{FlashSize: 4 << 20}, Table{
			{Name: "a", Kind: Factory, Offset: 0x10000, Size: 0x3f0000},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := ParseCSV([]byte(c.text), c.layout)
			if err != nil || !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %+v, %v, want %+v", got, err, c.want)
			}
		})
	}
}

func TestParseCSVRefuses(t *testing.T) {
	const first = "# comment\nnvs,data,nvs,0x9000,0x4000\n"
	for _, c := range []struct {
		name, line string
		want       string
	}{
		{"no type", "a", `line 3: type ""`},
		{"unknown type", "a,application,ota_0,,1M", `line 3: type "application": no such type`},
		{"type of ESP-IDF", "a,0x05,0,,4K", "line 3: partition a: type 0x05"},
		{"type 255", "a,0xff,0,,4K", "line 3: partition a: type 0xff"},
		{"type 256", "a,0x100,0,,4K", "line 3: type \"0x100\""},
		{"unknown subtype", "a,app,ota_16,,1M", `line 3: subtype "ota_16": no such subtype`},
		{"subtype of another type", "a,app,nvs,,1M", `line 3: subtype "nvs"`},
		{"subtype 255", "a,data,255,,4K", "line 3: partition a: subtype 0xff"},
		{"app without subtype", "a,app,,,1M", "line 3: subtype: an app states one"},
		{"no size", "a,app,ota_0,,", "line 3: size: none is stated"},
		{"size 0", "a,app,ota_0,,0", "line 3: size 0 at offset 0x10000: leaves nothing"},
		{"size in words", "a,app,ota_0,,big", `line 3: size "big"`},
		{"size of 4 GiB", "a,app,ota_0,,4096M", "line 3: size 4096M at offset 0x10000"},
		{"size beyond numbers", "a,app,ota_0,,0xffffffffffffffff", `line 3: size "0xffffffffffffffff"`},
		{"octal", "a,app,ota_0,,0100000", `line 3: size "0100000"`},
		{"two units", "a,app,ota_0,,1KK", `line 3: size "1KK"`},
		{"end below the offset", "a,app,ota_0,0x20000,-0x10000", "line 3: size -0x10000 at offset 0x20000: leaves nothing"},
		{"negative offset", "a,data,phy,-4096,4K", "line 3: offset -4096"},
		{"offset in words", "a,data,phy,there,4K", `line 3: offset "there"`},
		{"flag", "a,data,phy,,4K,Encrypted", `line 3: flag "Encrypted"`},
		{"seven fields", "a,data,phy,,4K,,x", "line 3: 7 fields"},
		{"environment", "a,data,phy,,$SIZE", `line 3: the environment is not looked at: write the value for "$SIZE"`},
		{"environment in braces", "a${X},data,phy,,4K", "line 3: the environment is not looked at"},
		{"no name", ",data,phy,,4K", `line 3: partition : name ""`},
		{"name of 17", "abcdefghijklmnopq,data,phy,,4K", `line 3: partition abcdefghijklmnopq: name "abcdefghijklmnopq": want 1 to 16`},
		{"name not ASCII", "zähler,data,phy,,4K", `line 3: partition zähler: name "zähler": character 'ä'`},
		{"same name", "nvs,data,phy,,4K", "line 3: partition nvs: an entry above has the same name"},
		{"below the entry before", "a,data,phy,0xc000,4K", "line 3: offset 0xc000: the table or the entry before ends at 0xd000"},
		{"app offset", "a,app,ota_0,0x11000,1M", "line 3: partition a: offset 0x11000 is not a multiple of 0x10000"},
		{"app size", "a,app,ota_0,,0x10800", "line 3: partition a: size 0x10800 is not a multiple of 0x1000"},
		{"data offset", "a,data,phy,0xd004,4K", "line 3: partition a: offset 0xd004 is not a multiple of 0x1000"},
		{"otadata size", "a,data,ota,,4K", "line 3: partition a: size 0x1000: data/ota has 0x2000"},
		{"otadata to read", "a,data,ota,,8K,readonly", "line 3: partition a: data/ota cannot be readonly"},
		{"coredump to read", "a,data,coredump,,64K,readonly", "line 3: partition a: data/coredump cannot be readonly"},
		{"small NVS", "a,data,nvs,,8K", "line 3: partition a: size 0x2000: NVS of less than 0x3000 has to be readonly"},
		{"two otadata", "a,data,ota,,8K\nb,data,ota,,8K", "line 4: partition b: an entry above is data/ota already"},
		{"past the flash", "a,app,factory,,0x3f1000", "line 3: partition a: ends at 0x401000, past the flash of 0x400000 bytes"},
		{"bootloader nowhere", "a,bootloader,primary,,28K", "line 3: offset: bootloader/primary states one"},
		{"bootloader on the table", "a,bootloader,primary,0x1000,0x9000", "line 2: partition nvs: begins at 0x9000, inside a"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := ParseCSV([]byte(first+c.line), Layout{FlashSize: 4 << 20})
			if err == nil || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestParseCSVLayout(t *testing.T) {
	for _, c := range []struct {
		name, text string
		layout     Layout
		want       string
	}{
		{"on the table", "a,data,nvs,0x8000,0x4000", Layout{}, "line 1: offset 0x8000: the table or the entry before ends at 0x9000"},
		{"V1 signatures", "a,app,factory,,0x11000", Layout{SignedV1: true}, "line 1: partition a: size 0x11000 is not a multiple of 0x10000"},
		{"a large text", strings.Repeat("#", maxText+1), Layout{}, "partition table of 65537 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := ParseCSV([]byte(c.text), c.layout)
			if err == nil || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}
