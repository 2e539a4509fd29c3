package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/tcpboot/tcpboot/pki/registry"
)

var auditVerb = &cli.Command{
	Name:  "audit",
	Usage: "who changed what, and that nobody changed the record",
	Subcommands: []*cli.Command{{
		Name:  "list",
		Usage: "every change, oldest first",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "subject", Usage: "only rows about `WHAT`: a MAC, a release"},
			&cli.IntFlag{Name: "last", Usage: "only the last `N` rows"},
		},
		Action: readingSite(auditList),
	}, {
		Name:        "verify",
		Usage:       "recompute the chain of hashes",
		Description: "Exit status 1 names the first row that was edited or is missing.",
		Action:      readingSite(auditVerify),
	}},
}

func auditList(s *session) error {
	var rows []registry.Row
	subject, last := s.cli.String("subject"), s.cli.Int("last")
	for r, err := range s.fleet.Audit(s.ctx()) {
		if err != nil {
			return err
		}
		if subject == "" || r.Subject == subject {
			rows = append(rows, r)
		}
		if last > 0 && len(rows) > last {
			rows = rows[1:]
		}
	}
	return answer(s.cli, emptyNotNull(rows), func(w io.Writer) {
		cells := make([][]string, len(rows))
		for i, r := range rows {
			cells[i] = []string{fmt.Sprint(r.Sequence), r.Time.UTC().Format(time.DateTime), r.Who, r.Action, r.Subject, brief(r.Detail)}
		}
		table(w, "ROW TIME WHO WHAT SUBJECT DETAIL", cells)
	})
}

// brief shows an audit row's detail to people: key=value, long values cut. The
// whole of it is what --json shows.
func brief(detail json.RawMessage) string {
	var fields map[string]any
	if json.Unmarshal(detail, &fields) != nil {
		return ""
	}
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		text := fmt.Sprint(fields[key])
		if _, nested := fields[key].(map[string]any); nested {
			text = strings.TrimPrefix(text, "map")
		}
		if len(text) > 24 {
			text = text[:20] + "…"
		}
		parts = append(parts, key+"="+text)
	}
	return strings.Join(parts, " ")
}

func auditVerify(s *session) error {
	head, err := s.fleet.VerifyAudit(s.ctx())
	if err != nil {
		return err
	}
	return answer(s.cli, head, func(w io.Writer) {
		fmt.Fprintf(w, "%d rows, whole; head %s\n", head.Sequence, head.Hash)
	})
}

// emptyNotNull makes an empty list print as [] in JSON.
func emptyNotNull[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
