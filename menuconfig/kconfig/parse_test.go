package kconfig

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// parseText parses a tree of one file, with others beside it as "name", "text".
func parseText(text string, others ...string) (*Tree, error) {
	files := fstest.MapFS{"Kconfig": {Data: []byte(text)}}
	for i := 0; i < len(others); i += 2 {
		files[others[i]] = &fstest.MapFile{Data: []byte(others[i+1])}
	}
	return Parse(Source{Files: files, Root: "Kconfig", Env: func(name string) (string, bool) {
		return "from the environment", name == "SET"
	}})
}

func mustParse(t testing.TB, text string, others ...string) *Tree {
	t.Helper()
	tree, err := parseText(text, others...)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// An error says where and why, and shows the line.
func TestParseErrors(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"no keyword", "config A\n    bool \"a\"\n?", "Kconfig:3:1: a line begins with a keyword, or with a variable that is assigned: ?"},
		{"unknown word", "confg A", "Kconfig:1:1: neither a keyword nor a variable that is assigned: confg A"},
		{"no name", "config", "Kconfig:1:7: the name of a symbol is wanted: config"},
		{"quoted name", `config "A"`, `Kconfig:1:8: the name of a symbol is wanted: config "A"`},
		{"y as a name", "config y", "Kconfig:1:8: the name of a symbol is wanted: config y"},
		{"two names", "config A B", "Kconfig:1:10: more than the line may hold: config A B"},
		{"open string", "menu \"M\nendmenu", `Kconfig:1:6: the string has no closing quote: menu "M`},
		{"open string with a macro", "menu \"$(X)\nendmenu", `Kconfig:1:6: the string has no closing quote: menu "$(X)`},
		{"no title", "menu", "Kconfig:1:5: a string is wanted: menu"},
		{"strange character", "config A\n    depends on A & B", "Kconfig:2:18: not a character of the language: depends on A & B"},
		{"column counts characters", "config A\n    bool \"ü\" €", `Kconfig:2:14: not a character of the language: bool "ü" €`},
		{"joined lines", "config A\n    depends on A && \\\n  B B", "Kconfig:3:5: more than the line may hold: B B"},
		{"no operand", "if A &&\nendif", "Kconfig:1:8: a symbol or a constant is wanted: if A &&"},
		{"no closing parenthesis", "if (A\nendif", "Kconfig:1:6: a closing parenthesis is wanted: if (A"},
		{"comparison of expressions", "if A = (B)\nendif", "Kconfig:1:8: a symbol or a constant is wanted: if A = (B)"},
		{"open menu", "menu \"M\"\nconfig A\n    bool", "Kconfig:1:1: no endmenu before the end of Kconfig"},
		{"open if", "\nif A\n", "Kconfig:2:1: no endif before the end of Kconfig"},
		{"open choice", "choice\n", "Kconfig:1:1: no endchoice before the end of Kconfig"},
		{"wrong end", "menu \"M\"\nendif", "Kconfig:2:1: there is no if to end here: endif"},
		{"end of nothing", "endchoice", "Kconfig:1:1: there is no choice to end here: endchoice"},
		{"option outside", "default y", "Kconfig:1:1: this begins no entry: default y"},
		{"depends without on", "config A\n depends A", "Kconfig:2:10: depends is followed by on: depends A"},
		{"visible without if", "menu \"M\"\n visible A\nendmenu", "Kconfig:2:10: visible is followed by if: visible A"},
		{"type of a menu", "menu \"M\"\n bool\nendmenu", "Kconfig:2:2: a type does not belong to this entry: bool"},
		{"prompt of a comment", "comment \"C\"\n prompt \"p\"", `Kconfig:2:2: a prompt does not belong to this entry: prompt "p"`},
		{"select of a choice", "choice\n select A\nendchoice", "Kconfig:2:2: select or imply does not belong to this entry: select A"},
		{"select of a constant", "config A\n select \"B\"", `Kconfig:2:9: the name of a symbol is wanted: select "B"`},
		{"set without a value", "config A\n bool\n set B if C", "Kconfig:3:8: set is followed by a name, = and a value: set B if C"},
		{"option of a choice", "choice\n option env=\"X\"\nendchoice", `Kconfig:2:2: option does not belong to this entry: option env="X"`},
		{"unknown option", "config A\n option modules", "Kconfig:2:9: no option of the language: option modules"},
		{"optional symbol", "config A\n optional", "Kconfig:2:2: optional does not belong to this entry: optional"},
		{"default of a number", "config A\n int\n default 1 || 2", "Kconfig:3:10: a default that is an expression is for bools only: default 1 || 2"},
		{"default of a choice", "choice\n default A && B\nendchoice", "Kconfig:2:10: a default that is an expression is for bools only: default A && B"},
		{"missing file", "source \"gone\"", `Kconfig:1:8: there is no file gone; a variable that is not set may be why: source "gone"`},
		{"file with a mark", "source \"bom\"", `bom:1:1: a byte-order mark: save the file as plain UTF-8: \ufeffconfig A`},
		{"file that is not UTF-8", "source \"latin\"", `latin:2:3: not UTF-8: # \xe4`},
		{"error in a file", "\nrsource \"bad\"", "bad:1:1: this begins no entry: on"},
		{"file within itself", "source \"self\"", `self:1:9: the file self takes in itself: osource "self"`},
		{"folder", "source \"dir\"", `Kconfig:1:8: read dir: invalid argument: source "dir"`},
		{"cycle", "config A\n bool\n default y if B\nconfig B\n int\n range 0 A", "Kconfig:1:1: a dependency cycle: A (Kconfig:1) depends on B (Kconfig:4) depends on A (Kconfig:1)"},
		{"cycle through a choice", "choice C\n prompt \"c\"\n config A\n  bool \"a\"\n  depends on X\n config B\n  bool \"b\"\nendchoice\nconfig X\n bool\n default y if B",
			"Kconfig:3:1: a dependency cycle: A (Kconfig:3) depends on X (Kconfig:9) depends on <choice C> (Kconfig:1) depends on A (Kconfig:3)"},
		{"macro without end", "A := $(B", "Kconfig:1:9: the macro has no closing parenthesis: A := $(B"},
		{"macro without value", "config $(NONE)", "Kconfig:1:8: the macro expands to nothing, where a name is wanted: config $(NONE)"},
		{"macro of itself", "A = $(A)\nB := $(A)", "Kconfig:2:1: the variable A refers to itself: B := $(A)"},
		{"endless function", "F = $(F,$(1))\nB := $(F,x)", "Kconfig:2:1: a macro calls itself without end: B := $(F,x)"},
		{"macro's arguments", "A := $(lineno,1)", "Kconfig:1:1: $(lineno) takes 0 arguments, not 1: A := $(lineno,1)"},
		{"command", "A := $(shell,id)", "Kconfig:1:1: $(shell) is not carried out here: reading a tree runs no commands: A := $(shell,id)"},
		{"own error", "$(error-if,y,Not here)", "Kconfig:1:1: Not here: $(error-if,y,Not here)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := parseText(tt.text, "bad", "on", "self", "osource \"self\"", "bom", "\ufeffconfig A", "latin", "\n# \xe4", "dir/x", "")
			if e := new(Error); !errors.As(err, &e) || strings.TrimSpace(err.Error()) != tt.want {
				t.Errorf("error %v\nwant  %s", err, tt.want)
			}
		})
	}
}

