package release

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

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/release/cose"
	"github.com/tcpboot/tcpboot/release/sitedoc"
)

var update = flag.Bool("update", false, "write testdata anew")

// A vector is one file of testdata: lines `key: value`, an empty line, a signed
// manifest in hex. Where the file names a board, it is also held against it.
// Readers in other languages read the same files.
type vector struct {
	comment string
	fault   error // nil: the manifest is good
	key     cose.Key
	board   Board // zero: none
	signed  []byte
}

// faultWords are the kinds of failure as the files name them.
var faultWords = map[string]error{
	"good": nil, "too-long": cose.TooLong, "encoding": cose.Encoding, "profile": cose.Profile, "type": cose.Type,
	"untrusted": cose.Untrusted, "forged": cose.Forged, "invalid": Invalid,
	"other-site": OtherSite, "other-board": OtherBoard, "stale": Stale, "mismatch": Mismatch, "bad-image": BadImage,
}

func (v vector) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "comment: %s\n", v.comment)
	for word, f := range faultWords {
		if f == v.fault {
			fmt.Fprintf(&b, "expect: %s\n", word)
		}
	}
	fmt.Fprintf(&b, "key: %v\n", v.key)
	if d := v.board; d != (Board{}) {
		id, _ := d.Chip.ID()
		if kind, ok := d.Kind.Number(); ok {
			fmt.Fprintf(&b, "kind: %d\n", kind)
		}
		fmt.Fprintf(&b, "site: %s\nhardware: %s\nchip: %d\nchannel: %s\nsequence: %d\ngeneration: %d\ncount: %d\nloader: %s\n",
			d.Site, d.Hardware, id, d.Channel, d.Sequence, d.Counter.Generation, d.Counter.Count, d.Loader)
	}
	b.WriteByte('\n')
	for row := range slices.Chunk(v.signed, 32) {
		fmt.Fprintf(&b, "%x\n", row)
	}
	return b.String()
}

func parseVector(t *testing.T, text string) (v vector) {
	head, body, _ := strings.Cut(text, "\n\n")
	for line := range strings.Lines(head + "\n") {
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		if err := v.set(key, value); err != nil {
			t.Fatalf("%s: %v", key, err)
		}
	}
	var err error
	if v.signed, err = hex.DecodeString(strings.ReplaceAll(body, "\n", "")); err != nil {
		t.Fatal(err)
	}
	return v
}

func (v *vector) set(key, value string) (err error) {
	text := map[string]*string{"comment": &v.comment, "site": &v.board.Site, "hardware": &v.board.Hardware,
		"channel": &v.board.Channel, "loader": &v.board.Loader}
	if field, ok := text[key]; ok {
		*field = value
		return nil
	}
	switch key {
	case "expect":
		v.fault = faultWords[value]
		return nil
	case "key":
		return v.key.UnmarshalText([]byte(value))
	}
	n, err := strconv.ParseUint(value, 10, 64)
	switch key {
	case "kind":
		v.board.Kind, err = sitedoc.KindOf(n)
	case "chip":
		v.board.Chip, _ = fleet.ChipByID(uint16(n))
	case "sequence":
		v.board.Sequence = n
	case "generation":
		v.board.Counter.Generation = uint32(n)
	case "count":
		v.board.Counter.Count = uint32(n)
	default:
		return errors.New("unknown")
	}
	return err
}

// judge reads, verifies and holds against the board.
func (v vector) judge() error {
	m, message, err := open(v.signed)
	if err != nil {
		return err
	}
	if err := message.Verify(1, v.key); err != nil {
		return err
	}
	if v.board == (Board{}) {
		return nil
	}
	return m.CheckBoard(v.board)
}

// TestVectors judges every file and meets the fault that it names, and no other.
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
			meets(t, parseVector(t, string(text)).judge(), made[name].fault)
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
	if (err == nil) != (want == nil) {
		t.Errorf("got %v, want %v", err, want)
	}
	for word, f := range faultWords {
		if f != nil && errors.Is(err, f) != (f == want) {
			t.Errorf("%s: got %v, want %v", word, err, want)
		}
	}
}
