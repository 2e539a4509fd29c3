// Version 2: its specification stands in the package comment, in wire.go.

package wire

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/fxamacker/cbor/v2"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/release/cose"
)

// The places of version 2.
const (
	BootPath   = "/v2/boot"
	BlobsPath  = "/v2/blobs/" // and the digest, as fleet.Digest prints it
	ReportPath = "/v2/report"
	RenewPath  = "/v2/renew"
)

// The bounds of version 2, in bytes but for MaxDocuments.
const (
	MaxDocuments  = 15                               // site documents in one answer
	BootLimit     = MaxDocuments*cose.MaxSize + 1024 // of the documents and a manifest
	ReportLimit   = 512                              // of a report
	RequestLimit  = 2048                             // of a request for a certificate
	HeaderLimit   = 2048                             // of an answer's head, and of a request's
	RecordMin     = 512                              // the smallest that a board may ask for
	RecordDefault = 4096                             // where it asks for none
	RecordMax     = 16384                            // what TLS itself allows
	RecordHeader  = "Tcpboot-Record"                 // how a board asks for less
	maxLoader     = 17                               // characters of 65535.65535.65535
	maxQuery      = 512
)

// Of renewals.
const (
	CertificateLimit = 2048            // bytes of a certificate
	RenewHeader      = "Tcpboot-Renew" // of an answer to a hello: the board is to ask for one
)

// A Hello is what a board says of itself when it asks what to boot.
type Hello struct {
	Chip     fleet.Chip
	Loader   string // its version, "2.0.1"
	Channel  string
	Epoch    uint64
	Counter  fleet.Counter
	Sequence uint64
	Version  string // "": runs none
	Updates  bool   // an application asks, for a loader
}

// Query prints h as the query of a request, without the question mark.
func (h Hello) Query() string {
	q := url.Values{}
	q.Set("chip", string(h.Chip))
	q.Set("loader", h.Loader)
	q.Set("channel", h.Channel)
	q.Set("epoch", strconv.FormatUint(h.Epoch, 10))
	q.Set("counter", fmt.Sprintf("%d.%d", h.Counter.Generation, h.Counter.Count))
	q.Set("sequence", strconv.FormatUint(h.Sequence, 10))
	if h.Version != "" {
		q.Set("version", h.Version)
	}
	if h.Updates {
		q.Set("kind", kindLoader)
	}
	return q.Encode()
}

// kindLoader is the one kind that is named.
const kindLoader = "loader"

// ParseHello reads the query of a request. Each key that it knows stands there
// once, only version and kind may be absent.
func ParseHello(query string) (h Hello, err error) {
	if len(query) > maxQuery {
		return h, fmt.Errorf("query: %d bytes, more than %d", len(query), maxQuery)
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return h, fmt.Errorf("query: %w", err)
	}
	p := helloParser{values: values}
	chip := p.text("chip")
	h.Loader, h.Channel = p.loader(), p.name("channel")
	h.Epoch, h.Sequence = p.number("epoch", 64), p.number("sequence", 64)
	h.Counter = p.counter()
	if values.Has("version") {
		h.Version = p.name("version")
	}
	if values.Has("kind") {
		h.Updates = p.kind()
	}
	h.Chip, err = fleet.ParseChip(chip)
	p.fail("chip", err)
	if h.Epoch == 0 {
		p.fail("epoch", errors.New("want 1 or more"))
	}
	return h, p.err
}

// A helloParser keeps the first error.
type helloParser struct {
	values url.Values
	err    error
}

func (p *helloParser) fail(key string, err error) {
	if err != nil && p.err == nil {
		p.err = fmt.Errorf("query: %s: %w", key, err)
	}
}

func (p *helloParser) text(key string) string {
	if n := len(p.values[key]); n != 1 {
		p.fail(key, fmt.Errorf("is there %d times, want once", n))
		return ""
	}
	return p.values[key][0]
}

func (p *helloParser) name(key string) string {
	s := p.text(key)
	p.fail(key, fleet.CheckName(key, s))
	return s
}

// kind takes no other word: who asks for what a server does not know must not be
// given something else.
func (p *helloParser) kind() (updates bool) {
	if s := p.text("kind"); s != kindLoader {
		p.fail("kind", fmt.Errorf("%.30q: want %s", s, kindLoader))
	}
	return true
}

func (p *helloParser) number(key string, bits int) uint64 {
	return p.digits(key, p.text(key), bits)
}

func (p *helloParser) digits(key, s string, bits int) uint64 {
	n, err := strconv.ParseUint(s, 10, bits)
	if err != nil || strconv.FormatUint(n, 10) != s {
		p.fail(key, fmt.Errorf("%.30q: want a decimal number of %d bits", s, bits))
	}
	return n
}

