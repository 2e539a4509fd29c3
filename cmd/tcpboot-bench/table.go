//go:build linux

package main

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// A result is one line of a job's answer.
type result struct {
	job, ours, rival, ratio, aim, bound string
}

func printTable(w io.Writer, results []result) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "JOB\tOURS\tRIVAL\tRATIO\tAIM\tBOUND BY")
	for _, r := range results {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", r.job, r.ours, r.rival, r.ratio, r.aim, r.bound)
	}
	return t.Flush()
}
