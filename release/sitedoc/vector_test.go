package sitedoc

import (
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tcpboot/tcpboot/release/cose"
)

var update = flag.Bool("update", false, "write testdata anew")

// A vector is one file of testdata: lines `key: value`, an empty line, documents
// in hex, each but the last followed by an empty line. A reader that trusts
// `root` keys with `threshold` follows them one after the other. Readers in other
// languages read the same files.
type vector struct {
	comment string
	fault   error // nil: the last document is the one to hold
	trusted Roots
	signed  [][]byte
}

// faultWords are the kinds of failure as the files name them.
var faultWords = map[string]error{
	"good": nil, "too-long": cose.TooLong, "encoding": cose.Encoding, "profile": cose.Profile, "type": cose.Type,
	"untrusted": cose.Untrusted, "forged": cose.Forged, "invalid": Invalid, "succession": Succession,
}

func (v vector) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "comment: %s\n", v.comment)
	for word, f := range faultWords {
		if f == v.fault {
			fmt.Fprintf(&b, "expect: %s\n", word)
		}
	}
	fmt.Fprintf(&b, "threshold: %d\n", v.trusted.Threshold)
	for _, k := range v.trusted.Keys {
		fmt.Fprintf(&b, "root: %v\n", k)
	}
	for _, s := range v.signed {
		b.WriteByte('\n')
		for row := range slices.Chunk(s, 32) {
			fmt.Fprintf(&b, "%x\n", row)
		}
	}
	return b.String()
}

func parseVector(t *testing.T, text string) (v vector) {
	parts := strings.Split(text, "\n\n")
	for line := range strings.Lines(parts[0] + "\n") {
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		v.set(t, key, value)
	}
	for _, body := range parts[1:] {
		b, err := hex.DecodeString(strings.ReplaceAll(body, "\n", ""))
		if err != nil {
			t.Fatal(err)
		}
		v.signed = append(v.signed, b)
	}
	return v
}

func (v *vector) set(t *testing.T, key, value string) {
	var err error
	switch key {
	case "comment":
		v.comment = value
	case "expect":
		v.fault = faultWords[value]
	case "threshold":
		v.trusted.Threshold, err = strconv.Atoi(value)
	case "root":
		var k cose.Key
		err = k.UnmarshalText([]byte(value))
		v.trusted.Keys = append(v.trusted.Keys, k)
	default:
		t.Fatalf("key %q", key)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestVectors follows the documents of every file and meets the fault that it
// names, and no other.
func TestVectors(t *testing.T) {
	made := vectors(t)
	for _, name := range slices.Sorted(maps.Keys(made)) {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join("testdata", name+".txt")
			if *update {
				if err := os.WriteFile(file, []byte(made[name].String()), 0o666); err != nil {
					t.Fatal(err)
				}
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if made[name].String() != string(text) {
				t.Error("testdata is not what it is made from; run with -update")
			}
			v := parseVector(t, string(text))
			_, err = Chain(v.trusted, v.signed...)
			meets(t, err, v.fault)
		})
	}
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) != len(made) {
		t.Errorf("%d files for %d vectors, %v", len(files), len(made), err)
	}
}

// meets checks that err is of the kind want, and of no other.
func meets(t *testing.T, err, want error) {
	t.Helper()
	if want == nil && err != nil {
		t.Errorf("got %v, want none", err)
	}
	for word, f := range faultWords {
		if f != nil && errors.Is(err, f) != (f == want) {
			t.Errorf("%s: got %v, want %v", word, err, want)
		}
	}
}
