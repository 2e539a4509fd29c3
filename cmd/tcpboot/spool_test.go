package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tcpboot/tcpboot/pki/enroll"
)

func readSpool(t *testing.T, s *spool) (macs []string, faults []error) {
	t.Helper()
	for r, err := range s.requests {
		if err != nil {
			faults = append(faults, err)
			continue
		}
		macs = append(macs, fmt.Sprintf("%s %s", r.MAC, r.Where))
	}
	return macs, faults
}

// A list from a pipe can be gone through as often as one likes, and leaves no file.
func TestSpool(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	s, err := newSpool("stdin", io.NopCloser(strings.NewReader("mac\n246f28aa1002\nzz\n246f28aa1003\n")))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"246f28aa1002 stdin:2", "246f28aa1003 stdin:4"}
	for range 3 {
		if macs, faults := readSpool(t, s); !slices.Equal(macs, want) || len(faults) != 1 {
			t.Errorf("got %v, %v", macs, faults)
		}
	}
	if left, _ := os.ReadDir(os.Getenv("TMPDIR")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// Somebody edits the list between its two readings: what was checked is what is
// enrolled.
func TestSpoolOfAFileThatChanges(t *testing.T) {
	path := filepath.Join(t.TempDir(), "boards.csv")
	write := func(text string) *os.File {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	s, err := newSpool(path, write("mac\n246f28aa1002\n"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	first, _ := readSpool(t, s)
	write("mac\n246f28aa1003\n").Close()
	if second, _ := readSpool(t, s); !slices.Equal(first, second) {
		t.Errorf("first %v, then %v", first, second)
	}
}

// Who sends more than a list may hold is told so, and nothing of it is enrolled.
func TestBounded(t *testing.T) {
	for size, whole := range map[int]bool{10: true, 99: true, 100: false, 1000: false} {
		b := &bounded{"stdin", strings.NewReader(strings.Repeat("x", size)), 100}
		n, err := io.Copy(io.Discard, b)
		if (err == nil) != whole || n > 100 {
			t.Errorf("%d bytes: read %d, %v", size, n, err)
		}
	}
	text := "mac\n" + strings.Repeat("#\n", 100)
	var faults []error
	for _, err := range enroll.ReadCSV("stdin", &bounded{"stdin", strings.NewReader(text), len(text) - 1}) {
		faults = append(faults, err)
	}
	if err := errors.Join(faults...); err == nil || !strings.Contains(err.Error(), "stdin: longer than") {
		t.Errorf("got %v", err)
	}
}
