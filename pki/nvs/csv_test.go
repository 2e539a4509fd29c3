package nvs

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

const header = "key,type,encoding,value\n"

func TestParseCSV(t *testing.T) {
	files := func(path string) ([]byte, error) { return []byte("0a0B"), nil }
	for _, c := range []struct {
		name, rows string
		want       []Entry
	}{
		{"nothing", "", nil},
		{"a namespace alone", "n,namespace,,\n", nil},
		{"comments, blank lines, CRLF", "# c\r\n\r\nn,namespace,,\r\n#k,data,u8,1\r\nk,data,u8,2\r\n", []Entry{{"n", "k", U8(2)}}},
		{"fields left out", "n,namespace\ns,data,string\n", []Entry{{"n", "s", String("")}}},
		{"quotes", "n,namespace,,\ns,data,string,\"a,\"\"b\"\"\n#c\"\n", []Entry{{"n", "s", String("a,\"b\"\n#c")}}},
		{"spaces count", "n,namespace,,\ns,data,string, a \n", []Entry{{"n", "s", String(" a ")}}},
		{"a namespace opened again", "a,namespace,,\nk,data,u8,1\nb,namespace,,\nk,data,u8,2\na,namespace,,\nl,data,u8,3\n",
			[]Entry{{"a", "k", U8(1)}, {"b", "k", U8(2)}, {"a", "l", U8(3)}}},
		{"files", "n,namespace,,\na,file,binary,f\nb,file,hex2bin,f\nc,file,base64,f\nd,file,string,f\n",
			[]Entry{{"n", "a", Blob("0a0B")}, {"n", "b", Blob{10, 11}}, {"n", "c", Blob{0xd1, 0xad, 0x01}}, {"n", "d", String("0a0B")}}},
		{"empty blobs", "n,namespace,,\na,data,hex2bin,\nb,data,base64,\n", []Entry{{"n", "a", Blob{}}, {"n", "b", Blob{}}}},
		{"keys of the Wi-Fi driver", "n,namespace,,\nsta.ssid,data,string,lab\n", []Entry{{"n", "sta.ssid", String("lab")}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := ParseCSV([]byte(header+c.rows), files)
			if err != nil || !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %s, %v, want %s", reveal(got), err, reveal(c.want))
			}
		})
	}
}

func TestParseCSVRefuses(t *testing.T) {
	const secret = "hunter2"
	const names = "NVS table: want the header key,type,encoding,value"
	n := header + "n,namespace,,\n"
	for _, c := range []struct{ name, text, want string }{
		{"nothing", "", names},
		{"no header", "n,namespace,,\n", names},
		{"header in another order", "type,key,encoding,value\n", names},
		{"too long", strings.Repeat("#\n", maxText/2+1), "NVS table of 4194306 bytes: more than 4194304"},
		{"no namespace", header + "k,data,u8,1\n", "line 2: no namespace row before it"},
		{"namespace of 16", header + "namespace_of_16_,namespace,,\n", "line 2: namespace of 16 bytes: want 1 to 15"},
		{"no key", n + ",data,u8,1\n", "line 3: key of 0 bytes: want 1 to 15"},
		{"five fields", n + "k,data,u8,1,2\n", "line 3: 5 fields: want key,type,encoding,value"},
		{"stray quote", n + "k,data,string,a\"" + secret + "\n", "line 3: its quotes do not match"},
		{"open quote", n + "k,data,string,\"" + secret + "\n", "line 3: its quotes do not match"},
		{"unknown type", n + "k,date,u8,1\n", "line 3: n/k: type: want namespace, data or file"},
		{"file without files", n + "k,file,binary,f\n", "line 3: n/k: type file: no files here"},
		{"binary in a table", n + "k,data,binary," + secret + "\n", "line 3: n/k: encoding binary: for files alone"},
		{"unknown encoding", n + "k,data,blob_fill(4;0xBB),\n", "line 3: n/k: encoding: want u8 to i64, string, hex2bin, base64 or binary"},
		{"no encoding", n + "k,data\n", "line 3: n/k: encoding: want u8 to i64, string, hex2bin, base64 or binary"},
		{"u8 256", n + "\n# c\nk,data,u8,256\n", "line 5: n/k: value is not u8"},
		{"u8 -1", n + "k,data,u8,-1\n", "line 3: n/k: value is not u8"},
		{"i8 128", n + "k,data,i8,128\n", "line 3: n/k: value is not i8"},
		{"hexadecimal", n + "k,data,u16,0x10\n", "line 3: n/k: value is not u16"},
		{"no number", n + "k,data,u64,\n", "line 3: n/k: value is not u64"},
		{"words", n + "k,data,i32," + secret + "\n", "line 3: n/k: value is not i32"},
		{"half a byte", n + "k,data,hex2bin,123\n", "line 3: n/k: value is not hex2bin"},
		{"not hexadecimal", n + "k,data,hex2bin," + secret + "8\n", "line 3: n/k: value is not hex2bin"},
		{"not base64", n + "k,data,base64," + secret + "\n", "line 3: n/k: value is not base64"},
		{"base64 with bits left", n + "k,data,base64,3q3=\n", "line 3: n/k: value is not base64"},
		{"string too long", n + "k,data,string," + strings.Repeat("s", 4000) + "\n", "line 3: n/k: string of 4000 bytes: at most 3999"},
		{"string with a NUL", n + "k,data,string,a\x00\n", "line 3: n/k: string: holds a NUL, where a board would end it"},
	} {
		t.Run(c.name, func(t *testing.T) {
			entries, err := ParseCSV([]byte(c.text), nil)
			if err == nil || err.Error() != c.want {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
			if entries != nil {
				t.Errorf("got %v all the same", entries)
			}
		})
	}
}

func TestParseCSVFileFails(t *testing.T) {
	gone := errors.New("f: gone")
	_, err := ParseCSV([]byte(header+"n,namespace,,\nk,file,binary,f\n"), func(string) ([]byte, error) { return nil, gone })
	if !errors.Is(err, gone) || err.Error() != "line 3: n/k: f: gone" {
		t.Errorf("got %v", err)
	}
}
