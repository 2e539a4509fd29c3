package main

import (
	"slices"
	"testing"
)

func TestShrink(t *testing.T) {
	for _, c := range []struct {
		name         string
		widths, want []int
		room         int
		clips        bool
	}{
		{"a pipe", []int{12, 200}, []int{12, 200}, 0, false},
		{"enough", []int{12, 20}, []int{12, 20}, 34, false},
		{"one too many", []int{12, 20}, []int{12, 19}, 33, true},
		{"wider ones stay", []int{30, 20, 12}, []int{30, 10, 12}, 56, true},
		{"no room at all", []int{12, 40}, []int{12, leastCell}, 10, true},
	} {
		l := longTable{widths: slices.Clone(c.widths), room: c.room, gives: 1}
		if clips := l.shrink(); clips != c.clips || !slices.Equal(l.widths, c.want) {
			t.Errorf("%s: %v, %v; want %v, %v", c.name, l.widths, clips, c.want, c.clips)
		}
	}
}

func TestClip(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", ""}, {"door 2", "door 2"}, {"door 22", "door …"}, {"türchen", "türch…"},
	} {
		if got := clip(c.in, 6); got != c.want {
			t.Errorf("clip(%q) = %q, want %q", c.in, got, c.want)
		}
	}
}
