package kconfig

import (
	"strings"
	"unicode/utf8"
)

// A lexer cuts one Kconfig file into lines and each line into tokens. What a
// line means is the parser's business, with one exception that the language
// forces: macros are expanded here, because a macro may stand inside a word.
type lexer struct {
	file   string
	rest   string // what no line has taken yet
	number int    // of the last physical line taken
	text   string // the logical line: joined, without its end
	joins  []join // where text continues on a further physical line
	tokens []token
	back   bool // the line was given back
	macros *macros
}

// A join is a place in a logical line where a physical line begins.
type join struct{ pos, number int }

type tokenKind uint8

// A token is a piece of one line. text is a name, or a string without its
// quotes; pos is where the token begins in the line, in bytes.
type token struct {
	kind tokenKind
	text string
	pos  int
}

const (
	tokEnd    tokenKind = iota // of the line
	tokName                    // a symbol, or y or n, or a number
	tokQuoted                  // a constant in an expression
	tokText                    // a string where the language wants one
	tokAnd
	tokOr
	tokNot
	tokEqual
	tokUnequal
	tokLess
	tokLessEqual
	tokGreater
	tokGreaterEqual
	tokOpen
	tokClose
	tokMacro // a line that the preprocessor took whole

	// Keywords.
	tokAllNoConfig
	tokBool
	tokChoice
	tokComment
	tokConfig
	tokDefault
	tokDefconfigList
	tokDepends
	tokEndChoice
	tokEndIf
	tokEndMenu
	tokEnv
	tokFloat
	tokHelp
	tokHex
	tokIf
	tokImply
	tokInt
	tokMainMenu
	tokMenu
	tokMenuConfig
	tokOn
	tokOption
	tokOptional
	tokOrsource
	tokOsource
	tokPrompt
	tokRange
	tokRsource
	tokSelect
	tokSet
	tokSource
	tokString
	tokVisible
	tokWarning
)

var keywords = map[string]tokenKind{
	"---help---": tokHelp, "allnoconfig_y": tokAllNoConfig, "bool": tokBool, "boolean": tokBool, "choice": tokChoice,
	"comment": tokComment, "config": tokConfig, "default": tokDefault, "defconfig_list": tokDefconfigList,
	"depends": tokDepends, "endchoice": tokEndChoice, "endif": tokEndIf, "endmenu": tokEndMenu, "env": tokEnv,
	"float": tokFloat, "grsource": tokOrsource, "gsource": tokOsource, "help": tokHelp, "hex": tokHex, "if": tokIf,
	"imply": tokImply, "int": tokInt, "mainmenu": tokMainMenu, "menu": tokMenu, "menuconfig": tokMenuConfig,
	"on": tokOn, "option": tokOption, "optional": tokOptional, "orsource": tokOrsource, "osource": tokOsource,
	"prompt": tokPrompt, "range": tokRange, "rsource": tokRsource, "select": tokSelect, "set": tokSet,
	"source": tokSource, "string": tokString, "visible": tokVisible, "warning": tokWarning,
}

// keyword returns what a word means, or tokEnd when it is none. Names of symbols
// are mostly told by their first letter.
func keyword(word string) tokenKind {
	if c := word[0]; c >= 'A' && c <= 'Z' {
		return tokEnd
	}
	return keywords[word]
}

var operators = []struct {
	text string
	kind tokenKind
}{
	{"&&", tokAnd}, {"||", tokOr}, {"!=", tokUnequal}, {"<=", tokLessEqual}, {">=", tokGreaterEqual},
	{"=", tokEqual}, {"!", tokNot}, {"(", tokOpen}, {")", tokClose}, {"<", tokLess}, {">", tokGreater},
}

// takesText says after which keywords a word or a string is text, and no name.
func (k tokenKind) takesText() bool {
	switch k {
	case tokBool, tokChoice, tokComment, tokFloat, tokHex, tokInt, tokMainMenu, tokMenu, tokOrsource, tokOsource,
		tokPrompt, tokRsource, tokSource, tokString, tokWarning:
		return true
	}
	return false
}

// What a byte can be part of.
const (
	firstByte = 1 << iota // the first word of a line
	wordByte              // a later word
	spaceByte
)

