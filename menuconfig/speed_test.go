package menuconfig

import (
	"io/fs"
	"testing"
	"testing/fstest"

	"github.com/tcpboot/tcpboot/menuconfig/kconfig"
	"github.com/tcpboot/tcpboot/menuconfig/kconfig/kconfigtest"
)

func mapFS(root string) fs.FS { return fstest.MapFS{"Kconfig": {Data: []byte(root)}} }

func bigTree(t testing.TB) *kconfig.Tree {
	t.Helper()
	tree, err := kconfig.Parse(kconfig.Source{Files: kconfigtest.Files(), Root: kconfigtest.Root})
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// A tree of ESP-IDF's size is found one's way in as in a small one.
func TestBigTree(t *testing.T) {
	d := sit(t, bigTree(t), "").press("/ part100_option_9 enter")
	d.has("Part 100 of the system")
	d.press("? end")
	d.has("taken in by Kconfig:")
	checkScreen(t, d.model)
}

// BenchmarkFirstPaint is from Kconfig files to the first screen.
func BenchmarkFirstPaint(b *testing.B) {
	src := kconfig.Source{Files: kconfigtest.Files(), Root: kconfigtest.Root}
	for b.Loop() {
		tree, err := kconfig.Parse(src)
		if err != nil {
			b.Fatal(err)
		}
		s := tree.Settings()
		New(Session{Settings: s, File: "sdkconfig"}).View()
	}
}

// The keys that change a value, move, or look for something, each with the screen
// that follows.
func BenchmarkKeys(b *testing.B) {
	tree := bigTree(b)
	for _, bm := range []struct{ name, to, key string }{
		{"change", "/ part000_option_9 enter", "space"},
		{"move", "enter", "down"},
		{"search", "/", "o"},
		{"all", "", "a"},
	} {
		b.Run(bm.name, func(b *testing.B) {
			d := sit(b, tree, "").press(bm.to)
			for i := 0; b.Loop(); i++ {
				if bm.key == "o" && i%8 == 7 {
					d.press("ctrl+u")
				}
				d.press(bm.key)
				d.model.View()
			}
		})
	}
}