// A tree that costs too much is refused before it does.
func TestParseBounds(t *testing.T) {
	deep := func(n int, open, end string) string {
		return strings.Repeat(open+"\n", n) + strings.Repeat(end+"\n", n)
	}
	bomb := "A0 = xxxxxxxxxxxxxxxx\n"
	for i := range 30 {
		bomb += fmt.Sprintf("A%d = $(A%d)$(A%d)\n", i+1, i, i)
	}
	for _, tt := range []struct{ name, text, want string }{
		{"menus", deep(101, "menu \"M\"", "endmenu"), "nested more than 100 deep"},
		{"parentheses", "if " + strings.Repeat("(", 5000) + "A", "nested more than 100 deep"},
		{"negations", "if " + strings.Repeat("!", 5000) + "A", "nested more than 100 deep"},
		{"terms", "if A" + strings.Repeat(" && A", 1<<13) + "\nendif", "more than 8192 terms"},
		{"dependencies", "config A\n" + strings.Repeat(" depends on B\n", 1<<13+1), "more than 8192 terms"},
		{"symbols", func() string {
			var b strings.Builder
			for i := range 1<<16 + 1 {
				fmt.Fprintf(&b, "config S%d\n", i)
			}
			return b.String()
		}(), "more than 65536 symbols"},
		{"doubling macros", bomb + "B := $(A30)", "the macros of this tree expand to too much"},
		{"doubling macros without text", strings.Replace(bomb, strings.Repeat("x", 16), "", 1) + "B := $(A30)", "the macros of this tree expand to too much"},
		{"a file that is too large", strings.Repeat("#", MaxSize+1), "larger than"},
		{"files that are too large together", strings.Repeat("source \"large\"\n", 40), "larger than"},
		{"files", strings.Repeat("source \"small\"\n", maxFiles+1), "more than 10000 files"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := parseText(tt.text, "large", strings.Repeat("#", MaxSize/2), "small", "")
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %.200v, want %s", err, tt.want)
			}
		})
	}
	if _, err := parseText(deep(99, "menu \"M\"", "endmenu")); err != nil {
		t.Errorf("99 menus in one another: %v", err)
	}
}

