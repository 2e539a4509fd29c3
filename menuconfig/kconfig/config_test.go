package kconfig

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The files in testdata were written by esp-idf-kconfig 3.12.0, or were given to
// it as input.
func readFile(t *testing.T, name string) (*Config, []byte) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	read := Read
	if strings.HasSuffix(name, ".defaults") {
		read = ReadDefaults
	}
	c, err := read(name, data)
	if err != nil {
		t.Fatal(err)
	}
	return c, data
}

func must(t testing.TB, text string) *Config {
	t.Helper()
	c, err := Read("sdkconfig", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// entries prints c's assignments one to a line: mark, type, name, text.
func entries(c *Config) string {
	var b strings.Builder
	for e := range c.All() {
		mark := ""
		if e.Marked {
			mark = "* "
		}
		fmt.Fprintf(&b, "%s%s %s %q\n", mark, e.Name, e.Value.Type, e.Value.Text)
	}
	return b.String()
}

func TestReadFiles(t *testing.T) {
	for _, tt := range []struct{ file, want string }{
		{"strings.sdkconfig", `* PLAIN string "hello world"
* ESC string "a \"quoted\" word and a back\\slash"
* SINGLE string "it is \"fine\""
* HASH string "before # after"
* DOLLAR string "cost $5 or $UNSET_VARIABLE_X or ${UNSET_VARIABLE_Y}"
* UTF string "Grüße, 世界"
FROM_FILE string "tab\there"
FROM_FILE_ESC string "q\"q b\\b nn"
FROM_FILE_TAIL string "value"
* FROM_FILE_BAD string "kept"
`},
		{"strings.defaults", `FROM_FILE string "tab\there"
FROM_FILE_ESC string "q\"q b\\b nn"
FROM_FILE_TAIL string "value"
FROM_FILE_BAD bare "bare"
`},
		{"int-format.sdkconfig", `* NEG int "-5"
* ZEROS int "007"
U_PLUS int "+7"
U_ZERO int "0010"
* U_HEX int "1"
U_UNDERSCORE int "1_000"
U_BIG int "123456789012345678901234567890"
U_NEG int "-12"
* U_EMPTY int "1"
* BIG_RANGE int "99999999999999999999"
`},
		{"hex.sdkconfig", `* LOW hex "0x1000"
* HIGH hex "0xabcd"
* KEPT hex "0xAbCd"
* BARE bare "1F"
USER_UPPER hex "0XBEEF"
USER_BARE bare "dead"
* USER_BAD hex "0x1"
`},
		{"rename.sdkconfig", `NEW_SWITCH bool "n"
NEW_NUMBER int "6"
* NEW_TEXT string "t\"t"
* NEW_HEX bare "1f"
* NEW_OFF bool "n"
NEW_CHOICE_A bool "n"
NEW_CHOICE_B bool "y"
`},
		{"loader-like.sdkconfig", `LOADER_SSID string "lab net"
LOADER_PASSWORD string "p\"w\\d # $HOME"
LOADER_PORT int "8123"
LOADER_STATIC_IP bool "y"
LOADER_IP string "192.0.2.77"
LOADER_VERIFY_CRC32 bool "n"
LOADER_VERIFY_SHA256 bool "n"
LOADER_VERIFY_ED25519 bool "y"
LOADER_SLOT_ADDR hex "0x1F0000"
`},
		{"crlf.defaults", "A string \"from crlf\"\nB int \"3\"\n"},
	} {
		t.Run(tt.file, func(t *testing.T) {
			c, data := readFile(t, tt.file)
			if got := entries(c); got != tt.want {
				t.Errorf("entries:\n%s\nwant:\n%s", got, tt.want)
			}
			if got := c.Bytes(); string(got) != string(data) {
				t.Errorf("rewritten:\n%q\nwant:\n%q", got, data)
			}
			if len(c.Problems()) > 0 {
				t.Errorf("problems: %v", c.Problems())
			}
		})
	}
}

// What is set again to the value it has must come out byte for byte: our quotes
// are the reference tool's.
func TestSetRewritesIdentically(t *testing.T) {
	for _, file := range []string{"strings.sdkconfig", "loader-like.sdkconfig", "int-format.sdkconfig", "hex.sdkconfig"} {
		c, data := readFile(t, file)
		for i, l := range c.lines {
			if l.kind == assigned {
				c.lines[i].text = l.set.String()
			}
		}
		if got := c.Bytes(); string(got) != string(data) {
			t.Errorf("%s printed anew:\n%s\nwant:\n%s", file, got, data)
		}
	}
}

func TestReadLines(t *testing.T) {
	for _, tt := range []struct{ name, text, want, defaults string }{
		{"yes", "CONFIG_A=y", "A bool \"y\"\n", ""},
		{"no", "CONFIG_A=n", "A bool \"n\"\n", ""},
		{"not set", "# CONFIG_A is not set", "A bool \"n\"\n", ""},
		{"not set, text behind", "# CONFIG_A is not set, alas", "A bool \"n\"\n", ""},
		{"not set, two blanks", "#  CONFIG_A is not set", "", ""},
		{"commented out", "#CONFIG_A=y", "", ""},
		{"word", "CONFIG_A=yes", "A bare \"yes\"\n", ""},
		{"empty", "CONFIG_A=", "A bare \"\"\n", "A bool \"n\"\n"},
		{"empty string", `CONFIG_A=""`, "A string \"\"\n", ""},
		{"indented", "  CONFIG_A=1", "", "A int \"1\"\n"},
		{"blanks behind", "CONFIG_A=1 \t", "A int \"1\"\n", ""},
		{"blank before the value", "CONFIG_A= 1", "A int \" 1\"\n", ""},
		{"second =", "CONFIG_A=\"b=c\"", "A string \"b=c\"\n", ""},
		{"lower case", "CONFIG_a1=1", "a1 int \"1\"\n", ""},
		{"escaped closing quote", `CONFIG_A="b\" c`, "", ""},
		{"escaped letter", `CONFIG_A="\n\t\x"`, "A string \"ntx\"\n", ""},
		{"mark", "# default:\nCONFIG_A=1", "* A int \"1\"\n", ""},
		{"mark over remarks", "# default:\n\n# x\nCONFIG_A=1\nCONFIG_B=2", "* A int \"1\"\nB int \"2\"\n", ""},
		{"mark spent on a broken line", "# default:\nCONFIG_A=\"b\nCONFIG_B=2", "B int \"2\"\n", ""},
		{"old names", "CONFIG_A=1\n# Deprecated options for backward compatibility\nCONFIG_B=2\n# End of deprecated options\nCONFIG_C=3",
			"A int \"1\"\nC int \"3\"\n", ""},
		{"old names without end", "# Deprecated options for backward compatibility\nCONFIG_B=2\n", "", ""},
		{"CR alone ends a line", "CONFIG_A=1\rCONFIG_B=2\r", "A int \"1\"\nB int \"2\"\n", ""},
		{"separator characters are blanks", "CONFIG_A=1\x1c\u00a0", "A int \"1\"\n", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := entries(must(t, tt.text)); got != tt.want {
				t.Errorf("Read: %q, want %q", got, tt.want)
			}
			if tt.defaults == "" {
				tt.defaults = tt.want
			}
			c, err := ReadDefaults("sdkconfig.defaults", []byte(tt.text))
			if err != nil {
				t.Fatal(err)
			}
			if got := entries(c); got != tt.defaults {
				t.Errorf("ReadDefaults: %q, want %q", got, tt.defaults)
			}
		})
	}
}

func TestProblems(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"hello", "s:1:1: ignored by the build: neither an assignment to CONFIG_NAME nor a comment: hello"},
		{"WIFI=1", "s:1:1: ignored by the build: neither an assignment to CONFIG_NAME nor a comment: WIFI=…"},
		{"\nCONFIG_A", "s:2:9: ignored by the build: no = behind the name: CONFIG_A"},
		{"CONFIG_A =1", "s:1:9: ignored by the build: a name is letters, digits and _: CONFIG_A =…"},
		{"CONFIG_=1", "s:1:8: ignored by the build: a name is letters, digits and _: CONFIG_=…"},
		{"CONFIG_É=1", "s:1:8: ignored by the build: a name is letters, digits and _: CONFIG_É=…"},
		{`CONFIG_EAP_PASSWORD="hunter2`, "s:1:21: ignored by the build: the string has no closing quote: CONFIG_EAP_PASSWORD=…"},
		{" \tCONFIG_A=1", "s:1:1: ignored by the build: blanks in front of it: CONFIG_A=…"},
		{"\x1b[2J", `s:1:1: ignored by the build: neither an assignment to CONFIG_NAME nor a comment: \x1b[2J`},
		{strings.Repeat("é", 40), "s:1:1: ignored by the build: neither an assignment to CONFIG_NAME nor a comment: " + strings.Repeat("é", 30) + "…"},
	} {
		c, err := Read("s", []byte(tt.text))
		if err != nil {
			t.Errorf("%q: %v", tt.text, err)
			continue
		}
		if p := c.Problems(); len(p) != 1 || p[0].Error() != tt.want {
			t.Errorf("%q: problems %q, want %q", tt.text, p, tt.want)
		}
	}
	c, _ := ReadDefaults("d", []byte("  CONFIG_É=1"))
	if p := c.Problems(); len(p) != 1 || p[0].Column != 10 {
		t.Errorf("in a defaults file: %v, want column 10", p)
	}
}

