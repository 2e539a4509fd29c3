package kconfig

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func FuzzRead(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.*")
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, "PLAIN", "a \"b\" \\ $c ; # ü")
	}
	f.Add([]byte("# default:\n# Deprecated options for backward compatibility\nCONFIG_A=1"), "A", "x")
	f.Fuzz(func(t *testing.T, data []byte, name, text string) {
		for _, read := range []func(string, []byte) (*Config, error){Read, ReadDefaults} {
			c, err := read("f", data)
			if err != nil {
				continue
			}
			if got := c.Bytes(); !bytes.Equal(got, data) {
				t.Fatalf("rewritten as %q", got)
			}
			for e := range c.All() {
				checkSet(t, read, data, e.Assignment)
			}
			checkSet(t, read, data, Assignment{name, String(text)})
		}
	})
}

// checkSet sets one option in the file data and tells whether that, and nothing
// else, is what the file then says; and whether Unset takes it out again.
func checkSet(t *testing.T, read func(string, []byte) (*Config, error), data []byte, a Assignment) {
	c, _ := read("f", data)
	others := without(c, a.Name)
	if c.Set(a.Name, a.Value) != nil {
		if !bytes.Equal(c.Bytes(), data) {
			t.Fatalf("a refused Set left %q", c.Bytes())
		}
		return
	}
	again, err := read("f", c.Bytes())
	if err != nil {
		t.Fatalf("after Set %v: %v", a, err)
	}
	if v, ok := again.Get(a.Name); !ok || !v.Equal(a.Value) {
		t.Fatalf("Set %v reads back as %v, %v", a, v, ok)
	}
	if got := without(again, a.Name); !slices.Equal(got, others) {
		t.Fatalf("Set %v changed others: %v, were %v", a, got, others)
	}
	c.Unset(a.Name)
	if again, err = read("f", c.Bytes()); err != nil {
		t.Fatalf("after Unset %v: %v", a, err)
	}
	if got := without(again, ""); !slices.Equal(got, others) {
		t.Fatalf("Unset %s left %v, want %v", a.Name, got, others)
	}
}

// without lists the assignments to all other names, without their places.
func without(c *Config, name string) (list []Entry) {
	for e := range c.All() {
		if e.Name != name {
			e.Line = 0
			list = append(list, e)
		}
	}
	return list
}
