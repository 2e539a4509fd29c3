package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"unicode"
	"unicode/utf8"

	"golang.org/x/term"
)

// table prints rows in columns under a header. Cells are made printable: what
// boards or files say must not steer a terminal.
func table(w io.Writer, header string, rows [][]string) {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, strings.Join(strings.Fields(header), "\t"))
	for _, r := range rows {
		cells := make([]string, len(r))
		for i, c := range r {
			cells[i] = printable(c)
		}
		fmt.Fprintln(t, strings.Join(cells, "\t"))
	}
	t.Flush()
}

// columns is how wide the terminal is that w is, else 0.
func columns(w io.Writer) int {
	f, ok := w.(*os.File)
	if !ok {
		return 0
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return width
}

// clip cuts what is longer than width, and shows that it did.
func clip(s string, width int) string {
	if utf8.RuneCountInString(s) <= width {
		return s
	}
	return string([]rune(s)[:width-1]) + "…"
}

// fold breaks text at its spaces into lines of at most room columns, of which all but
// the first one are indented. No room is a writer without an edge.
func fold(text string, room, indent int) string {
	var folded strings.Builder
	line := []rune(text)
	for room > indent && len(line) > room {
		at := room
		for at > indent && line[at] != ' ' {
			at--
		}
		if at == indent {
			break // a word that is longer than a line
		}
		folded.WriteString(string(line[:at]) + "\n")
		line = append([]rune(strings.Repeat(" ", indent)), line[at+1:]...)
	}
	return folded.String() + string(line)
}

// printable replaces what is no visible character, and shows "-" for nothing.
func printable(s string) string {
	if s == "" {
		return "-"
	}
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
}
