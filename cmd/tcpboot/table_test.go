package main

import "testing"

func TestFold(t *testing.T) {
	for _, row := range []struct {
		text         string
		room, indent int
		want         string
	}{
		{"what is short", 20, 2, "what is short"},
		{"what fits to the dot", 20, 2, "what fits to the dot"},
		{"what is one letter long", 22, 2, "what is one letter\n  long"},
		{"seen     by nobody and never", 16, 9, "seen     by\n         nobody\n         and\n         never"},
		{"a a-word-without-an-end", 10, 2, "a a-word-without-an-end"},
		{"größer über allem", 12, 2, "größer über\n  allem"},
		{"no edge here", 0, 2, "no edge here"},
		{"no room at all", 4, 14, "no room at all"},
	} {
		if got := fold(row.text, row.room, row.indent); got != row.want {
			t.Errorf("%q in %d: got %q, want %q", row.text, row.room, got, row.want)
		}
	}
}
