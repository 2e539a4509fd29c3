package kconfig

import (
	"fmt"
	"strings"
)

// An ErrorKind says what an Error, or what is odd, means for the values.
type ErrorKind uint8

// The kinds.
const (
	Broken   ErrorKind = iota // it is not read, or has no effect
	Unknown                   // an assignment to an option that the tree does not have
	Harmless                  // it has its effect; a remark on how it is said
)

// An Error is something wrong at one place of a file. Text is the whole line. An
// sdkconfig line may hold a secret: of it Error shows only what stands before
// the value.
type Error struct {
	File   string
	Line   int // from 1
	Column int // from 1, in characters
	Text   string
	Why    string
	Kind   ErrorKind

	source bool // Text is of a Kconfig file, which holds no secrets
}

// Error prints "sdkconfig:12:20: why: CONFIG_NAME=…", or "Kconfig:5:9: why:
// depends on A = B".
func (e *Error) Error() string {
	at := fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Why)
	if e.Text == "" {
		return at
	}
	return at + ": " + e.shown()
}

// shown is the offending line without its value, bounded, with nothing in it
// that a terminal would act on.
func (e *Error) shown() string {
	text, cut := strings.TrimSpace(e.Text), false
	if !e.source {
		text, _, cut = strings.Cut(text, "=")
	}
	if len(text) > 60 {
		text, cut = strings.ToValidUTF8(text[:60], ""), true
	} else if cut {
		text += "="
	}
	if cut {
		text += "…"
	}
	quoted := fmt.Sprintf("%q", text)
	return strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
}
