package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// What SECURITY.md says is tried, is: each test that it names is there.
func TestSECURITYNamesTests(t *testing.T) {
	text, err := os.ReadFile("../../SECURITY.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "\n## Attacks that are tried\n")
	table, _, _ = strings.Cut(table, "\n## ")
	n := 0
	for _, row := range strings.Split(table, "\n| ")[2:] {
		_, tests, _ := strings.Cut(row, " | ")
		for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(tests, -1) {
			if n++; !triedBy(t, m[1]) {
				t.Errorf("there is no test %s", m[1])
			}
		}
	}
	if n < 30 {
		t.Errorf("%d tests are named", n)
	}
}

// triedBy finds a test: a script, a C file, or a function in a C file or a Go package.
func triedBy(t *testing.T, name string) bool {
	place, function, _ := strings.Cut(name, ": ")
	path := filepath.Join("../..", place, "*_test.go")
	switch filepath.Ext(place) {
	case ".txtar":
		path = filepath.Join("testdata", place)
	case ".c":
		path = filepath.Join("../../templates/loader/host_test", place)
	}
	files, err := filepath.Glob(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if function == "" || regexp.MustCompile(`(?m)^(func|static void) `+function+`\(`).Match(text) {
			return true
		}
	}
	return false
}
