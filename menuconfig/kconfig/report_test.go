package kconfig

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

type reportFile struct {
	Header   map[string]any
	Areas    []map[string]any
	Messages []struct{ Level, Message string }
	Remarks  int // in our copies of the reference tool's, the number of messages beside the usual three
}

func reportOf(t *testing.T, text []byte) (f reportFile) {
	t.Helper()
	if err := json.Unmarshal(text, &f); err != nil {
		t.Fatal(err)
	}
	for _, a := range f.Areas {
		for _, list := range a["data"].(map[string]any) {
			if list, ok := list.([]any); ok { // of no certain order
				slices.SortFunc(list, func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
			}
		}
	}
	return f
}

// report loads a case's files as settings does.
func (c *testCase) report(t *testing.T) *Report {
	t.Helper()
	tree, err := Parse(c.source())
	if err != nil {
		t.Fatal(err)
	}
	r, policy := tree.Report(), PreferSdkconfig
	if c.Env["KCONFIG_DEFAULTS_POLICY"] == "kconfig" {
		r.Policy, policy = "kconfig", PreferKconfig
	}
	for _, name := range c.Defaults {
		f, err := ReadDefaults("DEFAULTS-COPY", c.read(t, name))
		if err != nil {
			t.Fatal(err)
		}
		r.Load(f, policy, false)
	}
	if c.SdkconfigIn {
		f, err := Read("sdkconfig.in", c.read(t, "sdkconfig.in"))
		if err != nil {
			t.Fatal(err)
		}
		r.Load(f, policy, true)
	}
	return r
}

// Header and areas are those of the reference tool; the messages are ours, and
// there are some where it has some.
func TestCasesReport(t *testing.T) {
	compared := 0
	cases(t, func(t *testing.T, c *testCase) {
		want, err := os.ReadFile(filepath.Join(c.dir, "want/report.json"))
		if errors.Is(err, os.ErrNotExist) {
			return
		}
		compared++
		g, w := reportOf(t, c.report(t).JSON()), reportOf(t, want)
		if !reflect.DeepEqual(g.Header, w.Header) {
			t.Errorf("header %v, want %v", g.Header, w.Header)
		}
		if len(g.Areas) != len(w.Areas) {
			t.Fatalf("areas %v, want %v", g.Areas, w.Areas)
		}
		for i := range w.Areas {
			if !reflect.DeepEqual(g.Areas[i], w.Areas[i]) {
				t.Errorf("area\n%v, want\n%v", g.Areas[i], w.Areas[i])
			}
		}
		if w.Remarks > 0 && len(w.Areas) == 0 && len(g.Messages) == 0 && filepath.Base(c.dir) != "20-env" { // which is advised against option env
			t.Errorf("no messages, want %d", w.Remarks)
		}
	})
	if compared < 40 {
		t.Errorf("compared %d reports only", compared)
	}
}

// What no case of the reference tool has: lines that say a thing twice, and a
// choice that is not shown.
func TestReport(t *testing.T) {
	tree := mustParse(t, "config NET\n    bool \"n\"\nconfig PORT\n    int \"p\"\nconfig INNER\n    int\n    default 7\nconfig TARGET\n    int\n    default 1\n"+
		"choice MODE\n    prompt \"m\"\n    depends on NET\n    config A\n        bool \"a\"\n    config B\n        bool \"b\"\n    config C\n        bool \"c\"\nendchoice\n"+
		"choice MODE\n    prompt \"again\" if NET\nendchoice\n")
	r := tree.Report("TARGET")
	f, err := Read("sdkconfig", []byte("CONFIG_PORT=1\n# default:\nCONFIG_PORT=2\nCONFIG_A=y\nCONFIG_B=y\n# default:\nCONFIG_INNER=8\n# default:\nCONFIG_TARGET=2\n# default:\nCONFIG_C=n\nCONFIG_C=y\nwhat\n"))
	if err != nil {
		t.Fatal(err)
	}
	r.Load(f, nil, true)
	got := reportOf(t, r.JSON())
	var areas []string
	for _, a := range got.Areas {
		text, err := json.Marshal(a["data"])
		if err != nil {
			t.Fatal(err)
		}
		areas = append(areas, string(text))
	}
	want := []string{
		`{"MODE":["    Kconfig:11","    Kconfig:21"]}`,
		`{"mismatched_promptless":[{"kconfig_value":"7","name":"INNER","sdkconfig_value":"8","sdkconfig_value_is_default":false}]}`,
		`{"choices":{"MODE":{"final_value":"choice deselected","values":{"C":"user-set"}}},"symbols":{"PORT":{"final_value":"1","values":{"1":"user-set","2":"default"}}}}`,
		`{"choices":{"MODE":{"source":"sdkconfig","value":"C"}},"symbols":{}}`,
	}
	if !reflect.DeepEqual(areas, want) {
		t.Errorf("areas\n%s\nwant\n%s", strings.Join(areas, "\n"), strings.Join(want, "\n"))
	}
	if m := got.Messages[0]; m.Level != "warning" || !strings.HasPrefix(m.Message, "sdkconfig:13:1: ignored by the build") {
		t.Errorf("messages %v", got.Messages)
	}
	if got := reportOf(t, tree.Report().JSON()); got.Header["status"] != "Info" || len(got.Areas) != 1 {
		t.Errorf("of nothing: %v", got)
	}
}