func TestUnreadable(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"\ufeffCONFIG_A=1", "s:1:1: a byte-order mark: save the file as plain UTF-8"},
		{"CONFIG_A=1\nCONFIG_B=\"é\xff\"", "s:2:12: not UTF-8: CONFIG_B=…"},
		{"CONFIG_A=\x00", "s:1:10: a NUL character: CONFIG_A=…"},
		{strings.Repeat("#", MaxSize+1), "s:1:1: larger than 4194304 bytes"},
	} {
		_, err := Read("s", []byte(tt.text))
		var e *Error
		if !errors.As(err, &e) || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%.20q: %v, want %s", tt.text, err, tt.want)
		}
	}
	if _, err := Read("s", []byte("# \ufffd")); err != nil {
		t.Errorf("a replacement character that is really there: %v", err)
	}
}

func TestGet(t *testing.T) {
	c := must(t, "CONFIG_A=1\nCONFIG_A=2\n# default:\nCONFIG_A=3\n# default:\nCONFIG_B=4\n")
	if v, ok := c.Get("A"); !ok || v != Int(2) {
		t.Errorf("A = %v, %v; want the last unmarked one, 2", v, ok)
	}
	if v, ok := c.Get("B"); ok {
		t.Errorf("B = %v, but it is only a default", v)
	}
	if v, ok := c.Default("B"); !ok || v != Int(4) {
		t.Errorf("default of B = %v, %v; want 4", v, ok)
	}
	if _, ok := c.Default("C"); ok {
		t.Error("C has a default from nowhere")
	}
}

