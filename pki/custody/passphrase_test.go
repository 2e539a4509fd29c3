package custody

import (
	"strings"
	"testing"
)

func TestParsePassphrases(t *testing.T) {
	for name, row := range map[string]struct {
		text string
		role Role
		want string
	}{
		"one line for all":            {"open sesame\n", App, "open sesame"},
		"no final line end":           {"open sesame", Boards, "open sesame"},
		"a DOS line end":              {"open sesame\r\n", Boards, "open sesame"},
		"a colon in the one line":     {"open: sesame\n", Boards, "open: sesame"},
		"a hash in the one line":      {"#1 fan\n", Boards, "#1 fan"},
		"UTF-8":                       {"Grüße 🔑\n", Boards, "Grüße 🔑"},
		"one role":                    {"app: x\n", App, "x"},
		"without the blank":           {"app:x\n", App, "x"},
		"roles, empty lines between":  {"\nboards: one\n\nrelease: two\n", Release, "two"},
		"a colon in a role's":         {"boards: a: b\nrelease-root: c:d\n", ReleaseRoot, "c:d"},
		"a role's like another's key": {"boards: release: x\nrelease: y\n", Boards, "release: x"},
	} {
		passphrases, err := ParsePassphrases([]byte(row.text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got, err := passphrases(row.role); err != nil || string(got) != row.want {
			t.Errorf("%s: %q, %v, want %q", name, got, err, row.want)
		}
	}
}

func TestParsePassphrasesRefuses(t *testing.T) {
	for name, row := range map[string]struct{ text, want string }{
		"nothing":                  {"", "empty"},
		"empty lines":              {"\n\r\n", "empty"},
		"an unknown role":          {"boards: hidden\nroot: hidden\n", "line 2: want a role"},
		"a second plain line":      {"hidden\nhidden\n", "line 1: want a role"},
		"a plain line among roles": {"boards: hidden\n\nhidden\n", "line 3: want a role"},
		"upper case":               {"Boards: hidden\napp: hidden\n", "line 1: want a role"},
		"a role twice":             {"app: hidden\napp: hidden\n", "line 2: a second line for app"},
		"a role without":           {"app:\n", "line 1: no passphrase"},
		"two blanks":               {"app:  hidden\n", "line 1: a blank"},
		"a blank after":            {"hidden \n", "line 1: a blank"},
		"a tab inside":             {"hidden\thidden\n", "line 1: not plain"},
		"a zero byte":              {"hidden\x00\n", "line 1: not plain"},
		"a byte order mark":        {"\ufeffhidden\n", "line 1: not plain"},
		"Latin-1":                  {"hidden\xfc\n", "line 1: not plain"},
		"a long line":              {"hidden" + strings.Repeat("x", maxPassphrase), "line 1: longer"},
		"a long file":              {strings.Repeat("hidden\n", maxPassphraseFile), "passphrases: longer"},
	} {
		passphrases, err := ParsePassphrases([]byte(row.text))
		if err == nil || !strings.Contains(err.Error(), row.want) || passphrases != nil {
			t.Errorf("%s: %v, want an error with %q", name, err, row.want)
			continue
		}
		if strings.Contains(err.Error(), "hidden") {
			t.Errorf("%s: the error tells the passphrase: %v", name, err)
		}
	}
}

func TestPassphraseOfAMissingRole(t *testing.T) {
	passphrases, err := ParsePassphrases([]byte("app: hidden\n"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := passphrases(Release); err == nil || err.Error() != "passphrases: no line for release" || got != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

func FuzzParsePassphrases(f *testing.F) {
	for _, seed := range []string{"", "open sesame\n", "app: x\nboards: y\n", "app:\n", "\ufeffx", "a\r\n\r\n", "app: x\napp: x"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		passphrases, err := ParsePassphrases(text)
		if err != nil {
			return
		}
		for _, role := range Roles() {
			p, err := passphrases(role)
			if err == nil && (len(p) == 0 || !strings.Contains(string(text), string(p))) {
				t.Errorf("%s: %q is no part of the file", role, p)
			}
		}
	})
}