// A chain of dependencies as long as a tree may have costs no stack.
func TestLongChain(t *testing.T) {
	var b strings.Builder
	for i := range 50_000 {
		fmt.Fprintf(&b, "config S%d\n bool \"s\"\n depends on S%d\n", i, i+1)
	}
	tree := mustParse(t, b.String()+"config S50000\n bool \"s\"\n")
	s := tree.Settings()
	for _, sym := range tree.Symbols {
		if err := s.Set(sym.Name, Bool(true)); err != nil {
			t.Fatal(err)
		}
	}
	if !s.Visible(tree.Symbols[0]) {
		t.Error("the first symbol is hidden")
	}
	if _, err := parseText(b.String() + "config S50000\n bool \"s\"\n depends on S0\n"); err == nil || len(err.Error()) > 500 {
		t.Errorf("a cycle of 50,001: %v", err)
	}
}

func TestTreeProblems(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"second type", "config A\n bool\n int", "Kconfig:3:2: a second type: it was bool, and is int from here on: int"},
		{"second prompt", "config A\n bool \"a\"\n prompt \"b\"", `Kconfig:3:2: a second prompt: this one counts: prompt "b"`},
		{"second help", "config A\n bool\n help\n  a\n help\n  b", "Kconfig:5:2: a second help text: this one counts: help"},
		{"second warning", "config A\n bool\n warning \"a\"\n warning \"b\"", `Kconfig:4:2: a second warning: this one counts: warning "b"`},
		{"visible if of a symbol", "config A\n bool\n visible if B", "Kconfig:3:2: visible if is for menus, and means nothing here: visible if B"},
		{"set of a number", "config A\n int\n set B=1", "Kconfig:3:2: set is for bools, and means nothing here: set B=1"},
		{"no type", "config A", "Kconfig:1:1: A is given no type"},
		{"hidden menuconfig", "menuconfig A\n bool", "Kconfig:1:1: the menuconfig A has no prompt, so nobody sees it"},
		{"range of a bool", "config A\n bool\n range 0 1", "Kconfig:1:1: A has a range, but is no number"},
		{"select by a number", "config A\n int\n select B", "Kconfig:1:1: A selects or implies, which only a bool can"},
		{"default of a number", "config A\n hex\n default \"x\"", "Kconfig:1:1: the default x of A is no hex"},
		{"string as a condition", "config A\n bool\n default y if S\nconfig S\n string", "Kconfig:1:1: the string S is used as a condition, which never holds"},
		{"two places", "config A\n bool\nconfig A\n bool", "Kconfig:3:1: A is also defined at Kconfig:1"},
		{"two places, known", "config A # ignore: multiple-definition\n bool\nconfig A\n bool", ""},
		{"choice without prompt", "choice C\n config A\n  bool \"a\"\nendchoice", "Kconfig:1:1: <choice C> has no prompt, so nobody can choose"},
		{"foreign default", "choice C\n prompt \"c\"\n default X\nendchoice", "Kconfig:1:1: the default X of <choice C> is none of its members"},
		{"default of a member", "choice C\n prompt \"c\"\n config A\n  bool \"a\"\n  default y\nendchoice", "Kconfig:3:1: a default on A means nothing: <choice C> selects it"},
		{"selected member", "config X\n bool\n select A\nchoice C\n prompt \"c\"\n config A\n  bool \"a\"\nendchoice",
			"Kconfig:6:1: selecting or implying A means nothing: it is a member of <choice C>"},
		{"no such variable", "config A\n string\n option env=\"NONE\"", `Kconfig:3:2: the environment has no NONE: option env="NONE"`},
		{"own note", "$(info,hello)", "Kconfig:1:1: hello: $(info,hello)"},
		{"own warning", "$(warning-if,y,hello)", "Kconfig:1:1: hello: $(warning-if,y,hello)"},
		{"no warning", "$(warning-if,n,hello)", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, p := range mustParse(t, tt.text).Problems() {
				got = append(got, p.Error())
			}
			if strings.Join(got, "\n") != tt.want {
				t.Errorf("problems %q, want %q", got, tt.want)
			}
		})
	}
}