var byteClass = func() (class [256]uint8) {
	for c := range class {
		switch {
		case c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '_', c == '$', c == '-':
			class[c] = firstByte | wordByte
		case c == '/', c == '.':
			class[c] = wordByte
		case c == ' ', c >= '\t' && c <= '\r':
			class[c] = spaceByte
		}
	}
	return class
}()

// span returns where the bytes of a class that begin at i end.
func span(s string, i int, class uint8) int {
	for i < len(s) && byteClass[s[i]]&class != 0 {
		i++
	}
	return i
}

// physical takes one line off the file. ok is false at its end.
func (l *lexer) physical() (text string, ok bool) {
	if l.rest == "" {
		return "", false
	}
	text, _, l.rest = splitLine(l.rest)
	l.number++
	return text, true
}

// next reads the next line that says something into l.tokens, which end with
// tokEnd. ok is false at the end of the file.
func (l *lexer) next() (ok bool, err error) {
	if l.back {
		l.back = false
		return true, nil
	}
	for {
		text, ok := l.physical()
		if !ok {
			return false, nil
		}
		if err := l.line(text); err != nil {
			return false, err
		}
		if k := l.tokens[0].kind; k != tokEnd && k != tokMacro {
			return true, nil
		}
	}
}

// line cuts a line that was taken into tokens, after joining what belongs to it.
func (l *lexer) line(text string) error {
	l.joins = l.joins[:0]
	for ok := true; ok && strings.HasSuffix(text, `\`); {
		var more string
		text = text[:len(text)-1]
		if more, ok = l.physical(); ok {
			l.joins = append(l.joins, join{len(text), l.number})
			text += more
		}
	}
	l.text, l.tokens = text, l.tokens[:0]
	return l.cut()
}

func (l *lexer) cut() error {
	s := l.text
	start := span(s, 0, spaceByte)
	i := span(s, start, firstByte)
	if i == start {
		if i < len(s) && s[i] != '#' {
			return l.fail(i, "a line begins with a keyword, or with a variable that is assigned")
		}
		l.add(tokEnd, "", i)
		return nil
	}
	kind := keyword(s[start:i])
	if kind == tokEnd {
		if strings.Trim(s, " \t-") == "help" {
			l.add(tokHelp, "", start)
			l.add(tokEnd, "", i)
			return nil
		}
		l.add(tokMacro, "", start)
		return l.macros.assign(l)
	}
	l.add(kind, "", start)
	i = span(s, i, spaceByte)
	plain := !strings.ContainsAny(s[i:], `$\`)
	for i < len(s) && s[i] != '#' {
		end, err := l.one(i, plain)
		if err != nil {
			return err
		}
		i = span(s, end, spaceByte)
	}
	l.add(tokEnd, "", i)
	return nil
}

func (l *lexer) add(kind tokenKind, text string, pos int) {
	l.tokens = append(l.tokens, token{kind, text, pos})
}

// one adds the token that begins at i and returns where it ends. plain says
// that nothing in the line needs expanding.
func (l *lexer) one(i int, plain bool) (end int, err error) {
	s := l.text
	if end = span(s, i, wordByte); end > i {
		return l.word(i, end)
	}
	if s[i] == '"' || s[i] == '\'' {
		return l.quoted(i, plain)
	}
	for _, o := range operators {
		if strings.HasPrefix(s[i:], o.text) {
			l.add(o.kind, "", i)
			return i + len(o.text), nil
		}
	}
	return 0, l.fail(i, "not a character of the language")
}

func (l *lexer) word(i, end int) (int, error) {
	text := l.text[i:end]
	if kind := keyword(text); kind != tokEnd {
		l.add(kind, "", i)
		return end, nil
	}
	if l.tokens[len(l.tokens)-1].kind.takesText() {
		l.add(tokText, text, i)
		return end, nil
	}
	if strings.Contains(text, "$") {
		var err error
		if text, end, err = l.name(i); err != nil {
			return 0, err
		}
	}
	l.add(tokName, text, i)
	return end, nil
}

// name reads a name with macros in it.
func (l *lexer) name(i int) (text string, end int, err error) {
	var b strings.Builder
	for end = i; end < len(l.text) && byteClass[l.text[end]]&wordByte != 0; {
		if strings.HasPrefix(l.text[end:], "$(") {
			if text, end, err = l.macros.call(l, l.text, end, nil); err != nil {
				return "", 0, err
			}
			b.WriteString(text)
			continue
		}
		b.WriteByte(l.text[end])
		end++
	}
	if strings.TrimSpace(b.String()) == "" {
		return "", 0, l.fail(i, "the macro expands to nothing, where a name is wanted")
	}
	return b.String(), end, nil
}

// quoted reads a string in the quotes that open at i.
func (l *lexer) quoted(i int, plain bool) (end int, err error) {
	var text string
	if plain {
		n := strings.IndexByte(l.text[i+1:], l.text[i])
		if n < 0 {
			return 0, l.fail(i, "the string has no closing quote")
		}
		text, end = l.text[i+1:i+1+n], i+n+2
	} else if text, end, err = l.expanded(i); err != nil {
		return 0, err
	}
	kind := tokQuoted
	if l.tokens[len(l.tokens)-1].kind.takesText() || l.tokens[0].kind == tokOption {
		kind = tokText
	}
	l.add(kind, text, i)
	return end, nil
}

// expanded reads a string that may hold escapes, macros and names of
// environment variables.
func (l *lexer) expanded(i int) (text string, end int, err error) {
	var b strings.Builder
	s, quote := l.text, l.text[i]
	for end = i + 1; end < len(s); {
		switch c := s[end]; {
		case c == quote:
			text, err = l.macros.environment(l, b.String())
			return text, end + 1, err
		case c == '\\' && end+1 < len(s):
			_, n := utf8.DecodeRuneInString(s[end+1:])
			b.WriteString(s[end+1 : end+1+n])
			end += 1 + n
		case strings.HasPrefix(s[end:], "$("):
			if text, end, err = l.macros.call(l, s, end, nil); err != nil {
				return "", 0, err
			}
			b.WriteString(text)
		default:
			b.WriteByte(c)
			end++
		}
	}
	return "", 0, l.fail(i, "the string has no closing quote")
}

// help takes the lines of the text below a help line, as they stand. What
// follows them is the next line.
func (l *lexer) help() (lines string, err error) {
	text := l.rest
	line, ok := l.physical()
	for ok && isBlank(line) {
		text = l.rest
		line, ok = l.physical()
	}
	_, indent := indented(line)
	if indent == 0 {
		return "", l.giveBack(line, ok)
	}
	for {
		end := len(text) - len(l.rest)
		if line, ok = l.physical(); ok {
			if _, n := indented(line); n >= indent || isBlank(line) {
				continue
			}
		}
		return text[:end], l.giveBack(line, ok)
	}
}

// giveBack makes a line that was taken the next one.
func (l *lexer) giveBack(text string, taken bool) error {
	if !taken {
		return nil
	}
	if err := l.line(text); err != nil {
		return err
	}
	k := l.tokens[0].kind
	l.back = k != tokEnd && k != tokMacro
	return nil
}

func isBlank(s string) bool { return trimLeft(s) == "" }

// indented expands the tabs of a line, eight columns each, and counts the
// blanks it begins with.
func indented(s string) (string, int) {
	if strings.Contains(s, "\t") {
		s = expandTabs(s)
	}
	return s, len(s) - len(trimLeft(s))
}

func expandTabs(s string) string {
	var b strings.Builder
	column := 0
	for _, r := range s {
		if r == '\t' {
			n := 8 - column%8
			b.WriteString("        "[:n])
			column += n
			continue
		}
		b.WriteRune(r)
		column++
	}
	return b.String()
}

// fail says what is wrong at a place of the line.
func (l *lexer) fail(pos int, why string) *Error {
	e := l.where(pos)
	e.Why = why
	return e
}

// where is a place of the line for people: in the physical line that it is in.
func (l *lexer) where(pos int) *Error {
	from, to, number := 0, len(l.text), l.number-len(l.joins)
	pos = min(pos, to)
	for _, j := range l.joins {
		if j.pos > pos {
			to = min(to, j.pos)
			break
		}
		from, number = j.pos, j.number
	}
	return &Error{File: l.file, Line: number, Column: utf8.RuneCountInString(l.text[from:pos]) + 1, Text: l.text[from:to], source: true}
}
