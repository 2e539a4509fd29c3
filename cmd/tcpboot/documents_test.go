package main

import (
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

// TestDocumentsNameWhatThereIs holds that every command with a flag in our documents
// and help texts is one that can be typed, and that the README names every verb.
func TestDocumentsNameWhatThereIs(t *testing.T) {
	app := newApp(nil, io.Discard, io.Discard)
	texts := map[string]string{}
	for _, name := range []string{"README.md", "SECURITY.md", "ARCHITECTURE.md", "templates/loader/README.md"} {
		text, err := os.ReadFile("../../" + name)
		if err != nil {
			t.Fatal(err)
		}
		texts[name] = string(text)
	}
	helpTexts(texts, "tcpboot", app.Commands)
	typed := regexp.MustCompile("(?:`|\\$ )tcpboot ([a-z][^`\n]*)")
	flag := regexp.MustCompile(`(?:^|\s)--([a-z][a-z-]*)`)
	for name, text := range texts {
		for _, line := range typed.FindAllStringSubmatch(text, -1) {
			verb, args := verbAt(app.Commands, strings.Fields(line[1]))
			if verb == nil {
				t.Errorf("%s: tcpboot %s: no such verb", name, line[1])
				continue
			}
			for _, f := range flag.FindAllStringSubmatch(strings.Join(args, " "), -1) {
				if !has(verb.Flags, f[1]) && !has(app.Flags, f[1]) {
					t.Errorf("%s: tcpboot %s: no flag --%s", name, line[1], f[1])
				}
			}
		}
	}
	for _, verb := range app.Commands {
		if !regexp.MustCompile("(`|tcpboot )" + verb.Name + "\\b").MatchString(texts["README.md"]) {
			t.Errorf("the README does not name %s", verb.Name)
		}
	}
}

// helpTexts adds what verbs say of themselves.
func helpTexts(texts map[string]string, above string, verbs []*cli.Command) {
	for _, v := range verbs {
		name := above + " " + v.Name
		texts[name] = v.Description
		helpTexts(texts, name, v.Subcommands)
	}
}

// verbAt is the verb that words begin with, and what is left of them.
func verbAt(verbs []*cli.Command, words []string) (found *cli.Command, left []string) {
	for len(words) > 0 {
		i := slices.IndexFunc(verbs, func(v *cli.Command) bool { return v.HasName(words[0]) })
		if i < 0 {
			break
		}
		found, verbs, words = verbs[i], verbs[i].Subcommands, words[1:]
	}
	return found, words
}

func has(flags []cli.Flag, name string) bool {
	return name == "help" || slices.ContainsFunc(flags, func(f cli.Flag) bool { return slices.Contains(f.Names(), name) })
}
