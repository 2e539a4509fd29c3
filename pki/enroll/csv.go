package enroll

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/tcpboot/tcpboot/pki/fleet"
)

// maxLine bounds one line of a list; no field of ours needs a tenth of it.
const maxLine = 4096

// A Place is where a request was made, for errors: a list and, unless it is zero,
// the line or number in it. {"boards.csv:", 7} prints as "boards.csv:7".
type Place struct {
	List string
	Line int
}

func (p Place) String() string {
	if p.Line == 0 {
		return p.List
	}
	return p.List + strconv.Itoa(p.Line)
}

// A Request asks for one board. Empty fields take the site's defaults.
type Request struct {
	Where    Place
	MAC      fleet.MAC
	Name     string
	Hardware string
	Chip     fleet.Chip
	Channel  string
	VLAN     fleet.VLAN
	EAP      fleet.EAP // no column: the whole list has the same
}

// columns are the fields of a list, and what each does to a request.
var columns = map[string]func(r *Request, field string) error{
	"mac":      func(r *Request, s string) (err error) { r.MAC, err = fleet.ParseMAC(s); return err },
	"name":     func(r *Request, s string) error { r.Name = s; return fleet.CheckLabel(s) },
	"hardware": func(r *Request, s string) error { r.Hardware = s; return optional("hardware", s) },
	"channel":  func(r *Request, s string) error { r.Channel = s; return optional("channel", s) },
	"vlan":     func(r *Request, s string) (err error) { r.VLAN, err = fleet.ParseVLAN(s); return err },
	"chip": func(r *Request, s string) (err error) {
		if s != "" {
			r.Chip, err = fleet.ParseChip(s)
		}
		return err
	},
}

func optional(kind, s string) error {
	if s == "" {
		return nil
	}
	return fleet.CheckName(kind, s)
}

// ReadCSV yields the boards of a list: a header line that names its columns, of
// which only mac must be there, then a board a line. Blank lines and lines that
// start with '#' are skipped. A faulty line yields an error with file and line;
// name is what they call the file. After a fault in the header, a broken quote or
// an endless line nothing can be told apart, and it yields no more.
//
//	mac,name,hardware,chip,channel,vlan
//	24:6f:28:aa:10:02,door 2,esp32,,stable,120
func ReadCSV(name string, r io.Reader) List {
	return func(yield func(Request, error) bool) {
		lines := newLines(name, r)
		fields, err := readFields(name, lines)
		if err != nil {
			yield(Request{}, err)
			return
		}
		for {
			record, err := lines.Read()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				if !yield(Request{}, located(name, err)) || !errors.Is(err, csv.ErrFieldCount) {
					return
				}
				continue
			}
			line, _ := lines.FieldPos(0)
			if !yield(readRow(Place{name + ":", line}, record, fields)) {
				return
			}
		}
	}
}

func newLines(name string, r io.Reader) *csv.Reader {
	in := bufio.NewReaderSize(r, maxLine)
	if mark, err := in.Peek(3); err == nil && string(mark) == "\ufeff" {
		in.Discard(3) // spreadsheets put a byte-order mark first
	}
	lines := csv.NewReader(&boundedLines{name: name, r: in})
	lines.Comment = '#'
	lines.TrimLeadingSpace = true
	lines.ReuseRecord = true
	return lines
}

func readFields(name string, lines *csv.Reader) ([]string, error) {
	header, err := lines.Read()
	if errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: empty; want a header line, then a board a line", name)
	}
	if err != nil {
		return nil, located(name, err)
	}
	fields, err := readHeader(header)
	if err != nil {
		line, _ := lines.FieldPos(0)
		return nil, fmt.Errorf("%s:%d: %w", name, line, err)
	}
	return fields, nil
}

func readHeader(header []string) ([]string, error) {
	fields := make([]string, len(header))
	for i, h := range header {
		h = strings.ToLower(strings.TrimSpace(h))
		if columns[h] == nil {
			return nil, fmt.Errorf("unknown column %q; want mac, name, hardware, chip, channel, vlan", h)
		}
		if slices.Contains(fields, h) {
			return nil, fmt.Errorf("column %q stands twice", h)
		}
		fields[i] = h
	}
	if !slices.Contains(fields, "mac") {
		return nil, errors.New("no column mac; want a header line such as mac,name,hardware")
	}
	return fields, nil
}

func readRow(where Place, record, fields []string) (Request, error) {
	r := Request{Where: where}
	for i, f := range fields {
		if err := columns[f](&r, strings.TrimSpace(record[i])); err != nil {
			return Request{}, fmt.Errorf("%s: %w", where, err)
		}
	}
	return r, nil
}

// located puts file and line before an error of the csv package.
func located(name string, err error) error {
	if p := new(csv.ParseError); errors.As(err, &p) {
		return fmt.Errorf("%s:%d: %w", name, p.Line, p.Err)
	}
	return err
}

// boundedLines refuses a line that is longer than its reader's buffer, so that
// hostile input cannot make a reader collect without end.
type boundedLines struct {
	name string
	r    *bufio.Reader
	line int
	rest []byte
}

func (b *boundedLines) Read(p []byte) (int, error) {
	if len(b.rest) == 0 {
		line, err := b.r.ReadSlice('\n')
		b.line++
		if errors.Is(err, bufio.ErrBufferFull) {
			return 0, fmt.Errorf("%s:%d: line longer than %d bytes", b.name, b.line, maxLine)
		}
		if len(line) == 0 {
			return 0, err
		}
		b.rest = line
	}
	n := copy(p, b.rest)
	b.rest = b.rest[n:]
	return n, nil
}
