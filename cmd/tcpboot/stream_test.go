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
		{"enough", []int{12, 20}, []int{12, 20}, 34, false},
		{"one too many", []int{12, 20}, []int{12, 19}, 33, true},
		{"the widest first", []int{30, 20, 12}, []int{20, 20, 12}, 56, true},
		{"then both", []int{30, 20, 12}, []int{19, 19, 12}, 54, true},
		{"no MAC is cut", []int{12, 40}, []int{12, leastCell}, 10, true},
	} {
		got := slices.Clone(c.widths)
		if clips := shrink(got, c.room); clips != c.clips || !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, %v; want %v, %v", c.name, got, clips, c.want, c.clips)
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
