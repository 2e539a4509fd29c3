package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/pki/registry"
)

// A copy of the audit trail is a text file, a JSON document a line: every row as
// `audit list --json` shows it, oldest first, then one line that closes it:
//
//	{"site":"lab","sequence":10,"hash":"sha256:9f…","signature":"MEUC…"}
//
// signature is the release key's (ECDSA P-256, ASN.1, base64) over
//
//	"tcpboot/v1/audit-copy" 0x00 site 0x00 sequence (decimal) 0x00 hash (as printed)
//
// so whoever holds the release key's public half can prove a copy without the
// database: rows chain up to the hash, and the hash is signed.
type auditSeal struct {
	Site      string       `json:"site"`
	Sequence  uint64       `json:"sequence"`
	Hash      fleet.Digest `json:"hash"`
	Signature []byte       `json:"signature"`
}

func (a auditSeal) head() registry.Head { return registry.Head{Sequence: a.Sequence, Hash: a.Hash} }

func (a auditSeal) message() []byte {
	return fmt.Appendf(nil, "tcpboot/v1/audit-copy\x00%s\x00%d\x00%s", a.Site, a.Sequence, a.Hash)
}

// writeAuditCopy writes rows and the seal that sign makes of their end.
func writeAuditCopy(w io.Writer, site string, rows iter.Seq2[registry.Row, error], sign func([]byte) ([]byte, error)) (auditSeal, error) {
	out := bufio.NewWriter(w)
	lines := json.NewEncoder(out)
	lines.SetEscapeHTML(false)
	seal := auditSeal{Site: site}
	for r, err := range rows {
		if err != nil {
			return seal, err
		}
		if err := lines.Encode(r); err != nil {
			return seal, err
		}
		seal.Sequence, seal.Hash = r.Sequence, r.Hash
	}
	var err error
	if seal.Signature, err = sign(seal.message()); err != nil {
		return seal, err
	}
	if err := lines.Encode(seal); err != nil {
		return seal, err
	}
	return seal, out.Flush()
}

// maxAuditLine bounds one row of a copy.
const maxAuditLine = 64 << 10

var errNoSeal = errors.New("the line that closes a copy is missing: it was cut off")

// readAuditCopy reads a copy, recomputes the chain, and returns its seal, whose
// signature the caller checks.
func readAuditCopy(r io.Reader) (seal auditSeal, err error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxAuditLine)
	var last registry.Row
	for n := 1; lines.Scan(); n++ {
		if bytes.Contains(lines.Bytes(), []byte(`"signature"`)) && strictJSON(lines.Bytes(), &seal) == nil {
			if lines.Scan() {
				return seal, fmt.Errorf("line %d: something follows the line that closes the copy", n+1)
			}
			return seal, sealFits(seal, last)
		}
		var row registry.Row
		if err := strictJSON(lines.Bytes(), &row); err != nil {
			return seal, fmt.Errorf("line %d: %w", n, err)
		}
		switch {
		case !row.Follows(registry.Head{Sequence: last.Sequence, Hash: last.Hash}):
			return seal, &registry.BrokenError{Sequence: row.Sequence, Problem: "does not follow the row before it"}
		case row.Sum() != row.Hash:
			return seal, &registry.BrokenError{Sequence: row.Sequence, Problem: "was changed: its hash is another"}
		}
		last = row
	}
	return seal, errors.Join(lines.Err(), errNoSeal)
}

func sealFits(seal auditSeal, last registry.Row) error {
	if seal.head() != (registry.Head{Sequence: last.Sequence, Hash: last.Hash}) {
		return &registry.BrokenError{Sequence: seal.Sequence, Problem: "is not the last row that the copy holds"}
	}
	return nil
}

// strictJSON reads one document with no unknown field and nothing behind it.
func strictJSON(text []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return err
	}
	if dec.More() {
		return errors.New("something follows the JSON document")
	}
	return nil
}
