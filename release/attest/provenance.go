package attest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/release/espimage"
)

// buildType says what the parameters of a cut mean: the package comment does.
const buildType = "https://github.com/tcpboot/tcpboot/release/attest/cut/v1"

// maxText bounds each word of a person's in a provenance, in bytes.
const maxText = 512

// Names of inputs.
const (
	imageInput = "app.bin"
	elfInput   = "app.elf"
	sbomInput  = "sbom.cdx.json"
)

// A Cut is how a release came to be.
type Cut struct {
	Version, Hardware string

	// Source and Revision are what the person who cut it said; empty: nothing.
	Source, Revision string

	Builder string // a URI: who ran the cut
	Tool    string // the version of tcpboot
	Done    time.Time

	Image  fleet.Digest        // of the unsigned image
	About  espimage.Descriptor // what that says of itself
	Others []Subject           // images for chips behind the board
	SBOM   fleet.Digest        // zero: there is none
}

// The predicate as SLSA has it.
type predicate struct {
	Definition struct {
		BuildType  string     `json:"buildType"`
		Parameters parameters `json:"externalParameters"`
		Inputs     []input    `json:"resolvedDependencies"`
	} `json:"buildDefinition"`
	Run struct {
		Builder  builder  `json:"builder"`
		Metadata metadata `json:"metadata"`
	} `json:"runDetails"`
}

type parameters struct {
	Version  string `json:"version"`
	Hardware string `json:"hardware"`
	Source   string `json:"source,omitempty"`
	Revision string `json:"revision,omitempty"`
}

type input struct {
	Name        string            `json:"name"`
	Digest      inputDigest       `json:"digest"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

type inputDigest struct {
	SHA256 string `json:"sha256"`
}

type builder struct {
	ID      string      `json:"id"`
	Version toolVersion `json:"version"`
}

type toolVersion struct {
	Tcpboot string `json:"tcpboot"`
}

type metadata struct {
	FinishedOn time.Time `json:"finishedOn"`
}

// Check says why c cannot be stated, before anything is spent on it.
func (c Cut) Check() error {
	if u, err := url.Parse(c.Builder); err != nil || u.Scheme == "" {
		return fmt.Errorf("builder %.80q: want a URI", c.Builder)
	}
	for _, w := range []struct{ what, text string }{{"builder", c.Builder}, {"source", c.Source}, {"revision", c.Revision}} {
		if err := checkText(w.text); err != nil {
			return fmt.Errorf("%s: %w", w.what, err)
		}
	}
	if err := checkSource(c.Source); err != nil {
		return fmt.Errorf("source: %w", err)
	}
	return c.checkRevision()
}

// checkSource wants the URL of a repository. What it refuses it does not repeat: that
// may hold a password.
func checkSource(s string) error {
	if s == "" {
		return nil
	}
	u, err := url.Parse(s)
	if err != nil || u.Host == "" && u.Scheme != "file" || u.Scheme == "" {
		return errors.New("want a URL, as in https://git.example.net/app or ssh://git@git.example.net/app")
	}
	if _, secret := u.User.Password(); secret {
		return errors.New("passwords do not belong into what everybody reads")
	}
	return nil
}

func checkText(s string) error {
	if len(s) > maxText {
		return fmt.Errorf("%d bytes, more than %d", len(s), maxText)
	}
	if i := strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar }); i >= 0 {
		return fmt.Errorf("byte %d cannot be printed", i)
	}
	return nil
}

// checkRevision holds the revision against the image: ESP-IDF names a program by
// `git describe` unless it is told otherwise, so that the image may tell of another
// commit.
func (c Cut) checkRevision() error {
	built := describedCommit(c.About.Version)
	if c.Revision == "" || built == "" || strings.HasPrefix(c.Revision, built) {
		return nil
	}
	return fmt.Errorf("revision %s: the image calls itself version %q, which is of commit %s", c.Revision, c.About.Version, built)
}

// describedCommit is the commit in an answer of `git describe`: v1.4.0-3-g8f2c41d,
// perhaps with -dirty behind. Empty where there is none.
func describedCommit(version string) string {
	version = strings.TrimSuffix(version, "-dirty")
	i := strings.LastIndex(version, "-g")
	if i < 0 || len(version)-i-2 < 7 || strings.Trim(version[i+2:], "0123456789abcdef") != "" {
		return ""
	}
	return version[i+2:]
}

// Predicate returns c as the predicate of a statement.
func (c Cut) Predicate() (json.RawMessage, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	var p predicate
	p.Definition.BuildType = buildType
	p.Definition.Parameters = parameters{c.Version, c.Hardware, c.Source, c.Revision}
	p.Definition.Inputs = c.inputs()
	p.Run.Builder = builder{c.Builder, toolVersion{c.Tool}}
	p.Run.Metadata.FinishedOn = c.Done.UTC().Truncate(time.Second)
	return json.Marshal(p)
}

func (c Cut) inputs() []input {
	all := []input{newInput(imageInput, c.Image)}
	all[0].Annotations = map[string]string{}
	for name, text := range map[string]string{"project": c.About.Project, "version": c.About.Version, "idf": c.About.IDF} {
		if text != "" && checkText(text) == nil { // strings of an image are as found
			all[0].Annotations[name] = text
		}
	}
	if c.About.ELF != (fleet.Digest{}) {
		all = append(all, newInput(elfInput, c.About.ELF))
	}
	for _, o := range c.Others {
		all = append(all, newInput(o.Name, o.Digest))
	}
	if c.SBOM != (fleet.Digest{}) {
		all = append(all, newInput(sbomInput, c.SBOM))
	}
	return all
}

func newInput(name string, d fleet.Digest) input {
	return input{Name: name, Digest: inputDigest{d.Hex()}}
}

// ReadProvenance reads what Predicate writes. The image's own words are in About:
// Project, Version, IDF and ELF.
func ReadProvenance(text json.RawMessage) (c Cut, err error) {
	var p predicate
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		return c, fmt.Errorf("provenance: %v", err)
	}
	if p.Definition.BuildType != buildType {
		return c, fmt.Errorf("provenance: build type %.80q, want %s", p.Definition.BuildType, buildType)
	}
	q := p.Definition.Parameters
	c = Cut{Version: q.Version, Hardware: q.Hardware, Source: q.Source, Revision: q.Revision,
		Builder: p.Run.Builder.ID, Tool: p.Run.Builder.Version.Tcpboot, Done: p.Run.Metadata.FinishedOn}
	for _, in := range p.Definition.Inputs {
		if err := c.take(in); err != nil {
			return c, fmt.Errorf("provenance: input %.80q: %w", in.Name, err)
		}
	}
	again, err := c.Predicate()
	if err == nil && !bytes.Equal(again, text) {
		err = errors.New("is written in another way than it is here")
	}
	if err != nil {
		return c, fmt.Errorf("provenance: %w", err)
	}
	return c, nil
}

// take reads one input.
func (c *Cut) take(in input) error {
	d, err := fleet.ParseDigest("sha256:" + in.Digest.SHA256)
	if err != nil {
		return err
	}
	switch in.Name {
	case imageInput:
		c.Image = d
		c.About.Project, c.About.Version, c.About.IDF = in.Annotations["project"], in.Annotations["version"], in.Annotations["idf"]
	case elfInput:
		c.About.ELF = d
	case sbomInput:
		c.SBOM = d
	default:
		c.Others = append(c.Others, Subject{in.Name, d})
	}
	return nil
}
