package wire_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/tcpboot/tcpboot/pki/fleet"
	"github.com/tcpboot/tcpboot/release/wire"
)

var board = fleet.MAC{0x24, 0x0a, 0xc4, 0x01, 0x02, 0x03}

func TestRequest(t *testing.T) {
	for _, row := range []struct {
		name, sent string
		protocol   wire.Protocol
		mac        fleet.MAC
		err        error
	}{
		{"the loader's request", "240ac4010203", wire.V1, board, nil},
		{"upper case", "240AC4010203", wire.V1, board, nil},
		{"later input", "240ac4010203\r\nGET / HTTP/1.0\r\n", wire.V1, board, nil},
		{"the MAC twice", "240ac4010203240ac4010203", wire.V1, board, nil},
		{"nothing", "", wire.Undecided, fleet.MAC{}, io.EOF},
		{"four digits, as an unoptimised loader", "240a", wire.V1, fleet.MAC{}, io.ErrUnexpectedEOF},
		{"eleven digits", "240ac401020", wire.V1, fleet.MAC{}, io.ErrUnexpectedEOF},
		{"colons", "24:0a:c4:01:02:03", wire.V1, fleet.MAC{}, wire.ErrMalformed},
		{"a letter too far", "240ac401020g", wire.V1, fleet.MAC{}, wire.ErrMalformed},
		{"a word that begins with hex", "DELETE / HTTP/1.1", wire.V1, fleet.MAC{}, wire.ErrMalformed},
		{"a group address", "01005e000001", wire.V1, fleet.MAC{}, wire.ErrMalformed},
		{"all zero", "000000000000", wire.V1, fleet.MAC{}, wire.ErrMalformed},
		{"TLS", "\x16\x03\x01\x02\x00\x01", wire.V2, fleet.MAC{}, nil},
		{"HTTP", "GET / HTTP/1.1\r\n", wire.Foreign, fleet.MAC{}, nil},
		{"a NUL", "\x00", wire.Foreign, fleet.MAC{}, nil},
		{"the byte before 0", "/40ac4010203", wire.Foreign, fleet.MAC{}, nil},
		{"the byte after f", "g40ac4010203", wire.Foreign, fleet.MAC{}, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			for kind, r := range map[string]io.Reader{
				"whole":        strings.NewReader(row.sent),
				"bytes":        iotest.OneByteReader(strings.NewReader(row.sent)),
				"halves":       iotest.HalfReader(strings.NewReader(row.sent)),
				"data and EOF": iotest.DataErrReader(strings.NewReader(row.sent)),
			} {
				var q wire.Request
				err := q.Fill(r)
				if !errors.Is(err, row.err) || q.Protocol() != row.protocol || q.MAC() != row.mac {
					t.Errorf("%s: got %v, protocol %d, MAC %v; want %v, %d, %v",
						kind, err, q.Protocol(), q.MAC(), row.err, row.protocol, row.mac)
				}
			}
		})
	}
}

func TestRequestGoesOnAfterATimeout(t *testing.T) {
	const sent = "240ac4010203"
	for cut := range len(sent) {
		var q wire.Request
		late := io.MultiReader(strings.NewReader(sent[:cut]), iotest.ErrReader(os.ErrDeadlineExceeded))
		if err := q.Fill(late); !errors.Is(err, os.ErrDeadlineExceeded) || q.Complete() {
			t.Fatalf("after %d digits: got %v, complete %v; want the timeout", cut, err, q.Complete())
		}
		if err := q.Fill(strings.NewReader(sent[cut:])); err != nil || q.MAC() != board {
			t.Errorf("cut at %d: got %v, %v; want %v", cut, q.MAC(), err, board)
		}
	}
}

func TestRequestTakesTwelveBytes(t *testing.T) {
	r := strings.NewReader("240ac4010203rest")
	var q wire.Request
	if err := q.Fill(r); err != nil {
		t.Fatal(err)
	}
	if rest, _ := io.ReadAll(r); string(rest) != "rest" || string(q.Heard()) != "240ac4010203" {
		t.Errorf("heard %q and left %q", q.Heard(), rest)
	}
}

func TestHeader(t *testing.T) {
	const want = "01000000" + "1599e9fa41ec68c80230491902786bee889f5bcb"
	b := wire.NewHeader([]byte{wire.ImageMagic}).Bytes()
	if got := hex.EncodeToString(b[:]); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := wire.ParseHeader([wire.HeaderSize]byte{0: 0x78, 1: 0x56, 2: 0x34, 3: 0x12}).Size; got != 0x12345678 {
		t.Errorf("size %#x, want 0x12345678", got)
	}
}

func TestHeaderCheck(t *testing.T) {
	for _, row := range []struct {
		name string
		size uint32
		ok   bool
	}{
		{"nothing", 0, false}, {"one byte", 1, true}, {"the slot", wire.Slot2017, true},
		{"a byte over", wire.Slot2017 + 1, false}, {"the largest claim", 0xffffffff, false},
	} {
		if err := (wire.Header{Size: row.size}).Check(wire.Slot2017); (err == nil) != row.ok {
			t.Errorf("%s: got %v, want ok %v", row.name, err, row.ok)
		}
	}
}

func FuzzHeader(f *testing.F) {
	f.Add(make([]byte, wire.HeaderSize))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) != wire.HeaderSize {
			return
		}
		in := [wire.HeaderSize]byte(b)
		if out := wire.ParseHeader(in).Bytes(); out != in {
			t.Errorf("%x prints as %x", in, out)
		}
	})
}

// FuzzRequest holds that splitting changes nothing, that no more than 12 bytes
// are taken, and that a MAC comes only from the digits that name it.
func FuzzRequest(f *testing.F) {
	for _, s := range []string{"240ac4010203", "240A", "24:0a", "\x16\x03", "GET /", "", "01005e000001"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, sent []byte) {
		var whole, split wire.Request
		r := bytes.NewReader(sent)
		err := whole.Fill(r)
		err2 := split.Fill(iotest.OneByteReader(bytes.NewReader(sent)))
		if (err == nil) != (err2 == nil) || whole.MAC() != split.MAC() || whole.Protocol() != split.Protocol() {
			t.Fatalf("%q: whole %v %v, split %v %v", sent, whole.MAC(), err, split.MAC(), err2)
		}
		if taken := len(sent) - r.Len(); taken > wire.MACDigits || taken != len(whole.Heard()) {
			t.Fatalf("%q: took %d bytes, says %d", sent, taken, len(whole.Heard()))
		}
		if m := whole.MAC(); m != (fleet.MAC{}) && m.String() != strings.ToLower(string(sent[:wire.MACDigits])) {
			t.Fatalf("%q: MAC %v", sent, m)
		}
	})
}
