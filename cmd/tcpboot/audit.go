package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/tcpboot/tcpboot/pki/registry"
	"github.com/tcpboot/tcpboot/pki/site"
	"github.com/tcpboot/tcpboot/release/cose"
	"github.com/tcpboot/tcpboot/release/sign"
)

var auditVerb = &cli.Command{
	Name:  "audit",
	Usage: "who changed what, and that nobody changed the record",
	Subcommands: []*cli.Command{{
		Name:  "list",
		Usage: "every change, oldest first",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "subject", Usage: "only rows about `WHAT`: a MAC, a release"},
			&cli.IntFlag{Name: "last", Usage: "only the last `N` rows", DefaultText: "all"},
		},
		Action: readingSite(auditList),
	}, {
		Name:  "verify",
		Usage: "recompute the chain of hashes",
		Description: "Exit status 1 names the first row that was edited or is missing. Against a copy kept\n" +
			"elsewhere it also finds a trail that was cut off or computed anew.",
		Flags: []cli.Flag{
			&cli.PathFlag{Name: "against", Usage: "prove a copy in `FILE`, and that the trail continues it"},
			&cli.PathFlag{Name: "key", Usage: "with --against: prove the copy alone, without a site, by the release key's public half in `FILE`"},
		},
		Action: auditVerifyVerb,
	}, {
		Name:   "export",
		Usage:  "write a signed copy of the trail, to be kept elsewhere",
		Flags:  []cli.Flag{&cli.PathFlag{Name: "out", Usage: "write to `FILE`"}},
		Action: readingSite(auditExport),
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
	if s.cli.Bool("json") {
		return answer(s.cli, emptyNotNull(rows), nil)
	}
	t := newLongTable(s.cli.App.Writer, "ROW TIME WHO WHAT SUBJECT DETAIL", "DETAIL")
	for _, r := range rows {
		t.add(fmt.Sprint(r.Sequence), r.Time.UTC().Format(time.DateTime), r.Who, r.Action, r.Subject, brief(r.Detail))
	}
	return t.end()
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

// auditVerifyVerb needs no site when it is given a copy and the key to prove it.
func auditVerifyVerb(c *cli.Context) error {
	if c.Path("key") == "" {
		return readingSite(auditVerify)(c)
	}
	if c.Path("against") == "" {
		return usagef("audit verify: --key proves a copy; which one? --against FILE")
	}
	text, err := os.ReadFile(c.Path("key"))
	if err != nil {
		return err
	}
	keys, err := sign.ParseKeys(text)
	if err != nil {
		return fmt.Errorf("%s: %w", c.Path("key"), err)
	}
	seal, err := proveCopy(c.Path("against"), keys)
	if err != nil {
		return err
	}
	return answer(c, seal, func(w io.Writer) {
		fmt.Fprintf(w, "the copy of site %s is whole: %d rows, signed; head %s\n", seal.Site, seal.Sequence, seal.Hash)
	})
}

// proveCopy reads a copy of the trail and proves it with one of the keys.
func proveCopy(path string, keys []cose.Key) (seal auditSeal, err error) {
	f, err := os.Open(path)
	if err != nil {
		return seal, err
	}
	defer f.Close()
	if seal, err = readAuditCopy(f); err != nil {
		return seal, fmt.Errorf("%s: %w", path, err)
	}
	for _, k := range keys {
		v, err := sign.Verifier(k)
		if err != nil {
			return seal, err
		}
		if v.VerifySignature(bytes.NewReader(seal.Signature), bytes.NewReader(seal.message())) == nil {
			return seal, nil
		}
	}
	return seal, fmt.Errorf("%s: not signed by a release key of this site", path)
}

func auditExport(s *session) error {
	if err := wantFlag(s.cli, "out"); err != nil {
		return err
	}
	signer, err := s.keys.open("release")
	if err != nil {
		return err
	}
	key, err := sign.NewRelease(signer)
	if err != nil {
		return err
	}
	f, err := site.NewFile(s.cli.Path("out"), 0o600)
	if err != nil {
		return err
	}
	defer f.Abort()
	seal, err := writeAuditCopy(f, s.site.Settings.Name, s.fleet.Audit(s.ctx()), func(message []byte) ([]byte, error) {
		return key.Message().SignMessage(bytes.NewReader(message))
	})
	if err != nil {
		return err
	}
	if err := f.Commit(); err != nil {
		return err
	}
	return answer(s.cli, seal, func(w io.Writer) {
		fmt.Fprintf(w, "%d rows in %s, signed; head %s\n", seal.Sequence, s.cli.Path("out"), seal.Hash)
	})
}

func auditVerify(s *session) error {
	var against []registry.Head
	if copyFile := s.cli.Path("against"); copyFile != "" {
		trust, err := s.trust()
		if err != nil {
			return err
		}
		var keys []cose.Key
		for _, k := range trust.Site.Keys {
			keys = append(keys, k.Key)
		}
		seal, err := proveCopy(copyFile, keys)
		if err != nil {
			return err
		}
		against = append(against, seal.head())
	}
	head, err := s.fleet.VerifyAudit(s.ctx(), against...)
	if err != nil {
		return err
	}
	losses, err := s.fleet.Losses(s.ctx())
	if err != nil {
		return err
	}
	out := struct {
		registry.Head
		Losses []registry.Loss `json:"losses,omitempty"`
	}{head, losses}
	return answer(s.cli, out, func(w io.Writer) {
		rows := head.Sequence
		for _, l := range losses {
			fmt.Fprintf(w, "rows %d to %d are not there: on %s %s restored the site from a backup\n", l.First, l.Last, l.Time.UTC().Format(time.DateOnly), printable(l.Who))
			rows -= l.Last - l.First + 1
		}
		fmt.Fprintf(w, "%d rows, whole; head %s\n", rows, head.Hash)
	})
}

// emptyNotNull makes an empty list print as [] in JSON.
func emptyNotNull[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
