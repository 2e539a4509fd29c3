package custody

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Passphrases gives the passphrase of a role, from a file or from a person at a
// terminal.
type Passphrases func(Role) ([]byte, error)

const (
	maxPassphraseFile = 16 << 10
	maxPassphrase     = 1024
)

// ParsePassphrases reads a passphrase file: either one line, the passphrase of
// all roles, or a line for each role that is needed:
//
//	boards: correct horse battery staple
//	release: a moving target
//
// A line of the second form starts with the name of a role, a colon and one
// blank. Empty lines do not count. A passphrase neither starts nor ends with a
// blank, and holds no control character. Errors name a line, never what it says.
func ParsePassphrases(text []byte) (Passphrases, error) {
	if len(text) > maxPassphraseFile {
		return nil, fmt.Errorf("passphrases: longer than %d bytes", maxPassphraseFile)
	}
	lines := contentLines(text)
	if len(lines) == 0 {
		return nil, errors.New("passphrases: empty")
	}
	if _, _, ok := cutRole(lines[0].text); len(lines) == 1 && !ok {
		return onePassphrase(lines[0])
	}
	return rolePassphrases(lines)
}

type line struct {
	number int
	text   string
}

func contentLines(text []byte) (lines []line) {
	number := 0
	for raw := range bytes.Lines(text) {
		number++
		s := strings.TrimSuffix(strings.TrimSuffix(string(raw), "\n"), "\r")
		if s != "" {
			lines = append(lines, line{number, s})
		}
	}
	return lines
}

func cutRole(s string) (r Role, passphrase string, ok bool) {
	word, passphrase, ok := strings.Cut(s, ":")
	r = Role(word)
	return r, strings.TrimPrefix(passphrase, " "), ok && slices.Contains(Roles(), r)
}

func onePassphrase(l line) (Passphrases, error) {
	if err := checkPassphrase(l.number, l.text); err != nil {
		return nil, err
	}
	return func(Role) ([]byte, error) { return []byte(l.text), nil }, nil
}

func rolePassphrases(lines []line) (Passphrases, error) {
	found := make(map[Role]string)
	for _, l := range lines {
		role, passphrase, ok := cutRole(l.text)
		if !ok {
			return nil, fmt.Errorf("passphrases: line %d: want a role (%s), a colon and its passphrase", l.number, roleNames())
		}
		if _, twice := found[role]; twice {
			return nil, fmt.Errorf("passphrases: line %d: a second line for %s", l.number, role)
		}
		if err := checkPassphrase(l.number, passphrase); err != nil {
			return nil, err
		}
		found[role] = passphrase
	}
	return func(r Role) ([]byte, error) {
		if p, ok := found[r]; ok {
			return []byte(p), nil
		}
		return nil, fmt.Errorf("passphrases: no line for %s", r)
	}, nil
}

func checkPassphrase(number int, s string) error {
	switch {
	case s == "":
		return fmt.Errorf("passphrases: line %d: no passphrase", number)
	case len(s) > maxPassphrase:
		return fmt.Errorf("passphrases: line %d: longer than %d bytes", number, maxPassphrase)
	case strings.TrimSpace(s) != s:
		return fmt.Errorf("passphrases: line %d: a blank before or after the passphrase", number)
	case !utf8.ValidString(s) || strings.ContainsFunc(s, unprintable):
		return fmt.Errorf("passphrases: line %d: not plain UTF-8 text", number)
	}
	return nil
}

// unprintable also catches the byte order mark that some editors put first.
func unprintable(r rune) bool { return r != ' ' && !unicode.IsPrint(r) }

func roleNames() string {
	var names []string
	for _, r := range Roles() {
		names = append(names, string(r))
	}
	return strings.Join(names, ", ")
}