func TestSet(t *testing.T) {
	const old = "# Deprecated options for backward compatibility\nCONFIG_O=1\n# End of deprecated options\n"
	for _, tt := range []struct {
		name, in string
		option   string
		v        Value
		want     string
	}{
		{"in an empty file", "", "A", Int(1), "CONFIG_A=1\n"},
		{"no line end at the end", "# x", "A", Int(1), "# x\nCONFIG_A=1\n"},
		{"changed in place", "# x\nCONFIG_A=1\n# y", "A", Int(2), "# x\nCONFIG_A=2\n# y"},
		{"last line, no end", "CONFIG_A=1", "A", Int(2), "CONFIG_A=2"},
		{"CR LF", "CONFIG_A=1\r\n", "B", String("b"), "CONFIG_A=1\r\nCONFIG_B=\"b\"\r\n"},
		{"CR LF kept", "CONFIG_A=1\r\nCONFIG_B=1\r\n", "A", Int(2), "CONFIG_A=2\r\nCONFIG_B=1\r\n"},
		{"to n", "CONFIG_A=y\n", "A", Bool(false), "# CONFIG_A is not set\n"},
		{"from n", "# CONFIG_A is not set\n", "A", Bool(true), "CONFIG_A=y\n"},
		{"n is n", "CONFIG_A=n\n", "A", Bool(false), "CONFIG_A=n\n"},
		{"same number, other spelling", "CONFIG_A=0X1f\n", "A", Hex(0x1F), "CONFIG_A=0X1f\n"},
		{"same string, text behind", "CONFIG_A=\"b\" c\n", "A", String("b"), "CONFIG_A=\"b\" c\n"},
		{"the last one counts", "CONFIG_A=1\nCONFIG_A=2\n", "A", Int(3), "CONFIG_A=1\nCONFIG_A=3\n"},
		{"a mark goes", "# default:\nCONFIG_A=1\nCONFIG_B=1\n", "A", Int(1), "CONFIG_A=1\nCONFIG_B=1\n"},
		{"all its marks go", "# default:\n# x\n# default:\nCONFIG_A=1\n", "A", Int(2), "# x\nCONFIG_A=2\n"},
		{"another's mark stays", "# default:\nCONFIG_B=1\nCONFIG_A=1\n", "A", Int(2), "# default:\nCONFIG_B=1\nCONFIG_A=2\n"},
		{"a mark at the end", "CONFIG_B=1\n# default:\n", "A", Int(1), "CONFIG_B=1\nCONFIG_A=1\n# default:\n"},
		{"before the old names", "CONFIG_B=1\n\n" + old, "A", Int(1), "CONFIG_B=1\nCONFIG_A=1\n\n" + old},
		{"an old name is no option", old, "O", Int(2), "CONFIG_O=2\n" + old},
		{"old names without end", "# Deprecated options for backward compatibility\nCONFIG_A=1\n", "A", Int(1),
			"CONFIG_A=1\n# Deprecated options for backward compatibility\nCONFIG_A=1\n"},
		{"unknown lines stay", "what?\n CONFIG_A=1\n", "A", Int(2), "what?\n CONFIG_A=1\nCONFIG_A=2\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := must(t, tt.in)
			if err := c.Set(tt.option, tt.v); err != nil {
				t.Fatal(err)
			}
			if got := string(c.Bytes()); got != tt.want {
				t.Errorf("got %q\nwant %q", got, tt.want)
			}
			if v, ok := must(t, string(c.Bytes())).Get(tt.option); !ok || !v.Equal(tt.v) {
				t.Errorf("reads back as %v, %v; want %v", v, ok, tt.v)
			}
		})
	}
}