func (p *helloParser) counter() fleet.Counter {
	generation, count, _ := strings.Cut(p.text("counter"), ".")
	return fleet.Counter{
		Generation: uint32(p.digits("counter", generation, 32)),
		Count:      uint32(p.digits("counter", count, 32)),
	}
}

func (p *helloParser) loader() string {
	s := p.text("loader")
	parts := strings.Split(s, ".")
	if len(s) > maxLoader || len(parts) != 3 {
		p.fail("loader", fmt.Errorf("%.30q: want three numbers, as in 2.0.1", s))
		return s
	}
	for _, part := range parts {
		p.digits("loader", part, 16)
	}
	return s
}

// A Boot is the answer to a Hello: signed documents, which nobody has judged yet.
type Boot struct {
	Site     [][]byte // site documents, the oldest first
	Manifest []byte   // nil: nothing to install
}

// Bytes returns b as a CBOR sequence.
func (b Boot) Bytes() (body []byte) {
	for _, doc := range b.Site {
		body = append(body, doc...)
	}
	return append(body, b.Manifest...)
}

// The tags of COSE_Sign1 and COSE_Sign, in their one encoding.
const (
	tagManifest = 0xd2
	tagSite     = 0x62 // behind 0xd8
)

// ParseBoot takes a CBOR sequence apart. It checks that documents are of the
// kinds that may stand there, in their order and number, and nothing within.
func ParseBoot(body []byte) (b Boot, err error) {
	if len(body) > BootLimit {
		return b, fmt.Errorf("documents: %d bytes, more than %d", len(body), BootLimit)
	}
	for n := 0; len(body) > 0; n++ {
		var item cbor.RawMessage
		rest, err := cbor.UnmarshalFirst(body, &item)
		if err != nil {
			return Boot{}, fmt.Errorf("document %d: %w", n, err)
		}
		if err := b.add(item); err != nil {
			return Boot{}, fmt.Errorf("document %d: %w", n, err)
		}
		body = rest
	}
	return b, nil
}

func (b *Boot) add(item []byte) error {
	switch {
	case b.Manifest != nil:
		return errors.New("stands behind the manifest")
	case item[0] == tagManifest:
		b.Manifest = item
	case len(item) < 2 || item[0] != 0xd8 || item[1] != tagSite:
		return errors.New("neither a site document nor a manifest")
	case len(b.Site) == MaxDocuments:
		return fmt.Errorf("one more than %d site documents", MaxDocuments)
	default:
		b.Site = append(b.Site, item)
	}
	return nil
}

// A report is the body of /v2/report.
type report struct {
	Manifest []byte `cbor:"1,keyasint"`
	Outcome  uint   `cbor:"2,keyasint"`
	Cause    uint   `cbor:"3,keyasint,omitempty"`
}

var (
	outcomes = []fleet.Outcome{fleet.Activated, fleet.Confirmed, fleet.Failed}
	causes   = []fleet.Cause{fleet.Refused, fleet.Network, fleet.Corrupt, fleet.Flash, fleet.Invalid, fleet.Unconfirmed, fleet.Component}
)

// ReportBytes returns what a board sends of r: all but who it is and when.
func ReportBytes(r fleet.Report) ([]byte, error) {
	return cose.Marshal(report{Manifest: r.Manifest[:], Outcome: number(outcomes, r.Outcome), Cause: number(causes, r.Cause)})
}

// number returns the place of word in words, from 1; 0 when it is not there.
func number[W comparable](words []W, word W) uint {
	for i, w := range words {
		if w == word {
			return uint(i) + 1
		}
	}
	return 0
}

// ParseReport reads what a board sent; who and when are left open.
func ParseReport(body []byte) (r fleet.Report, err error) {
	var said report
	if len(body) > ReportLimit {
		return r, fmt.Errorf("report: %d bytes, more than %d", len(body), ReportLimit)
	}
	if err := cose.Unmarshal(body, &said); err != nil {
		return r, fmt.Errorf("report: %w", err)
	}
	if len(said.Manifest) != len(r.Manifest) || said.Outcome > uint(len(outcomes)) || said.Cause > uint(len(causes)) {
		return r, fmt.Errorf("report: no manifest of %d bytes, or a number that means nothing", len(said.Manifest))
	}
	copy(r.Manifest[:], said.Manifest)
	r.Outcome, r.Cause = word(outcomes, said.Outcome), word(causes, said.Cause)
	if err := r.Check(); err != nil {
		return fleet.Report{}, fmt.Errorf("report: %w", err)
	}
	return r, nil
}

// word returns what number made a number of.
func word[W comparable](words []W, n uint) (w W) {
	if n == 0 {
		return w
	}
	return words[n-1]
}
