package attest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"unicode/utf8"

	"github.com/tcpboot/tcpboot/pki/fleet"
)

// SBOMType is the media type of an SBOM.
const SBOMType = "application/vnd.cyclonedx+json"

// MaxSBOM bounds an SBOM, in bytes.
const MaxSBOM = 2 << 20

// Versions of CycloneDX that have a JSON form.
var specVersion = regexp.MustCompile(`^1\.[2-9]$`)

// An SBOM is a list of what is inside, as it was given.
type SBOM struct {
	Text       []byte
	Version    string // of CycloneDX
	Components int
}

// ReadSBOM refuses what is not CycloneDX in JSON, and reads no more of it than that
// takes.
func ReadSBOM(text []byte) (*SBOM, error) {
	if len(text) > MaxSBOM {
		return nil, fmt.Errorf("SBOM: %d bytes, more than %d", len(text), MaxSBOM)
	}
	top, err := topLevel(text)
	if err != nil {
		return nil, fmt.Errorf("SBOM: %w", err)
	}
	s := &SBOM{Text: text}
	var format string
	if json.Unmarshal(top["bomFormat"], &format) != nil || format != "CycloneDX" {
		return nil, fmt.Errorf("SBOM: bomFormat %.40q, want \"CycloneDX\"", top["bomFormat"])
	}
	if json.Unmarshal(top["specVersion"], &s.Version) != nil || !specVersion.MatchString(s.Version) {
		return nil, fmt.Errorf("SBOM: specVersion %.40q, want \"1.2\" to \"1.9\"", top["specVersion"])
	}
	var components []struct{}
	if list, given := top["components"]; given && json.Unmarshal(list, &components) != nil {
		return nil, errors.New("SBOM: components is no list of objects")
	}
	s.Components = len(components)
	return s, nil
}

// topLevel takes a JSON object apart. A name that stands there twice is refused:
// two readers could go by one value each.
func topLevel(text []byte) (map[string]json.RawMessage, error) {
	if !utf8.Valid(text) {
		return nil, errors.New("is not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(text))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, errors.New("is no JSON object")
	}
	top := map[string]json.RawMessage{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, err
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, err
		}
		if _, twice := top[name.(string)]; twice {
			return nil, fmt.Errorf("%.40q stands there twice", name)
		}
		top[name.(string)] = value
	}
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the object")
	}
	return top, nil
}

// Predicate is s as the predicate of a statement: its text without the spaces around
// it.
func (s *SBOM) Predicate() json.RawMessage { return bytes.TrimSpace(s.Text) }

// Digest names s as it was given.
func (s *SBOM) Digest() fleet.Digest { return fleet.Sum(s.Text) }
