//go:build linux

// Command tcpboot-bench measures tcpboot against a rival on the same machine in
// the same minutes, and prints the ratios: absolute numbers of one machine say
// little on another.
//
//	tcpboot-bench [-job enroll] [-seconds 3] [-slow 5000] [-boards 40000] [-fleet 100000]
//
// It works on the loopback and in temporary folders only. A job is a file of
// this folder and a line of jobs.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
)

// A job measures one thing, and returns its lines of the table.
type job struct {
	name string
	run  func(options) ([]result, error)
}

var jobs = []job{
	{"serve", serveJob},
	{"storm", stormJob},
	{"enroll", enrollJob},
	{"fleet", fleetJob},
	{"revoke", revokeJob},
	{"cut", cutJob},
	{"radius", radiusJob},
	{"binary", binaryJob},
	{"kconfig", kconfigJob},
}

// parts are what jobs start in a process of its own: this program, with one of
// these words as its first argument.
var parts = map[string]func(args []string) error{
	"-serve-v1":    serveChild,
	"-serve-storm": stormServer,
	"-storm":       stormChild,
	"-load":        loadChild,
	"-enrolment":   enrollChild,
	"-fleet":       fleetChild,
}

// options are how much work the jobs do.
type options struct {
	only    string
	seconds float64
	slow    int
	storm   int
	hold    float64
	boards  int
	fleet   int
	large   int
	logins  int
	dir     string
}

func main() {
	if err := run(os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintf(os.Stderr, "tcpboot-bench: %v\n", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) > 0 && parts[args[0]] != nil {
		return parts[args[0]](args[1:])
	}
	o, err := parse(args)
	if err != nil {
		return err
	}
	var results []result
	for _, j := range jobs {
		if o.only != "" && o.only != j.name {
			continue
		}
		fmt.Fprintf(os.Stderr, "measuring %s …\n", j.name)
		r, err := j.run(o)
		if err != nil {
			return fmt.Errorf("%s: %w", j.name, err)
		}
		results = append(results, r...)
	}
	return printTable(os.Stdout, results)
}

func parse(args []string) (o options, err error) {
	flags := flag.NewFlagSet("tcpboot-bench", flag.ContinueOnError)
	flags.StringVar(&o.only, "job", "", "run this `JOB` alone: "+names())
	flags.Float64Var(&o.seconds, "seconds", 3, "serve: length of each of the 8 measurements at full speed")
	flags.IntVar(&o.slow, "slow", 5000, "serve: slow clients; 0: none")
	flags.IntVar(&o.storm, "storm", 10_000, "storm: boards at once, a fifth of them on version 2")
	flags.Float64Var(&o.hold, "hold", 15, "serve: seconds to measure the slow clients")
	flags.IntVar(&o.boards, "boards", 40_000, "enroll: how many")
	flags.IntVar(&o.fleet, "fleet", 100_000, "fleet: how many boards")
	flags.IntVar(&o.large, "large", 1_000_000, "revoke: boards in the registry")
	flags.IntVar(&o.logins, "logins", 256, "radius: logins of each of the 6 measurements")
	flags.StringVar(&o.dir, "dir", "", "enroll, fleet, revoke, cut, radius: write below `DIR` (default: where temporary files lie)")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 || o.only != "" && !known(o.only) {
		return o, fmt.Errorf("want -job and one of %s", names())
	}
	return o, nil
}

func known(name string) bool {
	for _, j := range jobs {
		if j.name == name {
			return true
		}
	}
	return false
}

func names() string {
	var list []string
	for _, j := range jobs {
		list = append(list, j.name)
	}
	return strings.Join(list, ", ")
}
