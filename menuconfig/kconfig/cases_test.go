package kconfig

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A testCase is one run of the reference tool, esp-idf-kconfig 3.12.0, on a
// small tree: testdata/cases/NAME holds what it was given, and in want what it
// wrote. Formats that it stopped on are missing there.
type testCase struct {
	Kconfig     string
	Defaults    []string
	Rename      []string
	Env         map[string]string
	SdkconfigIn bool `json:"sdkconfig_in"`
	Error       bool
	Stable      bool

	dir string
}

// cases calls test for each of them.
func cases(t *testing.T, test func(*testing.T, *testCase)) {
	dirs, err := filepath.Glob("testdata/cases/*")
	if err != nil || len(dirs) != 46 {
		t.Fatalf("%d cases, %v; want 46", len(dirs), err)
	}
	for _, dir := range dirs {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			c := &testCase{dir: dir}
			if err := json.Unmarshal(c.read(t, "case.json"), c); err != nil {
				t.Fatal(err)
			}
			test(t, c)
		})
	}
}

func (c *testCase) read(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(c.dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func (c *testCase) source() Source {
	return Source{Files: os.DirFS(c.dir), Root: c.Kconfig, OldNames: c.Rename, Env: func(name string) (string, bool) {
		value, ok := c.Env[name]
		if name == "IDF_VERSION" {
			return "6.2.0", true
		}
		return value, ok
	}}
}

func (c *testCase) settings(t *testing.T) *Settings {
	t.Helper()
	tree, err := Parse(c.source())
	if err != nil {
		t.Fatal(err)
	}
	s := tree.Settings()
	for _, name := range c.Defaults {
		c.load(t, s, name, ReadDefaults)
	}
	if c.SdkconfigIn {
		c.load(t, s, "sdkconfig.in", Read)
	}
	return s
}

func (c *testCase) load(t *testing.T, s *Settings, name string, read func(string, []byte) (*Config, error)) {
	t.Helper()
	file, err := read(name, c.read(t, name))
	if err != nil {
		t.Fatal(err)
	}
	policy := PreferSdkconfig
	if c.Env["KCONFIG_DEFAULTS_POLICY"] == "kconfig" {
		policy = PreferKconfig
	}
	s.Load(file, policy)
}

var formats = map[string]func(*Settings) []byte{
	"sdkconfig":            (*Settings).Sdkconfig,
	"sdkconfig.h":          (*Settings).Header,
	"sdkconfig.json":       (*Settings).JSON,
	"sdkconfig.cmake":      (*Settings).CMake,
	"kconfig_menus.json":   (*Settings).Menus,
	"sdkconfig.min":        func(s *Settings) []byte { return s.Minimal(false) },
	"sdkconfig.min.labels": func(s *Settings) []byte { return s.Minimal(true) },
}

// What we write is what the reference tool writes, to the byte.
func TestCases(t *testing.T) {
	compared := 0
	cases(t, func(t *testing.T, c *testCase) {
		if c.Error {
			return
		}
		s := c.settings(t)
		for name, write := range formats {
			want, err := os.ReadFile(filepath.Join(c.dir, "want", name))
			if errors.Is(err, os.ErrNotExist) {
				continue
			}
			compared++
			if got := string(write(s)); got != string(want) {
				t.Errorf("%s:\n%s", name, difference(got, string(want)))
			}
		}
	})
	if compared != 255 {
		t.Errorf("compared %d files, want 255", compared)
	}
}

// A second run over our own sdkconfig gives the same again, or what the
// reference tool's second run gives.
func TestCasesSecondRun(t *testing.T) {
	cases(t, func(t *testing.T, c *testCase) {
		if c.Error {
			return
		}
		want := c.read(t, "want/sdkconfig")
		if !c.Stable {
			want = c.read(t, "want/sdkconfig.second")
		}
		s := c.settings(t)
		file, err := Read("sdkconfig", s.Sdkconfig())
		if err != nil {
			t.Fatal(err)
		}
		again := s.Tree().Settings()
		for _, name := range c.Defaults {
			c.load(t, again, name, ReadDefaults)
		}
		again.Load(file, PreferSdkconfig)
		if got := string(again.Sdkconfig()); got != string(want) {
			t.Error(difference(got, string(want)))
		}
	})
}

var place = regexp.MustCompile(`Kconfig:(\d+)`)

// Where the reference tool stops we stop, at the same place.
func TestCasesErrors(t *testing.T) {
	want := map[string]string{
		"43-error-loop":    "Kconfig:3:1: a dependency cycle: A (Kconfig:3) depends on B (Kconfig:7) depends on A (Kconfig:3)",
		"44-error-endmenu": "Kconfig:3:1: no endmenu before the end of Kconfig",
		"45-error-token":   `Kconfig:5:5: neither a keyword nor a variable that is assigned: tristate "b"`,
	}
	cases(t, func(t *testing.T, c *testCase) {
		if !c.Error {
			return
		}
		_, err := Parse(c.source())
		if err == nil || err.Error() != want[filepath.Base(c.dir)] {
			t.Fatalf("error %v, want %s", err, want[filepath.Base(c.dir)])
		}
		theirs := place.FindStringSubmatch(string(c.read(t, "want/error.txt")))
		if theirs != nil && !strings.HasPrefix(err.Error(), theirs[0]+":") {
			t.Errorf("error %v, the reference tool's is at %s", err, theirs[0])
		}
	})
}

// difference shows the first line in which two files differ.
func difference(got, want string) string {
	g, w := strings.SplitAfter(got, "\n"), strings.SplitAfter(want, "\n")
	for i := range max(len(g), len(w)) {
		var a, b string
		if i < len(g) {
			a = g[i]
		}
		if i < len(w) {
			b = w[i]
		}
		if a != b {
			return fmt.Sprintf("line %d is %q, want %q", i+1, a, b)
		}
	}
	return "no difference"
}
