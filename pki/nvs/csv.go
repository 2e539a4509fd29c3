package nvs

import (
	"bytes"
	"encoding/base64"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

const maxText = 4 << 20

var columns = []string{"key", "type", "encoding", "value"}

// ParseCSV reads the table that the vendor's generator reads:
//
//	key,type,encoding,value
//	loader,namespace,,
//	port,data,u16,8123
//	serial,data,string,D-000042
//	token,data,base64,3q2+7wABAgM=
//	cert,file,binary,certs/board.der
//
// A line that begins with # is a comment. A namespace row comes before its keys.
// The encodings are u8 to i64 in decimal, string, hex2bin, base64 and, for files
// alone, binary; the generator's blob_fill and blob_sz_fill are not read. open
// returns the content of a file that a row names; when it is nil, such rows are
// refused. An error begins with the line and repeats no value.
func ParseCSV(text []byte, open func(path string) ([]byte, error)) ([]Entry, error) {
	if len(text) > maxText {
		return nil, fmt.Errorf("NVS table of %d bytes: more than %d", len(text), maxText)
	}
	t := table{open: open}
	r := csv.NewReader(bytes.NewReader(text))
	r.Comment = '#'
	r.FieldsPerRecord = -1
	header, err := r.Read()
	if err != nil || !slices.Equal(header, columns) {
		return nil, fmt.Errorf("NVS table: want the header %s", strings.Join(columns, ","))
	}
	for {
		row, err := r.Read()
		if err == io.EOF {
			return t.entries, nil
		}
		if e := new(csv.ParseError); errors.As(err, &e) {
			return nil, fmt.Errorf("line %d: its quotes do not match", e.StartLine)
		}
		if err := t.add(row); err != nil {
			line, _ := r.FieldPos(0)
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
	}
}

// A table is what has been read so far.
type table struct {
	open      func(path string) ([]byte, error)
	namespace string
	entries   []Entry
}

// add reads one row; fields at its end may be left out.
func (t *table) add(row []string) error {
	if len(row) > len(columns) {
		return fmt.Errorf("%d fields: want %s", len(row), strings.Join(columns, ","))
	}
	var f [4]string
	copy(f[:], row)
	if f[1] == "namespace" {
		t.namespace = f[0]
		return checkName("namespace", f[0])
	}
	if t.namespace == "" {
		return errors.New("no namespace row before it")
	}
	if err := checkName("key", f[0]); err != nil {
		return err
	}
	e := Entry{t.namespace, f[0], nil}
	raw, err := t.content(f[1], f[2], f[3])
	if err == nil {
		e.Value, err = decode(f[2], raw)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", e.name(), err)
	}
	if err := e.check(); err != nil {
		return err
	}
	t.entries = append(t.entries, e)
	return nil
}

// content returns what a row means to encode: its value or the file it names.
func (t *table) content(source, encoding, value string) (string, error) {
	switch {
	case source == "file" && t.open == nil:
		return "", errors.New("type file: no files here")
	case source == "file":
		b, err := t.open(value)
		return string(b), err
	case source != "data":
		return "", errors.New("type: want namespace, data or file")
	case encoding == "binary":
		return "", errors.New("encoding binary: for files alone")
	}
	return value, nil
}

// decode returns the value that raw encodes.
func decode(encoding, raw string) (Value, error) {
	switch encoding {
	case "string":
		return String(raw), nil
	case "binary":
		return Blob(raw), nil
	case "hex2bin":
		b, err := hex.DecodeString(strings.TrimSpace(raw))
		return Blob(b), hide(err, encoding)
	case "base64":
		b, err := base64.StdEncoding.Strict().DecodeString(raw)
		return Blob(b), hide(err, encoding)
	}
	for k, n := range numbers {
		if n.name == encoding {
			bits, err := parseNumber(k, raw)
			return n.from(bits), hide(err, encoding)
		}
	}
	return nil, errors.New("encoding: want u8 to i64, string, hex2bin, base64 or binary")
}

func parseNumber(k kind, raw string) (uint64, error) {
	if k.signed() {
		n, err := strconv.ParseInt(raw, 10, 8*k.width())
		return uint64(n), err
	}
	return strconv.ParseUint(raw, 10, 8*k.width())
}

// hide replaces an error that may repeat the value.
func hide(err error, encoding string) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("value is not %s", encoding)
}
