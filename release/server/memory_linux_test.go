package server

import (
	"bytes"
	"io"
	"testing"

	"golang.org/x/sys/unix"
)

// A disk that is full must not keep boards from an image that memory can hold.
func TestImageFindsAPlace(t *testing.T) {
	full := func() (int, error) { return unix.Open("/dev/full", unix.O_RDWR|unix.O_CLOEXEC, 0) }
	missing := func() (int, error) { return -1, unix.EOPNOTSUPP }
	want := bytes.Repeat([]byte("image"), 1000)
	for _, row := range []struct {
		name  string
		first func() (int, error)
	}{
		{"a full disk", full},
		{"no such files there", missing},
	} {
		t.Run(row.name, func(t *testing.T) {
			f, err := keep(want, row.first, inMemory)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if got, err := io.ReadAll(f); err != nil || !bytes.Equal(got, want) {
				t.Errorf("the file holds %d bytes, %v; want %d", len(got), err, len(want))
			}
			if _, err := f.WriteAt(want, 0); err == nil {
				t.Error("it can be written")
			}
		})
	}
	if _, err := keep(want, full, missing); err == nil {
		t.Error("no error when there is no place at all")
	}
}
