package release

import (
	"crypto"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/tcpboot/tcpboot/release/espimage"
	"github.com/tcpboot/tcpboot/release/mcuboot"
	"github.com/tcpboot/tcpboot/release/sign"
)

// other returns an image of MCUboot, signed by key; nil: by nobody.
func other(t *testing.T, key crypto.Signer) []byte {
	t.Helper()
	image, err := mcuboot.Sign([]byte("a program"), mcuboot.Spec{Version: mcuboot.Version{Major: 2}}, key)
	if err != nil {
		t.Fatal(err)
	}
	return image
}

// leftOpen lists what a report left open.
func leftOpen(r *Report) string {
	var all []string
	for _, f := range r.Findings {
		if !f.Proved {
			all = append(all, f.Subject)
		}
	}
	return strings.Join(all, " ")
}

// TestOthers: what lies behind a board is signed where it lacks a signature, and is
// judged with the release.
func TestOthers(t *testing.T) {
	key, stranger := p256(31), p256(32)
	for name, row := range map[string]struct {
		image []byte
		key   crypto.Signer      // signs what is unsigned
		trust []crypto.PublicKey // of Verify
		open  string
		fault error
	}{
		"unsigned, and no key":           {other(t, nil), nil, nil, "motor: signature", nil},
		"unsigned, signed here":          {other(t, nil), key, []crypto.PublicKey{key.Public()}, "", nil},
		"signed":                         {other(t, key), stranger, []crypto.PublicKey{key.Public()}, "", nil},
		"signed, and no key to judge by": {other(t, key), nil, nil, "motor: signature", nil},
		"signed by a stranger":           {other(t, stranger), nil, []crypto.PublicKey{key.Public()}, "", BadImage},
		"unsigned, where a key is":       {other(t, nil), nil, []crypto.PublicKey{key.Public()}, "", BadImage},
		"damaged":                        {flip(other(t, key), 33), nil, nil, "", BadImage},
		"no image of MCUboot":            {[]byte("firmware of another kind, which nobody here knows"), key, nil, "motor: structure", nil},
	} {
		t.Run(name, func(t *testing.T) {
			r := mustCut(t, func(q *Request) {
				q.Others = map[string][]byte{"motor": row.image}
				if row.key != nil {
					q.MCU = map[string]sign.MCU{"motor": {Signer: row.key}}
				}
			})
			held := trust(t)
			held.MCU = row.trust
			report, err := Verify(r, held)
			if !errors.Is(err, row.fault) || (err == nil) != (row.fault == nil) {
				t.Fatalf("got %v, want %v", err, row.fault)
			}
			if err != nil {
				return
			}
			if got := leftOpen(report); got != row.open {
				t.Errorf("open is %q, want %q", got, row.open)
			}
			if err := report.Offerable(); err != nil {
				t.Errorf("cannot be offered: %v", err)
			}
		})
	}
}

func TestCheckOthers(t *testing.T) {
	key := p256(31)
	for name, row := range map[string]struct {
		others map[string][]byte
		want   string
	}{
		"good":                 {map[string][]byte{"motor": other(t, nil), "lamp": other(t, key)}, ""},
		"by a stranger":        {map[string][]byte{"motor": other(t, p256(32))}, "no signature by a key that is trusted"},
		"padded, and unsigned": {map[string][]byte{"motor": append(other(t, nil), 0xff)}, "1 bytes follow the image"},
		"no image":             {map[string][]byte{"motor": []byte("text")}, "header"},
		"the board's own name": {map[string][]byte{"app": other(t, nil)}, "name of the board's own image"},
		"no name":              {map[string][]byte{"a b": other(t, nil)}, "component"},
		"too many":             {others(5), "at most 4"},
	} {
		q := Request{Others: row.others, MCUKey: key.Public()}
		if err := q.CheckOthers(); (err == nil) != (row.want == "") || err != nil && !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestBlocks: behind block 0 a signature counts for no board that checks in software,
// and is told of.
func TestBlocks(t *testing.T) {
	three := mustCut(t, hardware(t, "esp32c6", 0, espimage.P256, appKey(t, p256(21)), appKey(t, p256(23)), appKey(t, p256(24))))
	held := trust(t)
	held.App = append(held.App, keyDigest(t, p256(23)))
	report, err := Verify(three, held)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := leftOpen(report), "app: signature block 2"; got != want {
		t.Errorf("open is %q, want %q", got, want)
	}
	if err := report.Offerable(); err != nil {
		t.Error(err)
	}
}

// TestCutAsksEveryKey: of keys that are elsewhere all are asked before one is missed.
func TestCutAsksEveryKey(t *testing.T) {
	var asked []string
	away := func(name string, n byte) crypto.Signer {
		return absent{p256(n).Public(), func() { asked = append(asked, name) }}
	}
	q := request(t)
	hardware(t, "esp32c6", 0, espimage.P256, appKey(t, away("one", 21)), appKey(t, away("two", 23)))(&q)
	q.Others = map[string][]byte{"motor": other(t, nil)}
	q.MCU = map[string]sign.MCU{"motor": {Signer: away("motor", 31)}}
	_, err := Cut(q)
	if !errors.Is(err, errAbsent) || strings.Join(asked, " ") != "one two motor" {
		t.Errorf("asked %v: %v", asked, err)
	}
}

var errAbsent = errors.New("is elsewhere")

// An absent key notes that it was asked.
type absent struct {
	public crypto.PublicKey
	asked  func()
}

func (a absent) Public() crypto.PublicKey { return a.public }

func (a absent) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	a.asked()
	return nil, errAbsent
}
