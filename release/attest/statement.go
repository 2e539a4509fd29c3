package attest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/tcpboot/tcpboot/pki/fleet"
)

// The kinds of predicates.
const (
	Signed     = "https://sigstore.dev/cosign/sign/v1"
	Provenance = "https://slsa.dev/provenance/v1"
	CycloneDX  = "https://cyclonedx.org/bom"
)

const (
	statementType = "https://in-toto.io/Statement/v1"
	olderType     = "https://in-toto.io/Statement/v0.1" // `cosign attest` writes it still; the same fields
)

// maxSubjects bounds what one statement is about: the files of a release are at
// most twelve.
const maxSubjects = 64

// A Statement says something of files.
type Statement struct {
	Subjects      []Subject
	PredicateType string
	Predicate     json.RawMessage // what is said; an object
}

// A Subject is a file.
type Subject struct {
	Name   string
	Digest fleet.Digest
}

// statementHead is a statement without its predicate, which stands last.
type statementHead struct {
	Type          string        `json:"_type"`
	Subject       []subjectText `json:"subject"`
	PredicateType string        `json:"predicateType"`
}

type subjectText struct {
	Name   string `json:"name"`
	Digest struct {
		SHA256 string `json:"sha256"`
	} `json:"digest"`
}

// encode returns the payload of an envelope. The predicate stands in it as it is:
// encoding/json would take its spaces out, and an SBOM is kept to the byte.
func (s Statement) encode() ([]byte, error) {
	if !json.Valid(s.Predicate) || s.Predicate[0] != '{' {
		return nil, errors.New("statement: the predicate is no JSON object")
	}
	h := statementHead{Type: statementType, PredicateType: s.PredicateType}
	for _, about := range s.Subjects {
		t := subjectText{Name: about.Name}
		t.Digest.SHA256 = about.Digest.Hex()
		h.Subject = append(h.Subject, t)
	}
	text, err := json.Marshal(h)
	if err != nil {
		return nil, err
	}
	text = append(bytes.TrimSuffix(text, []byte("}")), `,"predicate":`...)
	return append(append(text, s.Predicate...), '}'), nil
}

// readStatement reads what encode writes, and what cosign does.
func readStatement(payload []byte) (*Statement, error) {
	var t struct {
		statementHead
		Predicate json.RawMessage `json:"predicate"`
	}
	if err := json.Unmarshal(payload, &t); err != nil {
		return nil, fmt.Errorf("statement: %v", err)
	}
	if t.Type != statementType && t.Type != olderType {
		return nil, fmt.Errorf("statement: type %.80q, want %s", t.Type, statementType)
	}
	if n := len(t.Subject); n == 0 || n > maxSubjects {
		return nil, fmt.Errorf("statement: %d subjects, want 1 to %d", n, maxSubjects)
	}
	s := &Statement{PredicateType: t.PredicateType, Predicate: t.Predicate}
	for _, about := range t.Subject {
		d, err := fleet.ParseDigest("sha256:" + about.Digest.SHA256)
		if err != nil {
			return nil, fmt.Errorf("statement: subject %.80q: %w", about.Name, err)
		}
		s.Subjects = append(s.Subjects, Subject{about.Name, d})
	}
	return s, nil
}
