package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// transcriptFile is what cosign said when `make cosign` was last run to record it.
const transcriptFile = "testdata/cosign/transcript.txt"

// The commands that help shows are ones that cosign was seen to take.
func TestCosignCommands(t *testing.T) {
	recorded, err := os.ReadFile(transcriptFile)
	if err != nil {
		t.Fatal(err)
	}
	shown := strings.ReplaceAll(releaseFilesVerb.Description, "\\\n   ", "")
	shown = strings.ReplaceAll(shown, "HOST/REPOSITORY@DIGEST", "REGISTRY/lab/firmware@sha256:…")
	commands := regexp.MustCompile("(?m)^cosign .*$").FindAllString(shown, -1)
	if len(commands) < 3 {
		t.Fatalf("%d commands shown: %q", len(commands), commands)
	}
	for _, c := range commands {
		if !bytes.Contains(recorded, []byte("$ "+c+"\n")) {
			t.Errorf("%s: not among those that cosign has taken", c)
		}
	}
}

// TestCosign lets cosign judge what the command makes, where TCPBOOT_COSIGN names
// one: building it takes minutes. It says what it said before, or what it says is
// recorded (TCPBOOT_RECORD).
func TestCosign(t *testing.T) {
	program := os.Getenv("TCPBOOT_COSIGN")
	if program == "" {
		return // TestCosignCommands goes by what was recorded
	}
	file, err := filepath.Abs(transcriptFile)
	if err != nil {
		t.Fatal(err)
	}
	r := &recorder{program: program, file: file, record: os.Getenv("TCPBOOT_RECORD") != ""}
	commands := map[string]func(*testscript.TestScript, bool, []string){"cosign": r.cosign, "transcript": r.transcript}
	for name, cmd := range scriptCommands {
		commands[name] = cmd
	}
	testscript.Run(t, testscript.Params{
		Files: []string{"testdata/cosign/release.txtar"}, RequireExplicitExec: true, Setup: setupScript, Cmds: commands,
	})
}

// A recorder keeps what cosign says.
type recorder struct {
	program, file string
	record        bool
	text          bytes.Buffer
}

// cosign runs it, which must succeed, or fail:  [!] cosign ARGS...
func (r *recorder) cosign(ts *testscript.TestScript, neg bool, args []string) {
	c := exec.Command(r.program, args...)
	c.Dir = ts.MkAbs(".")
	c.Env = append(os.Environ(), "HOME="+ts.Getenv("WORK"), "COSIGN_PASSWORD="+ts.Getenv("COSIGN_PASSWORD"))
	out, err := c.CombinedOutput()
	said := anonymous(ts, string(out))
	if e := new(exec.ExitError); errors.As(err, &e) {
		said = fmt.Sprintf("%s\nexit status %d\n", refusal.FindString(said), e.ExitCode())
	}
	fmt.Fprintf(&r.text, "$ %s%s", anonymous(ts, "cosign "+strings.Join(args, " ")), said)
	if (err != nil) != neg {
		ts.Fatalf("cosign %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// refusal is what cosign refuses with. Why comes after it, for one attachment after
// the other, in no order.
var refusal = regexp.MustCompile(`(?m)^Error: [^:\n]*`)

// anonymous takes out what is another on every run and every machine.
func anonymous(ts *testscript.TestScript, text string) string {
	text = strings.NewReplacer(ts.Getenv("REGISTRY"), "REGISTRY", ts.Getenv("WORK"), "WORK", `,{"critical"`, ",\n"+` {"critical"`).Replace(text)
	text = regexp.MustCompile(`[0-9a-f]{64}`).ReplaceAllString(text, "…")
	text = regexp.MustCompile(`[A-Za-z0-9+/=]{60,}`).ReplaceAllString(text, "…")
	return strings.TrimSpace(text) + "\n"
}

// transcript compares what was said with the recorded transcript, or records it.
func (r *recorder) transcript(ts *testscript.TestScript, neg bool, args []string) {
	if r.record {
		ts.Check(os.WriteFile(r.file, r.text.Bytes(), 0o644))
	}
	want, err := os.ReadFile(r.file)
	ts.Check(err)
	if !slices.Equal(unordered(string(want)), unordered(r.text.String())) {
		ts.Fatalf("cosign says otherwise than it did:\n%s", &r.text)
	}
}

// unordered is a transcript without the order in which cosign lists attachments,
// which goes by their digests.
func unordered(text string) (lines []string) {
	for line := range strings.Lines(text) {
		lines = append(lines, strings.Trim(line, " ,[]\n"))
	}
	slices.Sort(lines)
	return lines
}
