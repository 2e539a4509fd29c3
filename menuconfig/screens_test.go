package menuconfig

import (
	"flag"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"
)

var update = flag.Bool("update", false, "write the golden screens anew")

// A file of testdata/screens says what is done, and what is then on the screen:
//
//	size 80x24
//	tree ../templates/loader/main/Kconfig.projbuild
//	file CONFIG_NET_PORT=9000
//	keys enter down
//
//	what is drawn
//
// With "theme NAME" it is what the terminal gets, ESC being shown as ␛; with
// "ascii" the terminal has no other characters.
func TestScreens(t *testing.T) {
	files, err := filepath.Glob("testdata/screens/*")
	if err != nil || len(files) < 20 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			golden, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			head, want, _ := strings.Cut(string(golden), "\n\n")
			got := played(t, head)
			if *update {
				if err := os.WriteFile(file, []byte(head+"\n\n"+got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != want {
				t.Errorf("%s\n\ngot:\n%swant:\n%s", head, got, want)
			}
		})
	}
}

// played does what the head of a golden file says and returns the screen.
func played(t *testing.T, head string) string {
	said := map[string]string{}
	for _, l := range strings.Split(head, "\n") {
		word, rest, _ := strings.Cut(l, " ")
		said[word] += rest + "\n"
	}
	tree := fixture(t)
	if file := strings.TrimSpace(said["tree"]); file != "" {
		tree = treeIn(t, path.Dir(file), path.Base(file))
	}
	d := sit(t, tree, strings.TrimSuffix(said["file"], "\n"))
	x, y, _ := strings.Cut(strings.TrimSpace(said["size"]), "x")
	d.tell(tea.WindowSizeMsg{Width: atoi(t, x), Height: atoi(t, y)})
	_, d.model.ascii = said["ascii"]
	d.press(said["keys"])
	if theme := strings.TrimSpace(said["theme"]); theme != "" {
		d.model.style = theme
		return strings.ReplaceAll(d.model.View().Content, "\x1b", "␛") + "\n"
	}
	return d.screen()
}

// The README shows what there is.
func TestREADMEShowsTheMenu(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	golden, err := os.ReadFile("testdata/screens/readme")
	if err != nil {
		t.Fatal(err)
	}
	if _, screen, _ := strings.Cut(string(golden), "\n\n"); !strings.Contains(string(readme), "\n```\n"+screen+"```\n") {
		t.Errorf("README.md does not show\n%s", screen)
	}
}
