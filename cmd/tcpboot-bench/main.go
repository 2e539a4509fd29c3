// Command tcpboot-bench measures tcpboot against a rival on the same machine in
// the same minute, and prints the ratios: absolute numbers of one machine say
// little on another.
//
//	tcpboot-bench serve [-seconds 3] [-slow 5000]
//
// It works on the loopback only. A job is a file of this folder and a line of
// the table below.
package main

import (
	"fmt"
	"os"
	"sort"
	"strings"
)

// jobs are what people run. Those that begin with "-" are parts of a job that
// need a process of their own.
var jobs = map[string]func(args []string) error{
	"serve":     serveJob,
	"-serve-v1": serveChild,
	"-load":     loadChild,
}

func main() {
	if len(os.Args) < 2 || jobs[os.Args[1]] == nil {
		fmt.Fprintf(os.Stderr, "usage: tcpboot-bench %s [flags]\n", strings.Join(names(), "|"))
		os.Exit(2)
	}
	if err := jobs[os.Args[1]](os.Args[2:]); err != nil {
		fmt.Fprintf(os.Stderr, "tcpboot-bench %s: %v\n", os.Args[1], err)
		os.Exit(1)
	}
}

func names() (list []string) {
	for name := range jobs {
		if name[0] != '-' {
			list = append(list, name)
		}
	}
	sort.Strings(list)
	return list
}
