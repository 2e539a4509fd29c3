package kconfig

import (
	"fmt"
	"strings"
	"testing"
)

// A definition is printed as it was written, but for what flows down.
func TestDefinition(t *testing.T) {
	const inner = `menuconfig A
    bool "a \"b\"" if B
    depends on C = "c"
    default y if B && !D
    default n
    select S if B
    imply I
    set N=5 if B
    set default N=6
    warning "careful"
`
	const number = "config N\n    int\n    range 1 D if B\n    default D\n"
	tree := mustParse(t, "if OUTER\n"+inner+"endif\n"+number+"choice CH\n    prompt \"ch\" if B\n    default X\nendchoice\n"+
		"choice\nendchoice\nmenu \"M\"\n    visible if B\ncomment \"C\"\nendmenu\nconfig UNTYPED\n    prompt \"u\"\n")
	var got []string
	tree.Walk(func(n *Node) { got = append(got, n.Definition()) })
	want := []string{strings.Replace(inner, `C = "c"`, `C = "c" && OUTER`, 1), "config N\n    int\n    default D\n    range 1 D if B\n",
		"choice CH\n    prompt \"ch\" if B\n    default X\n", "choice\n", "menu \"M\"\n    visible if B\n", "comment \"C\"\n", "config UNTYPED\n    prompt \"u\"\n"}
	for i := range want {
		if i >= len(got) || got[i] != want[i] {
			t.Fatalf("entry %d: %q\nwant %q", i, got[i:], want[i])
		}
	}
	a := tree.Symbol("A")
	if selecting, implying, setting := tree.byName["N"].Selectors(); fmt.Sprint(selecting, implying, setting) != fmt.Sprint([]*Symbol(nil), []*Symbol(nil), []*Symbol{a, a}) {
		t.Errorf("selectors of N: %v %v %v", selecting, implying, setting)
	}
	if selecting, implying, _ := tree.byName["S"].Selectors(); len(selecting) != 1 || selecting[0] != a || implying != nil {
		t.Errorf("selectors of S: %v %v", selecting, implying)
	}
}

func TestShown(t *testing.T) {
	tree := mustParse(t, "config A\n bool \"a\"\nmenu \"M\"\n visible if A\n config B\n  bool \"b\"\n comment \"C\"\n  depends on B\nendmenu\n"+
		"choice C\n prompt \"c\" if A\n config X\n  bool \"x\"\nendchoice\nconfig H\n bool\n")
	s := tree.Settings()
	shown := func() (list []string) {
		if !s.Shown(tree.Root) {
			t.Error("the root is hidden")
		}
		tree.Walk(func(n *Node) {
			if s.Shown(n) {
				list = append(list, n.ID())
			}
		})
		return list
	}
	for _, tt := range []struct{ set, want string }{
		{"", "[A]"},
		{"A", "[A m-Kconfig-3 B c-Kconfig-10 X]"},
		{"B", "[A m-Kconfig-3 B m-b-c-Kconfig-7 c-Kconfig-10 X]"},
	} {
		if tt.set != "" {
			if err := s.Set(tt.set, Bool(true)); err != nil {
				t.Fatal(err)
			}
		}
		if got := fmt.Sprint(shown()); got != tt.want {
			t.Errorf("after %s: %s, want %s", tt.set, got, tt.want)
		}
	}
}

func TestIDs(t *testing.T) {
	tree := mustParse(t, "menu \"Größe & Form: (2)\"\nmenu \"  x_Y  \"\nendmenu\nendmenu\nsource \"/sub/K\"\n", "sub/K", "menu \"\"\nendmenu\n")
	var got []string
	tree.Walk(func(n *Node) { got = append(got, n.ID()) })
	if want := "[größe-form-2--Kconfig-1 größe-form-2---x_y--Kconfig-2 -sub-K-1]"; fmt.Sprint(got) != want {
		t.Errorf("%v, want %s", got, want)
	}
}

// A menu is hidden by its own visible if too, and what is in an expression can be
// asked for.
func TestMissingOfAMenu(t *testing.T) {
	tree := mustParse(t, "config A\n bool\nconfig B\n bool\nmenu \"M\"\n depends on !A\n visible if A && (B || C = \"x\" || A)\nendmenu\n")
	n := tree.Root.Children[2]
	missing := tree.Settings().Missing(n)
	if got := fmt.Sprint(missing); got != `[A B || C = "x" || A]` {
		t.Error(got)
	}
	if got := fmt.Sprint(missing[1].Symbols()); got != "[B A]" {
		t.Error(got)
	}
}
