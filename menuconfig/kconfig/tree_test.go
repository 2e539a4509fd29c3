package kconfig

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/tcpboot/tcpboot/menuconfig/kconfig/kconfigtest"
)

func bigTree(t testing.TB) *Tree {
	t.Helper()
	tree, err := Parse(Source{Files: kconfigtest.Files(), Root: kconfigtest.Root})
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func TestBigTree(t *testing.T) {
	tree := bigTree(t)
	s := tree.Settings()
	visible := 0
	for _, sym := range tree.Symbols {
		if s.Visible(sym) {
			visible++
		}
	}
	if len(tree.Symbols) != kconfigtest.Symbols || visible < 900 {
		t.Errorf("%d symbols, %d of them visible; want %d, and most of a real tree's 1,000", len(tree.Symbols), visible, kconfigtest.Symbols)
	}
	for _, p := range tree.Problems() {
		t.Error(p)
	}
}

// all renders everything that follows from s.
func all(s *Settings) string {
	var b bytes.Buffer
	for _, write := range []func(*Settings) []byte{(*Settings).Sdkconfig, (*Settings).Menus, (*Settings).CMake} {
		b.Write(write(s))
	}
	for _, sym := range s.tree.Symbols {
		fmt.Fprintln(&b, sym.Name, s.values[sym.index], s.IsDefault(sym))
	}
	return b.String()
}

// After a change only what it may concern is evaluated again. That must give
// what evaluating everything gives.
func TestChangesEqualAFreshStart(t *testing.T) {
	tree := bigTree(t)
	s := tree.Settings()
	for i, sym := range tree.Symbols {
		if !sym.HasPrompt() || i%7 != 0 {
			continue
		}
		if err := s.Set(sym.Name, another(s.Value(sym))); err != nil {
			t.Fatal(err)
		}
		if i%21 == 0 {
			s.Unset(sym)
		}
	}
	fresh := tree.Settings()
	fresh.users, fresh.picks, fresh.files = s.users, s.picks, s.files
	fresh.evaluateAll()
	if a, b := all(s), all(fresh); a != b {
		t.Error(difference(a, b))
	}
}

// another is a value of the same type.
func another(v Value) Value {
	switch v.Type {
	case TypeBool:
		return Bool(v.Text != "y")
	case TypeString:
		return String(v.Text + "x")
	case TypeHex:
		return Hex(9)
	}
	return Int(9)
}

func BenchmarkParse(b *testing.B) {
	src := Source{Files: kconfigtest.Files(), Root: kconfigtest.Root}
	for b.Loop() {
		if _, err := Parse(src); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSettings(b *testing.B) {
	tree := bigTree(b)
	for b.Loop() {
		tree.Settings()
	}
}

func BenchmarkSet(b *testing.B) {
	tree := bigTree(b)
	s := tree.Settings()
	for i := 0; b.Loop(); i++ {
		if err := s.Set("PART000_OPTION_4", Bool(i%2 == 0)); err != nil {
			b.Fatal(err)
		}
	}
}
