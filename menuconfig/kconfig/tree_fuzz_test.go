package kconfig

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
)

// Whatever is read, we end, and what we write of it reads back.
func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/cases/*/Kconfig")
	if err != nil || len(files) == 0 {
		f.Fatal(files, err)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(data), "config IN_SUB\n bool \"in sub\"\n", "CONFIG_OLD_NUMBER !CONFIG_NEW_NUMBER")
	}
	f.Add("source \"other\"\n$(X) := $(Y)\nif A && (B || \"c\" <= 'd')\nendif", "rsource \"Kconfig\"", "#")
	f.Fuzz(func(t *testing.T, root, other, names string) {
		tree, err := Parse(Source{Files: fstest.MapFS{"Kconfig": {Data: []byte(root)}, "other": {Data: []byte(other)}, "names": {Data: []byte(names)}},
			Root: "Kconfig", OldNames: []string{"names"}, Env: func(name string) (string, bool) { return name + " \\\"x", name != "" && name[0] == 'L' }})
		if err != nil {
			return
		}
		checkRoundTrip(t, tree.Settings())
	})
}

// FuzzExpr evaluates expressions over symbols of every type.
func FuzzExpr(f *testing.F) {
	for _, e := range []string{"A && !B || N >= 0x10", `(S < "b") != y`, "UNDEF > 1", "H = 10 && F <= 2.5", "!(N = S)", "1_0 = 0b11", "\\\n A"} {
		f.Add(e)
	}
	const tree = "config A\n bool\n default y\nconfig B\n bool\nconfig N\n int\n default -7\nconfig H\n hex\n default 1F\n" +
		"config F\n float\n default 2.5\nconfig S\n string\n default \"abc\"\nconfig R\n bool\n default y if "
	f.Fuzz(func(t *testing.T, expr string) {
		parsed, err := parseText(tree + expr + "\n")
		if err != nil || len(parsed.Symbol("R").Nodes[0].defaults) != 1 {
			return
		}
		d := parsed.Symbol("R").Nodes[0].defaults[0].cond
		again, err := parseText(tree + d.String() + "\n")
		if strings.ContainsAny(expr, `$\`) { // macros and escapes print as what they stand for
			return
		}
		if err != nil {
			t.Fatalf("%s is printed %s: %v", expr, d, err)
		}
		s, r := parsed.Settings(), again.Settings()
		if e := again.Symbol("R").Nodes[0].defaults[0].cond; e.String() != d.String() || s.Holds(d) != r.Holds(e) {
			t.Fatalf("%s holds: %v; printed %s, and read again %s: %v", expr, s.Holds(d), d, e, r.Holds(e))
		}
	})
}

// FuzzLoad loads any file, as sdkconfig and as defaults, into a tree that has
// everything.
func FuzzLoad(f *testing.F) {
	files, err := filepath.Glob("testdata/cases/*/want/sdkconfig")
	if err != nil || len(files) == 0 {
		f.Fatal(files, err)
	}
	for _, name := range append(files, "testdata/cases/31-defaults-merge/sdkconfig.defaults") {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(data))
	}
	f.Add("# default:\nCONFIG_MODE_A=y\n# default:\nCONFIG_NET=y\nCONFIG_SLOT=0xZZ\nCONFIG_GAIN=1e3\nCONFIG_PORT= 7\nCONFIG_OLD=y")
	tree, err := Parse(Source{Files: fstest.MapFS{"Kconfig": {Data: []byte(radio)}, "names": {Data: []byte("CONFIG_OLD !CONFIG_NET")}},
		Root: "Kconfig", OldNames: []string{"names"}})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, read := range []func(string, []byte) (*Config, error){Read, ReadDefaults} {
			c, err := read("f", []byte(text))
			if err != nil {
				continue
			}
			s := tree.Settings()
			s.Load(c, nil)
			checkRoundTrip(t, s)
		}
	})
}

// checkRoundTrip tells whether what s writes reads back to the same values.
func checkRoundTrip(t *testing.T, s *Settings) {
	s.Header()
	s.JSON()
	s.CMake()
	s.Menus()
	s.Problems()
	s.Check()
	s.Minimal(true)
	text := s.Sdkconfig()
	c, err := Read("sdkconfig", text)
	if err != nil {
		return // a NUL in a default
	}
	again := s.Tree().Settings()
	again.Load(c, nil)
	for _, sym := range s.Tree().Symbols {
		if a, b := s.Value(sym).Text, again.Value(sym).Text; a != b && readable(sym, a) {
			t.Fatalf("%s is %q, and read back %q from\n%s", sym.Name, a, b, text)
		}
	}
}

// readable says that a file can hold a value: its name is one, and nothing is
// lost at the end of its line.
func readable(sym *Symbol, text string) bool {
	return nameText.MatchString(sym.Name) && (sym.Type == TypeString || trimRight(text) == text)
}

// Whatever a client says, it gets one line of JSON, and what was chosen reads
// back; a report on it can be written too.
func FuzzServer(f *testing.F) {
	for _, text := range []string{
		`{"version":3,"set":{"NET":true,"PORT":9000,"SLOT":"1f","GAIN":2.5,"SSID":"a\"b"}}`, `{"version":2,"reset":["all"]}`,
		`{"version":1,"load":"x"}`, `{"version":3,"save":null,"set":{"NET":1,"NONE":[]}}`, `{"version":9}`, `[]`, `{`,
	} {
		f.Add([]byte(text), []byte("CONFIG_NET=y\nCONFIG_NET=n\n# default:\nCONFIG_MODE_A=y\nCONFIG_HIDDEN=1\n"))
	}
	f.Fuzz(func(t *testing.T, request, file []byte) {
		tree := mustParse(t, radio)
		r := tree.Report()
		if c, err := Read("sdkconfig", file); err == nil {
			r.Load(c, nil, true)
		}
		var report map[string]any
		if err := json.Unmarshal(r.JSON(), &report); err != nil {
			t.Fatalf("report: %v", err)
		}
		v := &Server{Settings: r.Settings, Load: func(string) ([]byte, error) { return file, nil }, Save: func(string, []byte) error { return nil }}
		answer := v.Answer(request)
		var o map[string]any
		if err := json.Unmarshal(answer, &o); err != nil || bytes.Count(answer, []byte("\n")) != 1 {
			t.Fatalf("%v: %q", err, answer)
		}
		if _, err := Read("again", v.Settings.Sdkconfig()); err != nil {
			t.Fatal(err)
		}
	})
}
