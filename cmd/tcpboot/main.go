// Command tcpboot enrols ESP32 boards on WPA2-Enterprise networks, cuts signed
// firmware releases and serves each board its image.
//
// A verb is a file here: flags, one library call, printing. main is the table
// of verbs; errors are printed and turned into an exit status in one place.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/urfave/cli/v2"
)

// The exit statuses.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

func main() { os.Exit(run(os.Args, os.Stdin, os.Stdout, os.Stderr)) }

// run is main with its surroundings handed in.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // who does not end by the first signal dies by the second
	app := newApp(stdin, stdout, stderr)
	args, completing := forCompletion(args)
	if !completing {
		var err error
		if args, err = flagsFirst(app, args); err != nil {
			return report(stderr, err)
		}
	}
	return report(stderr, app.RunContext(ctx, args))
}

func newApp(stdin io.Reader, stdout, stderr io.Writer) *cli.App {
	app := &cli.App{
		Name:                 "tcpboot",
		Usage:                "enrol ESP32 boards, cut signed releases, serve them over TCP",
		Description:          overview,
		Version:              version(),
		Reader:               stdin,
		Writer:               stdout,
		ErrWriter:            stderr,
		EnableBashCompletion: true,

		DisableSliceFlagSeparator: true, // a URI may hold commas
		HideHelpCommand:           true,
		Flags:                     globalFlags,
		OnUsageError:              onUsageError,
		ExitErrHandler:            func(*cli.Context, error) {}, // report does it
		Action:                    noVerb,
		Commands: []*cli.Command{
			initVerb, enrollVerb, rotateVerb, revokeVerb, replaceVerb, deviceVerb, hardwareVerb,
			radiusVerb, databaseVerb, loaderVerb, crlVerb, ocspVerb,
			releaseVerb, serveVerb, issueVerb, fetchVerb, whyVerb, menuconfigVerb,
			keyVerb, auditVerb, statusVerb, backupVerb, restoreVerb, demoVerb, completionVerb,
		},
	}
	plainly(app.Flags)
	for _, c := range app.Commands {
		prepare(c)
	}
	return app
}

const overview = "`tcpboot init` makes a site in the folder that you are in, which most verbs work on.\n" +
	"Flags may stand before or behind arguments, global ones before or behind the verb.\n\n" +
	"The answer is on stdout, the talk on stderr. Exit status: 0 done, 1 failed, 2 bad usage."

// prepare gives every verb and group the behaviour that cli leaves to each.
func prepare(c *cli.Command) {
	c.OnUsageError = onUsageError
	c.HideHelpCommand = true
	plainly(c.Flags)
	if c.BashComplete == nil {
		c.BashComplete = cli.DefaultCompleteWithFlags(c)
	}
	if len(c.Subcommands) > 0 && c.Action == nil {
		c.Action = noVerb
	} else {
		c.Action = strictly(c, c.Action)
	}
	for _, sub := range c.Subcommands {
		prepare(sub)
	}
}

// strictly refuses arguments where the verb takes none, before the action runs;
// cli says nothing of them.
func strictly(c *cli.Command, action cli.ActionFunc) cli.ActionFunc {
	return func(ctx *cli.Context) error {
		if c.ArgsUsage == "" && ctx.NArg() > 0 {
			return usagef("%s: takes no arguments, and there is %q", verbName(ctx), ctx.Args().First())
		}
		return action(ctx)
	}
}

// verbName is what people typed: "release cut".
func verbName(c *cli.Context) string { return strings.TrimPrefix(c.Command.HelpName, "tcpboot ") }

// plainly leaves out of the help that a flag is off by default, which cli would say.
func plainly(flags []cli.Flag) {
	for _, f := range flags {
		if f, ok := f.(*cli.BoolFlag); ok {
			f.DisableDefaultText = f.DefaultText == ""
		}
	}
}

// noVerb answers a missing or unknown verb.
func noVerb(c *cli.Context) error {
	if word := c.Args().First(); word != "" {
		return unknown(c, "verb", word, verbNames(c))
	}
	c.App.Writer = c.App.ErrWriter // it is no answer
	help := cli.ShowSubcommandHelp
	if c.Command.HelpName == c.App.Name {
		help = cli.ShowAppHelp
	}
	if err := help(c); err != nil {
		return err
	}
	return usagef("which verb?")
}

func verbNames(c *cli.Context) (names []string) {
	for _, v := range c.Command.Subcommands {
		names = append(names, v.Names()...)
	}
	return names
}

// unknown refuses a word that is none of names.
func unknown(c *cli.Context, kind, word string, names []string) error {
	if meant := near(word, names); meant != "" {
		return usagef("unknown %s %q: did you mean %s? (see `%s --help`)", kind, word, meant, c.Command.HelpName)
	}
	return usagef("unknown %s %q (see `%s --help`)", kind, word, c.Command.HelpName)
}

// onUsageError names what was probably meant where a flag is unknown, of which cli
// says in words alone.
func onUsageError(c *cli.Context, err error, _ bool) error {
	name, ok := strings.CutPrefix(err.Error(), "flag provided but not defined: -")
	if !ok {
		return usageError{err}
	}
	var names []string
	for _, f := range append(slices.Clone(c.Command.Flags), globalFlags...) {
		for _, n := range f.Names() {
			names = append(names, dashes(n))
		}
	}
	return unknown(c, "flag", dashes(name), names)
}

// dashes is a flag as it is typed.
func dashes(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}

// A usageError is the caller's: exit status 2.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usagef(format string, a ...any) error { return usageError{fmt.Errorf(format, a...)} }

// report prints err with its hints and returns the exit status.
func report(stderr io.Writer, err error) int {
	if err == nil {
		return exitDone
	}
	if errors.Is(err, context.Canceled) {
		fmt.Fprintln(stderr, "tcpboot: interrupted; run it again to finish what was begun")
		return exitFailed
	}
	fmt.Fprintf(stderr, "tcpboot: %v\n", err)
	for _, hint := range hints(err) {
		fmt.Fprintf(stderr, "  hint: %s\n", hint)
	}
	if errors.As(err, &usageError{}) {
		return exitUsage
	}
	return exitFailed
}
