package cose

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write testdata anew")

// A vector is one file of testdata: lines `key: value`, an empty line, the
// message in hex. Readers in other languages read the same files.
type vector struct {
	comment   string
	fault     Fault // empty: the message is good
	typ       string
	threshold int
	trusted   []Key
	payload   []byte // of a good message
	message   []byte
}

// faultWords are the kinds of failure as the files name them.
var faultWords = map[string]Fault{
	"good": "", "too-long": TooLong, "encoding": Encoding, "profile": Profile,
	"type": Type, "untrusted": Untrusted, "forged": Forged,
}

func (v vector) String() string {
	var b strings.Builder
	line := func(key, value string) { fmt.Fprintf(&b, "%s: %s\n", key, value) }
	line("comment", v.comment)
	for word, f := range faultWords {
		if f == v.fault {
			line("expect", word)
		}
	}
	line("type", v.typ)
	line("threshold", strconv.Itoa(v.threshold))
	for _, k := range v.trusted {
		line("key", k.String())
	}
	if v.fault == "" {
		line("payload", hex.EncodeToString(v.payload))
	}
	b.WriteByte('\n')
	for row := range slices.Chunk(v.message, 32) {
		fmt.Fprintf(&b, "%x\n", row)
	}
	return b.String()
}

func parseVector(t *testing.T, text string) (v vector) {
	head, body, ok := strings.Cut(text, "\n\n")
	if !ok {
		t.Fatal("no empty line")
	}
	for line := range strings.Lines(head) {
		key, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		if !ok {
			t.Fatalf("line %q", line)
		}
		v.set(t, key, value)
	}
	v.message = unhex(t, strings.ReplaceAll(body, "\n", ""))
	return v
}

func (v *vector) set(t *testing.T, key, value string) {
	var err error
	switch key {
	case "comment":
		v.comment = value
	case "expect":
		var ok bool
		if v.fault, ok = faultWords[value]; !ok {
			t.Fatalf("expect %q", value)
		}
	case "type":
		v.typ = value
	case "threshold":
		v.threshold, err = strconv.Atoi(value)
	case "key":
		v.trusted = append(v.trusted, Key(unhex(t, value)))
	case "payload":
		v.payload = unhex(t, value)
	default:
		t.Fatalf("key %q", key)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func unhex(t *testing.T, s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestVectors reads every file of testdata and meets the fault that it names,
// and no other.
func TestVectors(t *testing.T) {
	if *update {
		writeVectors(t)
	}
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) < 30 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			v := parseVector(t, string(text))
			if v.String() != string(text) {
				t.Error("the file is not written as its parts would be")
			}
			v.check(t)
		})
	}
}

func (v vector) check(t *testing.T) {
	m, err := Read(v.typ, v.message)
	if err == nil {
		err = m.Verify(v.threshold, v.trusted...)
	}
	for word, f := range faultWords {
		if got, want := f != "" && errors.Is(err, f), f != "" && f == v.fault; got != want {
			t.Errorf("%s: got %v, want %v: %v", word, got, want, err)
		}
	}
	if v.fault == "" && (err != nil || !bytes.Equal(m.Payload, v.payload)) {
		t.Errorf("got %v, want the payload %x", err, v.payload)
	}
}

// TestVectorsAreReproducible makes the files again: the signatures are
// deterministic, so they come out alike.
func TestVectorsAreReproducible(t *testing.T) {
	for name, v := range vectors() {
		text, err := os.ReadFile(filepath.Join("testdata", name+".txt"))
		if err != nil {
			t.Fatal(err)
		}
		if v.String() != string(text) {
			t.Errorf("%s: testdata is not what it is made from; run with -update", name)
		}
	}
}

func writeVectors(t *testing.T) {
	for name, v := range vectors() {
		if err := os.WriteFile(filepath.Join("testdata", name+".txt"), []byte(v.String()), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}
