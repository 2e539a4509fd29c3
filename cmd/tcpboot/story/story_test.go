package story

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

// told is what the story says whoever plays the door board.
var told = []string{
	`246f28aa1003 would boot version (1\.4\.0|9)\n.*: whole, and signed`,
	`246f28aa1002 would install version 1\.5\.0`,
	`246f28aa1002 revoked`,
	`\d+ rows, whole`,
	`That was the whole story`,
}

// The story with the POSIX board and RADIUS, as they are here, and on a machine that has
// neither.
func TestDemo(t *testing.T) {
	bin := t.TempDir()
	build := exec.Command("go", "build", "-o", bin, "..")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	app := filepath.Join(bin, "app.bin")
	if err := os.WriteFile(app, standIn("9"), 0o600); err != nil {
		t.Fatal(err)
	}
	sources, err := filepath.Abs("../../../templates/loader/host_test")
	if err != nil {
		t.Fatal(err)
	}
	board := []string{"--board", sources}
	bare := only(t, "sh", "ls", "grep", "head", "sleep")
	for _, c := range []struct {
		name, path string
		args, says []string
		never      string
	}{
		{"board", os.Getenv("PATH"), board, []string{
			`The door board is a program here`,
			`right certificate of 246f28aa1002 by EAP-TLS: Access-Accept`,
			`lost board's certificate of 246f28aa1002 by EAP-TLS: Access-Reject`,
			`installed; bytes 262212 \(good\)`,
			`visit failed, number 1 \(network\)\ninstalling; bytes that are there already 1[0-9]{5} \(good\)\ninstalled;`,
			`visit failed, number \d \(refused\)\n(.*\n)*visit failed, number 5 .*\n.*\nthe application starts`, // in a hurry it may wait too briefly, too
			`nothing is stored yet 0 \(good\)\nvisit failed, number 1 \(refused\)\n\n`,
		}, "`tcpboot fetch` plays"},
		{"board, own image", os.Getenv("PATH"), append(board, "--app", app), []string{
			`app\.bin is .*app\.bin, its update next\.bin a stand-in`,
			`246f28aa1003 would boot version 9`,
			`bytes that are there already 1[0-9]{5} \(good\)\ninstalled;`,
		}, "No ESP-IDF"},
		{"the binary alone", os.Getenv("PATH"), nil, []string{
			"`tcpboot fetch` plays the door board.*--board DIR builds one",
			`lost board's certificate of 246f28aa1002 by EAP-TLS: Access-Reject`,
			`app: 147456 of 262212 bytes were there already`,
		}, "board power"},
		{"fetch", bare, board, []string{
			"`tcpboot fetch` plays the door board",
			`not run: FreeRADIUS and eapol_test are not installed`,
			`246f28aa1002 would install version 1\.4\.0`,
			`app: 147456 of 262212 bytes were there already`,
			`the server does not serve this certificate`,
		}, "board power"},
	} {
		t.Run(c.name, func(t *testing.T) {
			tmp := t.TempDir()
			demo := exec.Command(filepath.Join(bin, "tcpboot"), append([]string{"demo"}, c.args...)...)
			demo.Dir = tmp // where nothing of the repository is
			demo.Env = append(os.Environ(), "PATH="+c.path, "TMPDIR="+tmp)
			out, err := demo.CombinedOutput()
			if err != nil {
				t.Fatalf("%v:\n%s", err, out)
			}
			for _, want := range append(c.says, told...) {
				if !regexp.MustCompile(want).Match(out) {
					t.Errorf("does not say %q:\n%s", want, out)
				}
			}
			if regexp.MustCompile(c.never).Match(out) {
				t.Errorf("says %q:\n%s", c.never, out)
			}
			if left, err := os.ReadDir(tmp); err != nil || len(left) != 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}

// only makes a folder, for PATH, with these programs alone.
func only(t *testing.T, programs ...string) string {
	dir := t.TempDir()
	for _, name := range programs {
		path, err := exec.LookPath(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(path, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
