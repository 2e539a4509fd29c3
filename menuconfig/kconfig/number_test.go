package kconfig

import (
	"fmt"
	"strings"
	"testing"
)

func TestParseInt(t *testing.T) {
	for _, tt := range []struct {
		text string
		base int
		want string
	}{
		{"10", 10, "10"}, {"-007", 10, "-7"}, {" +1_000 ", 10, "1000"}, {"--1", 10, ""}, {"1-", 10, ""}, {"", 10, ""}, {"0x1", 10, ""},
		{"1F", 16, "31"}, {"-0x_1", 16, "-1"}, {"0x", 16, ""}, {"0xg", 16, ""}, {"0b1", 16, "177"},
		{"0x10", 0, "16"}, {"0o17", 0, "15"}, {"0B11", 0, "3"}, {"010", 0, ""}, {"00", 0, "0"}, {"12", 0, "12"}, {"1__2", 0, ""},
		{strings.Repeat("9", 4300), 10, strings.Repeat("9", 4300)}, {strings.Repeat("9", 4301), 10, ""},
	} {
		got := ""
		if n := parseInt(tt.text, tt.base); n != nil {
			got = n.String()
		}
		if got != tt.want {
			t.Errorf("%q in base %d is %q, want %q", tt.text, tt.base, got, tt.want)
		}
	}
}

func TestFloats(t *testing.T) {
	for text, want := range map[string]string{
		"5": "5.0", "0.10": "0.1", "1e-7": "1e-07", "0.0001": "0.0001", "0.00001": "1e-05", "1e15": "1000000000000000.0", "1e16": "1e+16",
		"-0": "-0.0", "1_0.5": "10.5", " 2 ": "2.0", ".5": "0.5", "5.": "5.0", "+1": "1.0", "1e400": "1e400", "nan": "nan", "inf": "inf",
		"0x10": "0x10", "1__0": "1__0", "_1": "_1", "e5": "e5", "": "", "abc": "abc",
	} {
		if got := shortest(text); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}

// Comparisons that no case of the reference tool has.
func TestCompare(t *testing.T) {
	const tree = "config N\n int\n default 10\nconfig F\n float\n default 2.5\nconfig E\n int\nconfig S\n string\n default \"10\"\nconfig T\n string\n default \"9\"\nconfig R\n bool\n default y if "
	for expr, want := range map[string]bool{
		"F < 3": true, "F = 2.50": true, "F > N": false, "nan = nan": false, "nan != nan": true, "nan < 1": false, "inf > 5": true,
		"E = 0": false, `E = ""`: true, "S < T": true, "S > 9": true, "9007199254740993 = 9007199254740992": false,
		"UNDEF < 1": false, "UNDEF > 1": true, "y > n": true, "N >= 10 && N <= 10": true, `"b" >= "a"`: true,
	} {
		s := mustParse(t, tree+expr+"\n").Settings()
		if got := s.Value(s.Tree().Symbol("R")) == Bool(true); got != want {
			t.Errorf("%s is %v, want %v", expr, got, want)
		}
	}
}

func TestExprString(t *testing.T) {
	for expr, want := range map[string]string{
		"A && B || C": "(A && B) || C", "A && (B || C)": "A && (B || C)", "!(A || B)": "!(A || B)", "!!A": "!(!A)", "!A = B": "!(A = B)",
		`A != "x\"y"`: `A != "x\"y"`, "y": "y", "A && y": "A && y", "A || B || C": "A || B || C", `"y"`: "y",
	} {
		tree := mustParse(t, "config X\n bool\n depends on "+expr+"\n")
		if got := tree.Symbol("X").Nodes[0].DependsOn().String(); got != want {
			t.Errorf("%s is printed %s, want %s", expr, got, want)
		}
	}
	if got := fmt.Sprint(&Choice{}, (*Expr)(nil)); got != "<choice> y" {
		t.Error(got)
	}
}

func TestQuoteJSON(t *testing.T) {
	var b strings.Builder
	printJSON(&b, array{"a\"\\/\n\r\t\f\b\x01\x7fü😀<&>", nil, true, object{}, array{}, number("1.5")}, "")
	if got, want := b.String(), `["a\"\\/\n\r\t\f\b\u0001\u007f\u00fc\ud83d\ude00<&>",null,true,{},[],1.5]`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
