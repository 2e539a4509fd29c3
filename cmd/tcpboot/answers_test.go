package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// cmdExits runs a command and expects an exit status; "stdout" and "stderr" look
// at what it said:  exits STATUS COMMAND...
func cmdExits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits STATUS COMMAND...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	err = ts.Exec(args[1], args[2:]...)
	if e := new(exec.ExitError); errors.As(err, &e) {
		got = e.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
}

// cmdRefused runs a command that must fail with an exit status, say so on stderr
// alone, and leave everything as it is:  refused STATUS COMMAND...
func cmdRefused(ts *testscript.TestScript, neg bool, args []string) {
	before := tree(ts, ".")
	cmdExits(ts, neg, args)
	if out := ts.ReadFile("stdout"); out != "" {
		ts.Fatalf("a refusal answered:\n%s", out)
	}
	if said := ts.ReadFile("stderr"); !strings.Contains("\n"+said, "\ntcpboot: ") {
		ts.Fatalf("a refusal said:\n%s", said)
	}
	if after := tree(ts, "."); !slices.Equal(before, after) {
		ts.Fatalf("a refusal changed something:\n%s", difference(before, after))
	}
}

// difference lists the lines that are in one of two lists alone.
func difference(before, after []string) string {
	var out strings.Builder
	for _, line := range before {
		if !slices.Contains(after, line) {
			fmt.Fprintf(&out, "- %s\n", line)
		}
	}
	for _, line := range after {
		if !slices.Contains(before, line) {
			fmt.Fprintf(&out, "+ %s\n", line)
		}
	}
	return out.String()
}

// cmdFields compares the names of all fields of the JSON document on stdout with
// a golden file: scripts of others rely on them.  fields FILE
func cmdFields(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: fields FILE")
	}
	names := map[string]bool{}
	collectFields(document(ts), "", names)
	var got []string
	for name := range names {
		got = append(got, name)
	}
	slices.Sort(got)
	if want := strings.Fields(ts.ReadFile(args[0])); !slices.Equal(got, want) {
		ts.Fatalf("fields of the answer, - golden, + got:\n%s", difference(want, got))
	}
}

// document is the one JSON document on stdout.
func document(ts *testscript.TestScript) (v any) {
	if err := json.Unmarshal([]byte(ts.ReadFile("stdout")), &v); err != nil {
		ts.Fatalf("stdout is not one JSON document: %v", err)
	}
	return v
}

func collectFields(v any, path string, names map[string]bool) {
	switch v := v.(type) {
	case map[string]any:
		for name, value := range v {
			collectFields(value, path+"."+name, names)
		}
	case []any:
		for _, value := range v {
			collectFields(value, path+"[]", names)
		}
	default:
		names[strings.TrimPrefix(path, ".")] = true
	}
}

// cmdGet puts a value of the JSON document on stdout into a variable:
//
//	get NAME admissions.0.serial
func cmdGet(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: get NAME PATH")
	}
	v := document(ts)
	for part := range strings.SplitSeq(args[1], ".") {
		switch in := v.(type) {
		case map[string]any:
			v = in[part]
		case []any:
			i, err := strconv.Atoi(part)
			ts.Check(err)
			v = in[i]
		}
	}
	if v == nil {
		ts.Fatalf("no %s in the answer", args[1])
	}
	ts.Setenv(args[0], fmt.Sprint(v))
}
