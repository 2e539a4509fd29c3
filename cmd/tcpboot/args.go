package main

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

const completionFlag = "--generate-bash-completion"

// forCompletion prepares the arguments of a shell that asks for completions.
// After "--" there is nothing to complete, and cli would run the verb itself:
// then the arguments become harmless ones.
func forCompletion(args []string) (out []string, completing bool) {
	if len(args) < 2 || args[len(args)-1] != completionFlag {
		return args, false
	}
	switch i := slices.Index(args, "--"); {
	case i >= 0 && i == len(args)-2: // the word that is being typed: a flag
		return slices.Delete(slices.Clone(args), i, i+1), true
	case i >= 0:
		return []string{args[0], "completion", completionFlag}, true
	}
	return args, true
}

// flagsFirst moves flags before arguments, because cli stops reading flags at
// the first argument and people type them after it: `revoke MAC --reason lost`.
// Global flags may stand anywhere. What follows "--" stays an argument.
func flagsFirst(app *cli.App, args []string) ([]string, error) {
	p := parting{app: app, verbs: app.Commands}
	rest := args[1:]
	if len(rest) > 0 && rest[0] == "help" {
		rest = append(slices.Clone(rest[1:]), "--help")
	}
	for len(rest) > 0 {
		word := rest[0]
		rest = rest[1:]
		switch {
		case word == "--":
			p.arguments = append(p.arguments, rest...)
			rest = nil
		case len(word) > 1 && word[0] == '-':
			n, err := p.flag(word, rest)
			if err != nil {
				return nil, err
			}
			rest = rest[n:]
		default:
			p.word(word)
		}
	}
	out := append([]string{args[0]}, p.global...)
	out = append(append(out, p.path...), p.local...)
	if len(p.arguments) > 0 {
		out = append(append(out, "--"), p.arguments...)
	}
	return out, nil
}

// A parting is the command line taken apart.
type parting struct {
	app       *cli.App
	verbs     []*cli.Command // that may come next
	flags     []cli.Flag     // of the verb so far
	global    []string
	path      []string // the verb
	local     []string // its flags
	arguments []string
}

// word takes the next part of the verb, or an argument.
func (p *parting) word(w string) {
	i := slices.IndexFunc(p.verbs, func(c *cli.Command) bool { return c.HasName(w) })
	if i < 0 || len(p.arguments) > 0 {
		p.arguments = append(p.arguments, w)
		return
	}
	p.path = append(p.path, w)
	p.flags, p.verbs = p.verbs[i].Flags, p.verbs[i].Subcommands
}

// flag takes one flag and says how many of the following words are its value.
func (p *parting) flag(word string, rest []string) (taken int, err error) {
	name, _, hasValue := strings.Cut(strings.TrimLeft(word, "-"), "=")
	to, f := &p.local, find(p.flags, name)
	if f == nil {
		if f = find(p.app.Flags, name); f != nil {
			to = &p.global
		}
	}
	*to = append(*to, word)
	if f == nil || hasValue || isBool(f) {
		return 0, nil // an unknown flag is cli's to refuse
	}
	if len(rest) == 0 {
		return 0, usagef("flag needs a value: %s", word)
	}
	*to = append(*to, rest[0])
	return 1, nil
}

func find(flags []cli.Flag, name string) cli.Flag {
	for _, f := range flags {
		if slices.Contains(f.Names(), name) {
			return f
		}
	}
	return nil
}

func isBool(f cli.Flag) bool {
	_, ok := f.(*cli.BoolFlag)
	return ok
}