func TestUnset(t *testing.T) {
	const in = "CONFIG_A=1\n# x\n# default:\nCONFIG_A=2\n# default:\nCONFIG_B=1\n# CONFIG_A is not set"
	c := must(t, in)
	c.Unset("A")
	if got, want := string(c.Bytes()), "# x\n# default:\nCONFIG_B=1\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	c.Unset("A")
	if got := slices.Collect(c.All()); len(got) != 1 || !got[0].Marked {
		t.Errorf("B must stay marked: %v", got)
	}
}

func TestSetRefuses(t *testing.T) {
	for _, tt := range []struct {
		name, option string
		v            Value
		want         string
	}{
		{"line feed", "A", String("secret\nCONFIG_B=y"), "option A: a line break cannot be expressed in an sdkconfig file"},
		{"carriage return", "A", String("a\rb"), "option A: a line break cannot be expressed in an sdkconfig file"},
		{"NUL", "A", String("a\x00b"), "option A: a NUL character cannot be expressed in an sdkconfig file"},
		{"not UTF-8", "A", String("\xff"), "option A: not UTF-8"},
		{"bare line break", "A", Value{TypeBare, "a\nb"}, "option A: a line break cannot be expressed in an sdkconfig file"},
		{"a number that is none", "A", Value{TypeInt, "1; x"}, "option A: its text does not read back as int"},
		{"a bare value that is trimmed", "A", Value{TypeBare, "a "}, "option A: its text does not read back as bare"},
		{"a bool that is none", "A", Value{TypeBool, "maybe"}, "option A: its text does not read back as bool"},
		{"no name", "", Int(1), `option "": a name is letters, digits and _`},
		{"a line in the name", "A=1\nCONFIG_B", Int(1), `option "A=1\nCONFIG_B": a name is letters, digits and _`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var c Config
			if err := c.Set(tt.option, tt.v); err == nil || err.Error() != tt.want {
				t.Errorf("error %v, want %s", err, tt.want)
			}
			if len(c.Bytes()) > 0 {
				t.Errorf("left %q", c.Bytes())
			}
		})
	}
	d, _ := ReadDefaults("d", nil)
	if err := d.Set("A", Value{}); err == nil {
		t.Error("a defaults file took an empty value")
	}
}
