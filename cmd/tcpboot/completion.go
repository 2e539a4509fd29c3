package main

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"
)

// The shells ask the binary itself: it gets the line so far and one last flag.
const bashCompletion = `_tcpboot() {
	local cur=${COMP_WORDS[COMP_CWORD]} words
	if [[ $cur == -* ]]; then
		words=$("${COMP_WORDS[@]:0:COMP_CWORD}" "$cur" --generate-bash-completion 2>/dev/null)
	else
		words=$("${COMP_WORDS[@]:0:COMP_CWORD}" --generate-bash-completion 2>/dev/null)
	fi
	COMPREPLY=($(compgen -W "$words" -- "$cur"))
	[[ -n ${COMPREPLY[*]} ]] || COMPREPLY=($(compgen -f -- "$cur"))
}
complete -o nosort -F _tcpboot tcpboot
`

// What lies in a folder of $fpath is called by its name, and so calls itself. To cli a
// shell is zsh, and shows what a verb is for, by the variable 0.
const zshCompletion = `#compdef tcpboot
_tcpboot() {
	local -a line=("${(@Q)words[1,CURRENT-1]}") offered
	[[ $words[CURRENT] == -* ]] && line+=("$words[CURRENT]")
	offered=("${(@f)$(env 0=zsh ${~line[1]} "${(@)line[2,-1]}" --generate-bash-completion 2>/dev/null)}")
	[[ -n $offered ]] && _describe tcpboot offered || _files
}
if [[ $funcstack[1] == _tcpboot ]]; then
	_tcpboot
else
	(( $+functions[compdef] )) || { autoload -U compinit && compinit }
	compdef _tcpboot tcpboot
fi
`

const fishCompletion = `function __tcpboot
	set -l words (commandline -opc)
	$words --generate-bash-completion 2>/dev/null
end
complete -c tcpboot -a "(__tcpboot)"
`

var completionVerb = &cli.Command{
	Name:      "completion",
	Usage:     "print the completion script of a shell",
	ArgsUsage: "bash|zsh|fish",
	Description: "Add to ~/.bashrc:  source <(tcpboot completion bash)\n" +
		"Add to ~/.zshrc:   source <(tcpboot completion zsh)\n" +
		"For fish:          tcpboot completion fish > ~/.config/fish/completions/tcpboot.fish",
	BashComplete: func(c *cli.Context) { fmt.Fprintln(c.App.Writer, "bash\nzsh\nfish") },
	Action: func(c *cli.Context) error {
		if err := wantArgs(c, 1, "bash, zsh or fish"); err != nil {
			return err
		}
		scripts := map[string]string{"bash": bashCompletion, "zsh": zshCompletion, "fish": fishCompletion}
		script := scripts[c.Args().First()]
		if script == "" {
			return usagef("completion: unknown shell %q; want bash, zsh or fish", c.Args().First())
		}
		_, err := fmt.Fprint(c.App.Writer, script)
		return err
	},
}

// completeMACs offers the MACs of the site's boards, for verbs that take them.
func completeMACs(c *cli.Context) {
	cli.DefaultCompleteWithFlags(c.Command)(c)
	_ = readingSite(func(s *session) error {
		for d, err := range s.fleet.Devices(s.ctx(), everyDevice) {
			if err != nil {
				return err
			}
			fmt.Fprintln(c.App.Writer, d.MAC)
		}
		return nil
	})(c) // a shell has no use for the error
}

// version is what the build was told of, else "devel".
func version() string {
	if buildVersion == "" {
		return "devel"
	}
	return strings.TrimPrefix(buildVersion, "v")
}

var buildVersion string // set by the linker

// completeWords offers words that are known beforehand.
func completeWords(words ...string) cli.BashCompleteFunc {
	return func(c *cli.Context) {
		cli.DefaultCompleteWithFlags(c.Command)(c)
		for _, w := range words {
			fmt.Fprintln(c.App.Writer, w)
		}
	}
}

// completeKeys offers the names of keys.
func completeKeys(c *cli.Context) {
	var names []string
	for _, k := range siteKeys {
		names = append(names, k.name)
	}
	completeWords(append(names, mcubootKey.name)...)(c)
}
