package main

import "testing"

func TestNear(t *testing.T) {
	verbs := []string{"enroll", "rotate", "revoke", "list", "key", "crl"}
	for _, c := range []struct{ word, want string }{
		{"enrol", "enroll"},
		{"enrolll", "enroll"},
		{"rovoke", "revoke"},
		{"rotaet", "rotate"},
		{"lst", "list"},
		{"keys", "key"},
		{"crk", "crl"},
		{"", ""},
		{"fly", ""},
		{"k", ""},
		{"provision", ""},
	} {
		if got := near(c.word, verbs); got != c.want {
			t.Errorf("near(%q) = %q, want %q", c.word, got, c.want)
		}
	}
}