// What the language allows although nobody would write it.
func TestParseOdd(t *testing.T) {
	for _, tt := range []struct{ name, text, option, want string }{
		{"CR alone ends a line", "config A\r string\r default \"x\"\r", "A", "x"},
		{"nothing behind the last \\", "config A\n string\n default \"x\" \\", "A", "x"},
		{"--help--", "config A\n string\n --help--\n  default \"h\"\n default \"x\"", "A", "x"},
		{"help at the end", "config A\n string\n default \"x\"\n help\n", "A", "x"},
		{"single quotes", "config A\n string\n default 'it''s'", "", ""},
		{"escapes", `config A` + "\n string\n" + ` default "\a\"\\\$(SET)"`, "A", `a"\$(SET)`},
		{"environment", "config A\n string\n default \"$SET,${SET},$(SET),$NO,${NO},$(NO),$\"", "A",
			"from the environment,from the environment,from the environment,$NO,${NO},,$"},
		{"env", "config A\n string\n option env=\"SET\"", "A", "from the environment"},
		{"function", "F = <$(2)$(1)$(3)>\nconfig A\n string\n default \"$(F,a,b)\"", "A", "<ba>"},
		{"nested parentheses", "F = $(1)\nconfig A\n string\n default \"$(F,(a,b))\"", "A", "(a,b)"},
		{"simple and recursive", "X = 1\nR = $(X)\nS := $(X)\nX = 2\nconfig A\n string\n default \"$(R)$(S)\"", "A", "21"},
		{"appended", "S := a\nS += $(N)\nN = b\nR = a\nR += $(N)\nconfig A\n string\n default \"$(S)|$(R)\"", "A", "a |a b"},
		{"name of a variable", "V := W\n$(V)_X := 3\nconfig A\n string\n default \"$(W_X)\"", "A", "3"},
		{"file and line", "config A\n string\n default \"$(filename):$(lineno)\"", "A", "Kconfig:3"},
		{"unquoted", "menu Title\nconfig A\n string words\n default \"x\"\nendmenu", "A", "x"},
		{"keyword after a quote", "config A\n string \"if\" if y\n default \"if\" if y", "A", "if"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tree, err := parseText(tt.text)
			if tt.option == "" {
				if err == nil {
					t.Error("no error")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := tree.Settings().Value(tree.Symbol(tt.option)).Text; got != tt.want {
				t.Errorf("%s is %q, want %q", tt.option, got, tt.want)
			}
		})
	}
}

func TestHelp(t *testing.T) {
	tree := mustParse(t, "config A\n\tbool\n\thelp\n\n\t  first\n\t    more\tcolumns\n\n            second  \n\t \n\tdefault y\n"+
		"config B\n bool\n help\nconfig C\n bool\n help\n  text # kept\n")
	for name, want := range map[string]string{"A": "first\n  more        columns\n\n  second", "B": "", "C": "text # kept"} {
		if n := tree.Symbol(name).Nodes[0]; n.Help() != want || !n.HasHelp {
			t.Errorf("help of %s: %q, want %q", name, n.Help(), want)
		}
	}
	if v := tree.Settings().Value(tree.Symbol("A")); v != Bool(true) {
		t.Errorf("A is %v: the line behind its help is lost", v)
	}
}

// Paths that begin with / are below Files, others below Dir; those in Dir are
// shown without it.
func TestSourcePaths(t *testing.T) {
	text := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }
	files := fstest.MapFS{
		"idf/Kconfig":           text("source \"list\"\nrsource \"comp/Kconfig.a\"\nsource \"/home/me/x/Kconfig\"\norsource \"[!ab]omp/*\"\n"),
		"idf/comp/Kconfig.a":    text("config A\n bool\n"),
		"idf/comp/.hidden":      text("config HIDDEN\n bool\n"),
		"idf/comp/Kconfig.b":    text("config B\n bool\n"),
		"home/me/list":          text("source \"x/K*\"\nosource \"[\"\n"),
		"home/me/x/Kconfig":     text("config X\n bool\n"),
		"home/me/x/Kconfig.two": text("config Y\n bool\n"),
	}
	src := Source{Files: files, Dir: "home/me", Root: "/idf/Kconfig"}
	if _, err := Parse(src); err == nil || !strings.Contains(err.Error(), "list:2:9: syntax error in pattern") {
		t.Fatalf("a pattern that is none: %v", err)
	}
	files["home/me/list"] = text("source \"x/K*\"\n")
	tree, err := Parse(src)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	tree.Walk(func(n *Node) { got = append(got, fmt.Sprintf("%s %s:%d", n.Symbol.Name, n.File, n.Line)) })
	want := []string{"X x/Kconfig:1", "Y x/Kconfig.two:1", "A /idf/comp/Kconfig.a:1", "X x/Kconfig:1", "A /idf/comp/Kconfig.a:1", "B /idf/comp/Kconfig.b:1"}
	if !slices.Equal(got, want) {
		t.Errorf("entries %q\nwant    %q", got, want)
	}
}

