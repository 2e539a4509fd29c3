package site

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// TestSetKeys changes where keys are, and nothing that people wrote beside it.
func TestSetKeys(t *testing.T) {
	s := Defaults()
	s.SSID, s.Server = "x", "h:1"
	base := string(s.Render())
	with := func(keys string) string { return strings.Replace(base, "keys: {}\n", keys, 1) }
	for name, row := range map[string]struct {
		file string
		set  map[string]string
		want string // "": refused
	}{
		"the first":      {base, map[string]string{"app-b": "pkcs11:x", "app-a": "keys/a.pem"}, with("keys:\n  app-a: keys/a.pem\n  app-b: \"pkcs11:x\"\n")},
		"one more":       {with("keys:\n    # mine\n    app-b: k/b.pem\n"), map[string]string{"app-a": "k/a.pem"}, with("keys:\n    app-a: k/a.pem\n    # mine\n    app-b: k/b.pem\n")},
		"another place":  {with("keys:\n  app-a: k/a.pem # why\n  app-b: k/b.pem\n"), map[string]string{"app-a": "k/c.pem"}, with("keys:\n  app-a: k/c.pem # why\n  app-b: k/b.pem\n")},
		"away":           {with("keys:\n  app-a: k/a.pem\n  app-b: k/b.pem\n"), map[string]string{"app-b": ""}, with("keys:\n  app-a: k/a.pem\n")},
		"the last away":  {with("keys:\n  app-a: k/a.pem\n"), map[string]string{"app-a": ""}, base},
		"away and one":   {with("keys:\n  app-a: k/a.pem\n"), map[string]string{"app-a": "", "app-b": "k/b.pem"}, with("keys:\n  app-b: k/b.pem\n")},
		"was not there":  {base, map[string]string{"app-a": ""}, base},
		"no section":     {with(""), map[string]string{"app-a": "k/a.pem"}, with("") + "keys:\n  app-a: k/a.pem\n"},
		"no line end":    {strings.TrimSuffix(with(""), "\n"), map[string]string{"app-a": "k/a.pem"}, with("") + "keys:\n  app-a: k/a.pem\n"},
		"in braces":      {with("keys: {app-a: k/a.pem}\n"), map[string]string{"app-a": "k/b.pem"}, ""},
		"over two lines": {with("keys:\n  app-a:\n    k/a.pem\n"), map[string]string{"app-a": "k/b.pem"}, ""},
		"no URI":         {base, map[string]string{"app-a": "a\nb"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			file := filepath.Join(dir, SettingsFile)
			if err := os.WriteFile(file, []byte(row.file), 0o600); err != nil {
				t.Fatal(err)
			}
			opened, err := Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			want := row.want
			if want == "" {
				want = row.file
			}
			for range 2 { // twice does nothing more
				err := opened.SetKeys(row.set)
				if (err == nil) != (row.want != "") {
					t.Fatalf("error %v", err)
				}
				if again := opened.CanSetKeys(row.set); (again == nil) != (err == nil) {
					t.Errorf("can: %v", again)
				}
				if got, err := os.ReadFile(file); err != nil || string(got) != want {
					t.Errorf("%v, %s", err, got[strings.LastIndex(string(got), "# from this"):])
				}
			}
			read, err := Open(dir)
			if err != nil || len(read.Settings.Keys) != len(opened.Settings.Keys) {
				t.Errorf("%v: says %v, wrote %v", err, opened.Settings.Keys, read.Settings.Keys)
			}
		})
	}
}

// FuzzSetKeys changes settings of any shape: what comes out says what was asked
// for, or there is an error.
func FuzzSetKeys(f *testing.F) {
	s := Defaults()
	s.SSID, s.Server = "x", "h:1"
	base := string(s.Render())
	for _, keys := range []string{"keys: {}\n", "", "keys:\n  app-a: k/a.pem # why\n", "keys: {app-a: k/a.pem}\n", "keys:\r  app-a: k/a.pem\r", "\"keys\": &x\n  app-a:\n   k\n"} {
		f.Add(strings.Replace(base, "keys: {}\n", keys, 1), "app-a", "k/b.pem")
	}
	f.Fuzz(func(t *testing.T, file, name, uri string) {
		text, want, err := setKeys("f", []byte(file), map[string]string{name: uri})
		if err != nil {
			return
		}
		got, err := Parse("f", text)
		if err != nil || got.Keys[name] != uri || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %v, %+v", text, err, got)
		}
	})
}
