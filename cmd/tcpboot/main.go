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
			initVerb, enrollVerb, rotateVerb, revokeVerb, replaceVerb, deviceVerb,
			radiusVerb, databaseVerb, loaderVerb, crlVerb, ocspVerb,
			releaseVerb, serveVerb, issueVerb, fetchVerb, whyVerb,
			keyVerb, auditVerb, statusVerb, backupVerb, restoreVerb, completionVerb,
		},
	}
	for _, c := range app.Commands {
		prepare(c)
	}
	return app
}

// prepare gives every verb and group the behaviour that cli leaves to each.
func prepare(c *cli.Command) {
	c.OnUsageError = onUsageError
	c.HideHelpCommand = true
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

// noVerb answers a missing or unknown verb.
func noVerb(c *cli.Context) error {
	if word := c.Args().First(); word != "" {
		return usagef("unknown verb %q (see `%s --help`)", word, c.Command.HelpName)
	}
	if err := cli.ShowSubcommandHelp(c); err != nil {
		return err
	}
	return usagef("which verb?")
}

func onUsageError(_ *cli.Context, err error, _ bool) error { return usageError{err} }

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