func TestRenameErrors(t *testing.T) {
	for text, want := range map[string]string{
		"# a\n\nCONFIG_A CONFIG_B # c\n": "",
		"\nCONFIG_A":                     "names:2:1: neither CONFIG_OLD CONFIG_NEW, nor CONFIG_OLD !CONFIG_NEW, nor a remark: CONFIG_A",
		"CONFIG_A B":                     "names:1:1: neither CONFIG_OLD CONFIG_NEW, nor CONFIG_OLD !CONFIG_NEW, nor a remark: CONFIG_A B",
		"CONFIG_A !CONFIG_A":             "names:1:1: the old name is the new one: CONFIG_A !CONFIG_A",
	} {
		_, err := Parse(Source{Files: fstest.MapFS{"Kconfig": {}, "names": {Data: []byte(text)}}, Root: "Kconfig", OldNames: []string{"names"}})
		if got := fmt.Sprint(err); err != nil && got != want || err == nil && want != "" {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
	_, err := Parse(Source{Files: fstest.MapFS{"Kconfig": {}}, Root: "Kconfig", OldNames: []string{"names"}})
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file of old names: %v", err)
	}
}

func TestInclusions(t *testing.T) {
	tree := mustParse(t, "\nsource \"a\"\nsource \"b\"\n", "a", "rsource \"b\"\n", "b", "config X\n bool\n")
	if got := fmt.Sprint(tree.Inclusions("b"), tree.Inclusions("a"), tree.Inclusions("Kconfig")); got != "[{a 1} {Kconfig 2}] [{Kconfig 2}] []" {
		t.Error(got)
	}
}
